import type { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "vitest";
import { epochOf, listEpochs, type Epoch } from "./epochs.ts";
import { partitionOf } from "../kafka/partitioner.ts";
import type { SourceRecord } from "../ports.ts";
import { commitProgress, NOTHING, readProgress } from "./progress.ts";
import { readOffset } from "./stretch-offsets.ts";
import { askRewrite, listRewrites } from "../rewrites/rewrites.ts";
import { openSyncState } from "../state.ts";
import { openStretches, type Growth, type Piece, type Stretches } from "./stretches.ts";
import { transitionVersionWriter } from "./version.ts";

const id = { environment: "staging", name: "delays" };
const MINUTE = 60_000;
let state: DatabaseSync;
let nowMs = 1_000_000_000_000;
let offsetsByTime: number[];
/** Of the topic, by partition. */
let ends: number[];
let asked: number;
let isAway: boolean;
/** Of the topic's oldest records, by partition, and when they were written. */
let keys: string[][];
let oldestMs: number;

beforeEach(() => {
  state = openSyncState(":memory:");
  for (const release of ["r1", "r2"])
    state.prepare("insert into sync_releases values (?, '{}', 'b')").run(release);
  nowMs = 1_000_000_000_000;
  offsetsByTime = [];
  ends = [0, 0];
  asked = 0;
  isAway = false;
  keys = [];
  oldestMs = 0;
});

describe("partitions added to a topic", () => {
  test("open one transition epoch for all partitions, looking back in the old ones", async () => {
    const worker = open("w1");
    await assign(worker, [0, 1], 2);
    worker.cut(delivery(0, records(0, 100)));
    nowMs += MINUTE;
    offsetsByTime = [40];
    // Two workers share the grown topic: each opens the epoch for its own partitions, under one number.
    const other = open("w2");
    const taken = [...(await assign(worker, [0, 1], 4)), ...(await assign(other, [2, 3], 4))];
    expect(taken.map(({ epoch, from }) => [epoch.partition, epoch.ordering, from])).toEqual([
      [0, "timestamp", 0],
      [1, "timestamp", 0],
      [2, "timestamp", 0],
      [3, "timestamp", 0],
    ]);
    expect(new Set(taken.map(({ epoch }) => epoch.epoch)).size).toBe(1);
  });

  test("are no growth when the topic had them from the start, nor the second time they are seen", async () => {
    const worker = open("w1");
    const first = await assign(worker, [0, 1, 2], 3);
    expect(first.map(({ epoch }) => [epoch.epoch, epoch.ordering])).toEqual([
      [1024, "offset"],
      [1025, "offset"],
      [1026, "offset"],
    ]);
    const again = await assign(worker, [0, 1, 2], 3);
    expect(again.map(({ epoch }) => epoch.epoch)).toEqual([1024, 1025, 1026]);
  });

  test("end their transition at the first record of a time when every producer knows them", async () => {
    const worker = open("w1", { transitionMs: 10 * MINUTE, lookBackMs: 0 });
    await assign(worker, [0], 1);
    const [{ epoch } = { epoch: undefined }] = await assign(worker, [0, 1], 2);
    if (epoch?.ordering !== "timestamp") throw new Error("no transition");
    const before = { ...records(0, 1)[0], offset: 0, timestampMs: epoch.untilMs - 1 };
    const after = { ...before, offset: 1, timestampMs: epoch.untilMs };
    nowMs = epoch.untilMs;
    const pieces = worker.cut(delivery(0, [before as SourceRecord, after as SourceRecord]));
    if ("code" in pieces) throw new Error(pieces.message);
    expect(pieces.map((piece: Piece) => [piece.epoch.ordering, piece.records.length])).toEqual([
      ["timestamp", 1],
      ["offset", 1],
    ]);
    expect(pieces[1]?.epoch.epoch).toBe(epoch.epoch + 8192);
    // Delivered again, each keeps its epoch.
    const again = worker.cut(delivery(0, [before as SourceRecord, after as SourceRecord]));
    if ("code" in again) throw new Error(again.message);
    expect(again.map((piece) => piece.epoch.epoch)).toEqual(
      pieces.map((piece) => piece.epoch.epoch),
    );
  });
});

describe("a topic that had grown before it is first read", () => {
  const numbered = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, n) => String(from + n));

  test("is read as in a transition by every worker, until producers of its newest partition's oldest record know it", async () => {
    ends = [10, 10];
    keys = [numbered(0, 10), ["7"]];
    oldestMs = nowMs - MINUTE / 2;
    const taken = [...(await assign(open("w1"), [0], 2)), ...(await assign(open("w2"), [1], 2))];
    const until = { untilMs: oldestMs + MINUTE, transition: 1024, origin: 0 };
    expect(taken).toMatchObject([
      { from: 0, epoch: { epoch: 1024, ...until, partition: 0 } },
      { from: 0, epoch: { epoch: 1024, ...until, partition: 1 } },
    ]);
  });

  test("long ago, it is read by time as far as it reaches now", async () => {
    ends = [10, 10];
    keys = [numbered(0, 10), ["7"]];
    const worker = open("w1");
    await assign(worker, [0, 1], 2);
    worker.settle();
    await answered();
    expect(worker.settle()).toMatchObject([
      { ordering: "offset", firstOffset: 10, partition: 0 },
      { ordering: "offset", firstOffset: 10, partition: 1 },
    ]);
  });

  test("and what was said of it in the environment counts more than its keys", async () => {
    keys = [numbered(0, 10), ["7"]];
    const never = open("w1", { transitionMs: MINUTE, lookBackMs: 0, before: false });
    expect(await assign(never, [0], 2)).toMatchObject([{ epoch: { ordering: "offset" } }]);
    keys = [];
    state = openSyncState(":memory:");
    state.prepare("insert into sync_releases values ('r1', '{}', 'b')").run();
    const once = open("w1", { transitionMs: MINUTE, lookBackMs: 0, before: true });
    expect(await assign(once, [0], 2)).toMatchObject([{ epoch: { ordering: "timestamp" } }]);
  });

  test("which its keys do not tell of, is in offset order at once", async () => {
    keys = [numbered(0, 10), numbered(10, 20)].map((own, partition) =>
      own.filter((key) => partitionOf(Buffer.from(key), 2) === partition),
    );
    expect(await assign(open("w1"), [0, 1], 2)).toMatchObject([
      { epoch: { ordering: "offset" } },
      { epoch: { ordering: "offset" } },
    ]);
  });
});

test("a swap and a rollback within a transition stay in it: times still decide between what each partition had read before and after", async () => {
  const worker = open("w1");
  const other = open("w2");
  await assign(worker, [0], 1);
  await assign(worker, [0], 2);
  await assign(other, [1], 2);
  const [first] = cutAll(worker, records(0, 50));
  const swaps = [worker, other].flatMap((one) => [...one.swap("r2"), ...one.swap("r1")]);
  expect(swaps.map(({ epoch, release, ...order }) => [epoch, release, order])).toEqual([
    [1025 + 8192, "r2", expect.objectContaining({ partition: 0, transition: 1025, origin: 0 })],
    [1026 + 8192, "r1", expect.objectContaining({ partition: 0, transition: 1025, origin: 0 })],
    [1027 + 8192, "r2", expect.objectContaining({ partition: 1, transition: 1025, origin: 0 })],
    [1028 + 8192, "r1", expect.objectContaining({ partition: 1, transition: 1025, origin: 0 })],
  ]);
  // What the slower partition has of a moment before is older, whichever release handles it.
  const earlier = { ...records(0, 1)[0], timestampMs: nowMs - 1 } as SourceRecord;
  const [late] = other.cut(delivery(1, [earlier])) as Piece[];
  expect(versionIn(late, earlier)).toBeLessThan(versionIn(first, records(0, 1)[0]));
  expect(versionIn(cutAll(worker, records(50, 51))[0], records(50, 51)[0])).toBeGreaterThan(
    versionIn(first, records(49, 50)[0]),
  );
});

test("a worker that swaps before it notices that the topic has grown goes into the transition that another has opened", async () => {
  const worker = open("w1");
  const other = open("w2");
  await assign(worker, [0], 2);
  await assign(other, [1], 2);
  await assign(worker, [0], 3);
  cutAll(other, records(0, 90), 1);
  expect(other.swap("r2")).toMatchObject([{ ordering: "timestamp", firstOffset: 90, origin: 90 }]);
  const [grown] = await assign(other, [1], 3);
  const [same] = listEpochs(state, id).filter(({ reason }) => reason === "partitions added");
  expect(grown).toMatchObject({
    from: 0,
    epoch: { transition: same?.epoch, firstOffset: 0, origin: 90 },
  });
});

describe("a transition whose time is over", () => {
  const growth = { transitionMs: MINUTE, lookBackMs: 0 };

  /** A worker that has read 10 records of partition 0 in a transition, and nothing of partition 1. */
  async function grown(): Promise<Stretches> {
    const worker = open("w1", growth);
    await assign(worker, [0], 1);
    await assign(worker, [0, 1], 2);
    cutAll(worker, records(0, 10));
    return worker;
  }

  async function settled(worker: Stretches): Promise<unknown[]> {
    worker.settle();
    await answered();
    return worker
      .settle()
      .map(({ partition, firstOffset, ordering }) => [partition, firstOffset, ordering]);
  }

  test("ends where the log ends, whatever the records' times say", async () => {
    const worker = await grown();
    ends = [10, 500];
    expect(worker.settle()).toEqual([]);
    expect(asked).toBe(0);
    nowMs += MINUTE;
    expect(await settled(worker)).toEqual([
      [0, 10, "offset"],
      [1, 500, "offset"],
    ]);
    const old = records(10, 20).map((record) => ({ ...record, timestampMs: 1 }));
    expect(cutAll(worker, old).map(({ epoch }) => epoch.ordering)).toEqual(["offset"]);
    // The partition that is far behind is in the transition until then.
    const behind = cutAll(worker, records(490, 510, 1), 1);
    expect(behind.map((piece) => [piece.epoch.ordering, piece.records.length])).toEqual([
      ["timestamp", 10],
      ["offset", 10],
    ]);
    expect(worker.settle()).toEqual([]);
    expect(asked).toBe(1);
  });

  test("keeps what was read while the broker was asked", async () => {
    const worker = await grown();
    nowMs += MINUTE;
    ends = [10, 0];
    worker.settle();
    const [piece] = cutAll(worker, records(10, 30, 1));
    expect(piece?.epoch.ordering).toBe("timestamp");
    await answered();
    expect(worker.settle().map((one) => one.firstOffset)).toEqual([30, 0]);
  });

  test("of one topic ends while a broker of another does not answer", async () => {
    let isSilent = false;
    const worker = openStretches({
      reading: new AbortController().signal,
      id,
      state,
      owner: "w1",
      release: "r1",
      now: () => new Date(nowMs),
      growth: { ...growth, before: true },
      reader: {
        offsetAt: async () => 0,
        async *read() {},
        ranges: (topic) =>
          isSilent && topic === "silent"
            ? new Promise(() => undefined)
            : Promise.resolve([{ topic, partition: 0, first: 0, end: 7 }]),
      },
    });
    for (const topic of ["silent", "other"])
      await worker.assign(
        { ...place(0), topic, first: 0, committed: null, partitions: 2 },
        undefined,
      );
    isSilent = true;
    nowMs += MINUTE;
    worker.settle();
    await answered();
    expect(worker.settle()).toMatchObject([{ topic: "other", firstOffset: 7, ordering: "offset" }]);
  });

  test("is asked for again where the broker is away, once a second", async () => {
    const worker = await grown();
    nowMs += MINUTE;
    isAway = true;
    expect(await settled(worker)).toEqual([]);
    worker.settle();
    expect(asked).toBe(1);
    nowMs += 1000;
    isAway = false;
    expect(await settled(worker)).toHaveLength(2);
  });

  test("ends where the log ends when a worker comes back a day later, and what it reads again stays where it was", async () => {
    const before = cutAll(await grown(), records(0, 40));
    nowMs += 1440 * MINUTE;
    ends = [40, 0];
    const worker = open("w2", growth);
    const [taken] = await assign(worker, [0], 2);
    expect(taken?.from).toBe(0);
    expect(await settled(worker)).toEqual([[0, 40, "offset"]]);
    const again = cutAll(worker, [...records(0, 40, 1), ...records(40, 50, 1)]);
    expect(again.map(({ epoch }) => epoch.epoch)).toEqual([
      before[0]?.epoch.epoch,
      expect.any(Number),
    ]);
  });

  test("ends for the worker that has the partition, not for one that had it", async () => {
    const worker = await grown();
    const other = open("w2", growth);
    await assign(other, [0], 2);
    nowMs += MINUTE;
    ends = [10, 0];
    expect(await settled(worker)).toEqual([[1, 0, "offset"]]);
    expect(await settled(other)).toEqual([[0, 10, "offset"]]);
  });

  test("is ended by no record dated ahead, while time goes on nor after it", async () => {
    const worker = await grown();
    const ahead = { ...records(10, 11)[0], timestampMs: nowMs + 9e9 } as SourceRecord;
    expect(cutAll(worker, [ahead])[0]?.epoch.ordering).toBe("timestamp");
    nowMs += MINUTE;
    expect(cutAll(worker, [{ ...ahead, offset: 11 }])[0]?.epoch.ordering).toBe("timestamp");
  });

  test("and then a swap: what lies before its end stays in it", async () => {
    const worker = await grown();
    nowMs += MINUTE;
    ends = [10, 500];
    await settled(worker);
    worker.swap("r2");
    const pieces = cutAll(worker, records(490, 510, 1), 1);
    expect(pieces.map(({ epoch }) => [epoch.ordering, epoch.release, epoch.firstOffset])).toEqual([
      ["timestamp", "r2", 0],
      ["offset", "r2", 500],
    ]);
    expect(renew(worker, 0)?.ordering).toBe("offset");
    const known = listEpochs(state, id);
    expect(epochOf(known, place(1), 499)).toMatchObject({ transition: 1025, origin: 0 });
  });

  test("lets nothing be written again above it before its end is read", async () => {
    const worker = await grown();
    nowMs += MINUTE;
    expect(renew(worker, 1)).toBeUndefined();
    ends = [10, 500];
    await settled(worker);
    expect(renew(worker, 1)).toBeUndefined();
    cutAll(worker, records(0, 501, 1), 1);
    expect(renew(worker, 1)?.firstOffset).toBe(501);
  });
});

test("a worker whose partition another has taken opens no epoch in it, though it has not heard of that yet", async () => {
  const worker = open("w1");
  await assign(worker, [0, 1], 2);
  worker.cut(delivery(0, records(0, 80)));
  const other = open("w2");
  await assign(other, [0], 2);
  expect(renew(worker, 0)).toBeUndefined();
  expect(worker.swap("r2").map(({ partition }) => partition)).toEqual([1]);
  const pieces = other.cut(delivery(0, records(0, 100)));
  if ("code" in pieces) throw new Error(pieces.message);
  const known = listEpochs(state, id);
  for (const { epoch, records: own } of pieces)
    for (const { offset } of own) expect(epochOf(known, place(0), offset)).toEqual(epoch);
});

test("what is in flight when its partition is given up counts no more, though the same worker takes it again", async () => {
  const worker = open("w1");
  await assign(worker, [0], 1);
  const [late] = cutAll(worker, records(0, 80));
  worker.release([place(0)]);
  const [taken] = await assign(worker, [0], 1);
  expect(taken?.from).toBe(0);
  const [again] = cutAll(worker, records(0, 80));
  const counts = { ...NOTHING, read: 80, written: 80 };
  const finished = { stretch: place(0), next: 80, counts, deadLetters: [] };
  expect(commitProgress(state, id, [{ finished, owner: late?.claim ?? "" }])).toEqual([false]);
  expect(commitProgress(state, id, [{ finished, owner: again?.claim ?? "" }])).toEqual([true]);
  expect(readProgress(state, id).counts.read).toBe(80);
});

test("a worker killed while it takes a partition of a grown topic looks back when it takes it again", async () => {
  const worker = open("w1");
  await assign(worker, [0], 1);
  const [piece] = cutAll(worker, records(0, 90));
  const finished = { stretch: place(0), next: 90, counts: NOTHING, deadLetters: [] };
  expect(commitProgress(state, id, [{ finished, owner: piece?.claim ?? "" }])).toEqual([true]);
  offsetsByTime = [40];
  state.exec(
    "create trigger killed before update on sync_offsets when new.next_offset <> old.next_offset begin select raise(abort, 'killed'); end",
  );
  await expect(assign(open("w1"), [0], 2)).rejects.toThrow("killed");
  state.exec("drop trigger killed");
  const [taken] = await assign(open("w1"), [0], 2);
  expect([taken?.from, taken?.epoch.firstOffset, taken?.epoch.ordering]).toEqual([
    40,
    40,
    "timestamp",
  ]);
  expect(readOffset(state, id, place(0))).toBe(40);
});

test("a commit that comes just before its partition is taken counts, and is gone on from; one just after does not", async () => {
  const worker = open("w1");
  await assign(worker, [0], 1);
  const claim = cutAll(worker, records(0, 1))[0]?.claim ?? "";
  const finished = { stretch: place(0), counts: NOTHING, deadLetters: [] };
  const committed: boolean[] = [];
  let next = 0;
  // Whenever another worker looks at the clock, the first commits.
  const other = openStretches({
    reading: new AbortController().signal,
    id,
    state,
    owner: "w2",
    release: "r2",
    now() {
      next += 10;
      committed.push(
        ...commitProgress(state, id, [{ finished: { ...finished, next }, owner: claim }]),
      );
      return new Date(nowMs);
    },
    reader: { offsetAt: async () => 0, ranges: async () => [], async *read() {} },
    growth: { transitionMs: MINUTE, lookBackMs: MINUTE },
  });
  const [taken] = await assign(other, [0], 1);
  expect(committed[0]).toBe(true);
  expect(taken?.from).toBe(committed.filter(Boolean).length * 10);
  expect(readOffset(state, id, place(0))).toBe(taken?.from);
});

test("reading starts where the source was told to, only where nothing is committed", async () => {
  const worker = open("w1");
  const place = { topic: "flights", incarnation: "one", first: 5, start: 40, partitions: 2 };
  const at = async (partition: number, committed: number | null): Promise<number> => {
    const taken = await worker.assign({ ...place, partition, committed }, undefined);
    if ("code" in taken) throw new Error(taken.message);
    return taken.from;
  };
  expect(await at(0, null)).toBe(40);
  expect(await at(1, 12)).toBe(12);
});

test("where the epochs are lost, the next one is above the one the source remembers", async () => {
  const taken = await open("w1").assign({ ...AT, committed: 70, epoch: 1040 }, undefined);
  if ("code" in taken) throw new Error(taken.message);
  expect([taken.epoch.epoch, taken.epoch.reason, taken.from]).toEqual([
    1040 + 2 * 8192,
    "epochs lost",
    70,
  ]);
});

test("where the state is an older copy, what it reads again is written above what the sinks hold", async () => {
  const [old] = await assign(open("w1"), [0], 1);
  const lately = { ...AT, committed: 70, epoch: 1026 };
  const taken = await open("w1").assign(lately, undefined);
  if ("code" in taken) throw new Error(taken.message);
  expect([old?.epoch.epoch, taken.epoch.epoch, taken.epoch.firstOffset]).toEqual([
    1024,
    1026 + 2 * 8192,
    0,
  ]);
  // From then on it knows.
  const again = await open("w1").assign({ ...lately, epoch: taken.epoch.epoch }, undefined);
  expect("code" in again ? again : again.epoch.epoch).toBe(taken.epoch.epoch);
});

test("each partition goes on above what was committed in it, whatever another one has opened", async () => {
  const worker = open("w1");
  await assign(worker, [0, 1], 2);
  const again = open("w1");
  const taken = [];
  for (const [partition, epoch] of [
    [0, 1040],
    [1, 1030],
  ] as const)
    taken.push(
      await again.assign({ ...AT, partition, partitions: 2, committed: 5, epoch }, undefined),
    );
  const numbers = taken.map((one) => ("code" in one ? one : [one.epoch.epoch, one.epoch.reason]));
  expect(numbers).toEqual([
    [1040 + 2 * 8192, "epochs lost"],
    [1040 + 2 * 8192 + 1, "epochs lost"],
  ]);
});

test("partitions added since the copy was made begin above what was committed", async () => {
  await assign(open("w1"), [0], 1);
  const grown = { ...AT, partitions: 2, committed: 5, epoch: 1040 };
  const taken = await open("w1").assign(grown, undefined);
  if ("code" in taken) throw new Error(taken.message);
  expect([taken.epoch.epoch, taken.epoch.ordering]).toEqual([1040 + 2 * 8192, "timestamp"]);
});

test("a swap opens an epoch in each partition at what is read next, and cuts a delivery there when it comes again", async () => {
  const worker = open("w1");
  await assign(worker, [0, 1], 2);
  worker.cut(delivery(0, records(0, 10)));
  expect(worker.swap("r2").map((epoch) => [epoch.partition, epoch.firstOffset])).toEqual([
    [0, 10],
    [1, 0],
  ]);
  const pieces = worker.cut(delivery(0, records(0, 20)));
  if ("code" in pieces) throw new Error(pieces.message);
  expect(pieces.map((piece) => [piece.epoch.release, piece.records.length, piece.next])).toEqual([
    ["r1", 10, 10],
    ["r2", 10, 20],
  ]);
});

/** Begins to write a partition again that is asked for alone. */
function renew(worker: Stretches, partition: number): Epoch | undefined {
  const asked = { from: 0, selection: { offsets: [], tokens: [] }, reason: "repair", askedAt: "" };
  const rewrite = askRewrite(state, id, { ...place(partition), ...asked });
  const found = listRewrites(state, id).find((one) => one.rewrite === rewrite);
  return found && worker.renew(found)?.epoch;
}

function open(
  owner: string,
  growth: Growth = { transitionMs: MINUTE, lookBackMs: MINUTE },
): Stretches {
  const reader = {
    offsetAt: async (_topic: string, partition: number) => offsetsByTime[partition] ?? 0,
    async ranges(topic: string) {
      asked++;
      if (isAway) throw new Error("the broker is away");
      return ends.map((end, partition) => ({ topic, partition, first: 0, end }));
    },
    async *read(_topic: string, partition: number) {
      const own = keys[partition] ?? [];
      yield own.map((key, offset): SourceRecord => ({
        offset,
        timestampMs: oldestMs,
        key: Buffer.from(key),
        value: null,
        headers: [],
      }));
    },
  };
  const now = (): Date => new Date(nowMs);
  const reading = new AbortController().signal;
  return openStretches({ id, state, owner, release: "r1", now, reader, growth, reading });
}

/** What was asked of the broker. */
function answered(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function versionIn(piece: Piece | undefined, record: SourceRecord | undefined): bigint {
  if (piece?.epoch.ordering !== "timestamp" || record === undefined)
    throw new Error("no transition");
  const version = new BigInt64Array(1);
  transitionVersionWriter(version)(0, piece.epoch, record.timestampMs, record.offset, 1);
  return version[0] ?? 0n;
}

function cutAll(worker: Stretches, of: SourceRecord[], partition = 0): Piece[] {
  const pieces = worker.cut(delivery(partition, of));
  if ("code" in pieces) throw new Error(pieces.message);
  return pieces;
}

const AT = { topic: "flights", incarnation: "one", partition: 0, first: 0, partitions: 1 };

function place(partition: number) {
  return { topic: "flights", incarnation: "one", partition };
}

describe("where a pipeline starts", () => {
  const latest = { ...place(0), first: 3, committed: null, start: 50 };
  const range = { topic: "flights", partition: 0, first: 3, end: 50 };

  test("is where it is told, once; a topic made again is read from its beginning", async () => {
    expect(await open("w1").assign(latest, range)).toMatchObject({ from: 50 });
    const again = { ...latest, incarnation: "again", first: 0, start: 20 };
    const end = { ...range, first: 0, end: 20 };
    expect(await open("w1").assign(again, end)).toMatchObject({
      from: 0,
      epoch: { reason: "topic made again" },
    });
  });

  test("is no loss where the topic has not come as far, and may be corrected", async () => {
    const early = { ...range, end: 20 };
    expect(await open("w1").assign(latest, early)).toMatchObject({ code: "start-beyond-end" });
    expect(await open("w1").assign({ ...latest, start: 10 }, early)).toMatchObject({ from: 10 });
  });
});

async function assign(worker: Stretches, of: number[], partitions: number) {
  const taken = [];
  for (const partition of of) {
    const one = await worker.assign(
      { ...place(partition), first: 0, committed: null, partitions },
      undefined,
    );
    if ("code" in one) throw new Error(one.message);
    taken.push(one);
  }
  return taken;
}

function delivery(partition: number, of: SourceRecord[]) {
  return { topic: "flights", partition, records: of, next: (of.at(-1)?.offset ?? -1) + 1 };
}

function records(from: number, to: number, timestampMs = nowMs): SourceRecord[] {
  return Array.from({ length: to - from }, (_, i) => ({
    offset: from + i,
    timestampMs,
    key: null,
    value: null,
    headers: [],
  }));
}
