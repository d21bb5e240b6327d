import type { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, test } from "vitest";
import { ProblemError, unwrap } from "#snapshots/problem.ts";
import { deadLetter, listDeadLetters } from "../dead-letters/dead-letters.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import type { Epoch, Stretch } from "../order/epochs.ts";
import { firstEpoch } from "../fixture.ts";
import type { SourceRecord, TopicReader } from "../ports.ts";
import { NOTHING } from "../order/progress.ts";
import {
  askRewrite,
  beginRewrite,
  listOpenRewrites,
  listRewrites,
  type Selection,
} from "./rewrites.ts";
import { rewriting, type RewritePiece } from "./rewriting.ts";
import { tombstones } from "./tombstones.ts";
import { openSyncState } from "../state.ts";
import { FIRST_EPOCH, versionOf } from "../order/version.ts";

const id = { environment: "staging", name: "delays" };
const column = { name: "id", type: "INTEGER", nullable: false };
const decoder = unwrap(openJsonDecoder({ input: [column], key: ["id"] }));
const stretchOf = (partition: number, incarnation = "i"): Stretch => ({
  topic: "t",
  incarnation,
  partition,
});

let state: DatabaseSync;
/** What runs here. */
let release: string;
let held: Stretch[];
/** Whether the sinks stand ready, and for which releases readers were turned. */
let isReady: boolean;
let turned: string[];
let incarnation: string | undefined;
/** How often that was asked. */
let looks: number;
/** While times decide, nothing can begin. */
let isMoving: boolean;
let onRead: () => void;
/** Of the records that each partition gives at once. */
let offsets: number[];
/** The next epoch. */
let number: number;

beforeEach(() => {
  state = openSyncState(":memory:");
  release = "r1";
  held = [stretchOf(0), stretchOf(1)];
  isReady = true;
  turned = [];
  incarnation = "i";
  looks = 0;
  isMoving = false;
  onRead = () => undefined;
  number = FIRST_EPOCH;
  offsets = [0];
});

describe("a backfill turns readers once all of it is written by the release that runs", () => {
  test("and only then is done: a worker that is killed before leaves it to the next", async () => {
    backfill();
    isReady = false;
    await goOn(open());
    expect(statesOf()).toEqual(["written", "written"]);
    expect(turned).toEqual([]);
    isReady = true;
    await goOn(open());
    expect(statesOf()).toEqual(["done", "done"]);
    expect(turned).toEqual(["r1"]);
  });

  test("what another release wrote before a swap is written again", async () => {
    backfill();
    const before = open();
    await goOn(before, 1);
    release = "r2";
    await goOn(before);
    expect(listRewrites(state, id).map((one) => [one.state, one.release])).toEqual([
      ["done", "r2"],
      ["done", "r2"],
    ]);
    expect(turned).toEqual(["r2"]);
  });

  test("a partition that another worker has not written yet is waited for", async () => {
    backfill();
    held = [stretchOf(0)];
    await goOn(open());
    expect(statesOf()).toEqual(["written", "asked"]);
    expect(turned).toEqual([]);
    held = [stretchOf(1)];
    await goOn(open());
    expect(turned).toEqual(["r1"]);
  });

  test("one that was asked of a topic since made again holds up no other", async () => {
    backfill();
    incarnation = "again";
    held = [stretchOf(0, "again"), stretchOf(1, "again")];
    ask(0, { all: true }, "again");
    ask(1, { all: true }, "again");
    await goOn(open());
    expect(new Set(statesOf())).toEqual(new Set(["done"]));
    expect(turned).toEqual(["r1"]);
  });
});

test("a topic made again while it is read ends a rewrite, not the pipeline; another failure is told as it is", async () => {
  ask(0, { all: true });
  onRead = () => {
    incarnation = "again";
    throw new ProblemError({ code: "kafka-topic-remade", message: "made again" });
  };
  expect(await goOn(open())).toEqual([]);
  expect(statesOf()).toEqual(["running"]);
  incarnation = "i";
  onRead = () => {
    throw new ProblemError({ code: "kafka-forbidden", message: "not for you" });
  };
  expect(await goOn(open(), 1)).toMatchObject([{ code: "kafka-forbidden" }]);
});

test("no more is written at once than live, however much is read at once", async () => {
  offsets = [0, 1, 2, 3];
  ask(0, { all: true });
  const pieces = await goOn(open());
  expect(pieces).toMatchObject([
    { records: [{ offset: 0 }, { offset: 1 }, { offset: 2 }], next: 3 },
    { records: [{ offset: 3 }], next: 4 },
  ]);
  const found = String(versionOf(1024, 0, 1));
  ask(0, { clears: [1, 2, 3, 4].map((one) => ({ key: `[${one}]`, found })) });
  expect(await goOn(open())).toMatchObject([{ records: [{}, {}, {}] }, { records: [{}] }]);
});

test("between two batches in which there is nothing to write, the pipeline reads on as well", async () => {
  offsets = [0, 1, 2, 3, 4, 5, 6];
  ask(0, { offsets: [6], tokens: [] });
  const worker = open();
  const values = [await worker.next(), await worker.next(), await worker.next()];
  expect(values).toMatchObject([
    { value: "looking" },
    { value: "looking" },
    { value: { records: [{ offset: 6 }] } },
  ]);
});

test("what waits is not read: it may name a million identities", async () => {
  ask(0, { offsets: [0], tokens: [] });
  ask(1, { offsets: [0], tokens: [] });
  held = [stretchOf(0)];
  state.exec("update sync_rewrites set selection = '{\"offsets\":…' where partition = 1");
  await goOn(open());
  expect(listOpenRewrites(state, id)).toMatchObject([{ partition: 1, state: "asked" }]);
});

test("however many partitions wait, their topic is asked for once at each look, as live records wait meanwhile", async () => {
  isMoving = true;
  held = Array.from({ length: 100 }, (_, partition) => stretchOf(partition));
  for (const { partition } of held) ask(partition, { all: true });
  await goOn(open(), 3);
  expect(looks).toBe(3);
});

describe("of a topic that is not what it was", () => {
  test("what is asked waits while it is not there, and begins nothing", async () => {
    ask(0, { all: true });
    ask(1, { clears: [{ key: "[1]", found: "0" }] });
    incarnation = undefined;
    expect(await goOn(open())).toEqual([]);
    expect(renewed).toEqual([]);
    expect(statesOf()).toEqual(["asked", "asked"]);
    incarnation = "i";
    await goOn(open());
    expect(statesOf()).toEqual(["done", "done"]);
  });

  test("what is asked of it as it is now is not over where it is still read as it was", async () => {
    ask(0, { all: true }, "again");
    incarnation = "again";
    await goOn(open());
    expect(statesOf()).toEqual(["asked"]);
  });

  test("what was asked of a partition that it has no more is over", async () => {
    ask(1, { all: true });
    incarnation = "again";
    held = [stretchOf(0, "again")];
    await goOn(open());
    expect(statesOf()).toEqual(["done"]);
  });
});

test("what is cleared is older than whatever came after the row that was found, in every partition", async () => {
  const found = versionOf(1030, 7, 1);
  const [group] = tombstones([{ key: "[1]", found: String(found) }]);
  const cleared = versionOf(group?.number ?? 0, group?.records[0]?.offset ?? 0, 0);
  expect(cleared).toBeGreaterThan(found);
  expect(cleared).toBeLessThan(versionOf(1030, 8, 1));
  expect(cleared).toBeLessThan(versionOf(1031, 0, 0));
  // Made by hand: no version of ours.
  const byHand = tombstones([{ key: "[1]", found: "7" }]);
  expect(byHand).toMatchObject([{ number: FIRST_EPOCH, records: [{ offset: 0 }] }]);
});

test("clears open no epoch, and leave the letters of the records whose offsets they bear", async () => {
  ask(0, { clears: [{ key: "[1]", found: String(versionOf(1024, 0, 1)) }] });
  const pieces = await goOn(open());
  expect(pieces).toMatchObject([{ epoch: { epoch: 1024 }, records: [{ offset: 1 }] }]);
  expect(renewed).toEqual([]);
  expect(statesOf()).toEqual(["done"]);
});

test("what a worker finishes of a rewrite that another has begun again counts no more, and has no letters", async () => {
  ask(0, { all: true });
  const { value: late } = await open().next();
  if (typeof late !== "object" || !("finish" in late)) throw new Error("nothing was written");
  await goOn(open());
  const [record] = late.records;
  if (record === undefined) throw new Error("no record came");
  const failure = { stage: "transform" as const, reason: "no", release: "r1", at: "now" };
  const letter = deadLetter(late.stretch, record, failure);
  await late.finish([{ counts: { ...NOTHING, read: 1, deadLettered: 1 }, deadLetters: [letter] }]);
  expect(listRewrites(state, id)).toMatchObject([{ state: "done", deadLettered: 0 }]);
  expect(listDeadLetters(state, id, { offset: 0, limit: 1 }).total).toBe(0);
});

let renewed: string[] = [];
beforeEach(() => (renewed = []));

function ask(partition: number, selection: Selection, of = "i"): void {
  const asked = { from: 0, selection, reason: "backfill", askedAt: "now" };
  askRewrite(state, id, { ...stretchOf(partition, of), ...asked });
}

function backfill(): void {
  for (const partition of [0, 1]) ask(partition, { all: true });
}

function statesOf(): string[] {
  return listRewrites(state, id).map((one) => one.state);
}

/** Another worker, or the same after a kill. */
function open(): ReturnType<typeof rewriting> {
  const epochOf = (stretch: Stretch): Epoch => ({
    ...firstEpoch(stretch, release),
    epoch: number++,
  });
  const reader: TopicReader = {
    async incarnation() {
      looks++;
      return incarnation;
    },
    ranges: async () => [],
    offsetAt: async () => 0,
    async *read() {
      onRead();
      const record = { timestampMs: 0, key: null, value: Buffer.from('{"id":1}'), headers: [] };
      yield offsets.map((offset): SourceRecord => ({ ...record, offset }));
    },
    close: async () => undefined,
  };
  return rewriting({
    id,
    state,
    reader,
    limits: { maxRecords: 3, maxBytes: 1 << 20 },
    signal: new AbortController().signal,
    release: () => release,
    held: () => held,
    isRead: (topic) => topic === "t",
    newestOf: epochOf,
    renew({ rewrite, reason, topic, incarnation: made, partition, from }) {
      if (isMoving) return undefined;
      renewed.push(reason);
      const epoch = epochOf({ topic, incarnation: made, partition });
      const begun = { epoch: epoch.epoch, from, to: 1, release, lowest: undefined };
      beginRewrite(state, rewrite, begun);
      return { epoch, lowest: undefined, layers: [{ from, to: 1, epoch }] };
    },
    decode: async (_, records) => decoder.decode(records, 0),
    judge: (_, __, decoded) => decoded,
    decodeTombstones: (_, records) => decoder.decode(records, 0),
    async turnReaders(of) {
      if (isReady) turned.push(of);
      return isReady;
    },
    rewritten: () => undefined,
  });
}

/** Up to `most` rewrites; each piece is in every sink as soon as it comes. */
async function goOn(
  worker: ReturnType<typeof rewriting>,
  most = 20,
): Promise<(RewritePiece | object)[]> {
  const seen: (RewritePiece | object)[] = [];
  for (let idle = 0; idle < most;) {
    const { value } = await worker.next();
    if (value === undefined) idle++;
    else if (value !== "looking") {
      seen.push(value);
      if ("finish" in value) await value.finish([{ counts: NOTHING, deadLetters: [] }]);
      else return seen;
    }
  }
  return seen;
}
