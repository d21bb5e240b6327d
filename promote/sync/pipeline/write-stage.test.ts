import { expect, test } from "vitest";
import { unwrap, type Problem } from "#snapshots/problem.ts";
import { openChannel } from "./channel.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import type { PipelineEvent } from "../events.ts";
import { firstEpoch, FLIGHT, UNRUN_RELEASE, until } from "../fixture.ts";
import { FIRST_EPOCH } from "../order/version.ts";
import { WRITTEN, type Outcome, type Sink } from "../ports.ts";
import { writeBatches, type Writable } from "./write-stage.ts";

const contract = { key: FLIGHT.slice(0, 1), columns: FLIGHT, maxParts: 1 };
const decoder = unwrap(openJsonDecoder(UNRUN_RELEASE));
const decoded = decoder.decode([], 0);
const UNSTOPPED = {
  newestEpoch: () => FIRST_EPOCH,
  reading: new AbortController().signal,
  giveUp: () => expect.unreachable("nobody stops"),
};

test("a batch whose write is broken off by a fault holds back those behind it, which would move offsets past its records", async () => {
  const broken = Promise.withResolvers<Outcome[]>();
  const writes: number[] = [];
  const finished: number[] = [];
  const batches = [0, 1].map((offset) => deleting(offset, () => finished.push(offset)));
  const aborting = new AbortController();
  const halted: string[] = [];
  const writing = writeBatches({
    sinks: [
      {
        ...sink("table", async () => undefined),
        writesAtOnce: 2,
        write: ({ offset: [offset = 0] }) => {
          writes.push(offset);
          return offset === 0 ? broken.promise : Promise.resolve([WRITTEN]);
        },
      },
    ],
    release: UNRUN_RELEASE,
    next: async () => batches.shift(),
    maxRecords: 64,
    buryIn: undefined,
    ...UNSTOPPED,
    prepared: () => undefined,
    finished: () => undefined,
    halt: ({ message }) => {
      halted.push(message);
      aborting.abort();
    },
    guarded: (work) =>
      work.catch((cause: unknown) => {
        halted.push(String(cause));
        aborting.abort();
      }),
    signal: aborting.signal,
    observe: () => undefined,
    now: () => new Date(0),
    random: () => 0.5,
  });
  await until("both are written", () => writes.length === 2);
  broken.reject(new RangeError("an Arrow text lies outside its buffer"));
  await writing;
  expect(halted).toEqual([expect.stringContaining("outside its buffer")]);
  expect(finished).toEqual([]);
});

/** Of one record, a tombstone. */
function deleting(offset: number, finished: () => void): Writable {
  const records = [
    { offset, timestampMs: 0, key: Buffer.from(`${offset}`), value: null, headers: [] },
  ];
  const stretch = { topic: "flights", incarnation: "i", partition: 0 };
  const portions = [{ stretch, epoch: firstEpoch(stretch), records }];
  return {
    ...batchOf("r"),
    portions,
    records,
    decoded: decoder.decode(records, 0),
    finish: async () => finished(),
  };
}

function batchOf(release: string): Writable {
  const nothing = { portions: [], records: [], chunks: [], sourceMap: undefined };
  return { ...nothing, release, contract, decoded, finish: async () => undefined };
}

function sink(name: string, prepare: Sink["prepare"]): Sink {
  return {
    name,
    prepare,
    plan: () => expect.unreachable("nothing is planned"),
    write: () => expect.unreachable("there are no records"),
    count: async () => 0,
    async *scan() {},
    close: async () => undefined,
  };
}

const AWAY: Problem = { code: "away", message: "It is away." };

/** What every stage here has. */
const PARTS = {
  ...UNSTOPPED,
  release: { ...UNRUN_RELEASE, release: "before" },
  maxRecords: 64,
  buryIn: undefined,
  prepared: () => undefined,
  finished: () => undefined,
  halt: (problem: Problem) => expect.unreachable(problem.message),
  guarded: (work: Promise<void>) => work,
  observe: () => undefined,
  now: () => new Date(0),
  random: () => 0.5,
};

test("sinks stand ready for no release while any is prepared for another", async () => {
  const asked: string[] = [];
  const late = Promise.withResolvers<undefined>();
  let ready: string | undefined;
  const to = openChannel<Writable>(1);
  const writing = writeBatches({
    ...PARTS,
    sinks: [
      sink("search", async () => void asked.push("search")),
      sink("table", () => (asked.push("table") > 2 ? late.promise : Promise.resolve(undefined))),
    ],
    next: () => to.pull(),
    prepared: (release) => (ready = release),
    signal: new AbortController().signal,
  });
  await to.push(batchOf("before"));
  await until("they are ready", () => ready === "before");
  await to.push(batchOf("after"));
  await until("the last is asked", () => asked.length === 4);
  expect(ready).toBeUndefined();
  late.resolve(undefined);
  await until("they are ready again", () => ready === "after");
  to.close();
  await writing;
});

test("sinks are prepared again for a later epoch of their release: another may have run in between, elsewhere", async () => {
  const told: (string | number)[] = [];
  let newest = FIRST_EPOCH;
  const epochs = [1, 1, 3, 1, 3].map((n) => FIRST_EPOCH + n);
  function next(): Writable | undefined {
    const epoch = epochs.shift();
    if (epoch === undefined) return undefined;
    newest = Math.max(newest, epoch);
    const batch = deleting(0, () => told.push(epoch - FIRST_EPOCH));
    const portions = batch.portions.map((one) => ({ ...one, epoch: { ...one.epoch, epoch } }));
    return { ...batch, portions };
  }
  await writeBatches({
    ...PARTS,
    sinks: [
      {
        ...sink("table", async () => void told.push("prepared")),
        write: async () => [WRITTEN],
      },
    ],
    release: UNRUN_RELEASE,
    next: async () => next(),
    newestEpoch: () => newest,
    signal: new AbortController().signal,
  });
  expect(told).toEqual(["prepared", "prepared", 1, 1, "prepared", 3, 1, 3]);
});

test("a sink that cannot go on halts at once, though another is away and has an earlier batch still to write", async () => {
  const refused = { code: "forbidden", message: "No." };
  const aborting = new AbortController();
  const away = (): Outcome => ({ kind: "retryAfter", afterMs: 0, problem: AWAY });
  const halted: Problem[] = [];
  const batches = [0, 1].map((offset) =>
    deleting(offset, () => expect.unreachable("one sink has nothing of it")),
  );
  await writeBatches({
    ...PARTS,
    sinks: [
      { ...sink("table", async () => undefined), write: async () => [away()] },
      {
        ...sink("search", async () => undefined),
        write: async ({ offset: [offset] }) =>
          offset === 0 ? [WRITTEN] : [{ kind: "halt", problem: refused }],
      },
    ],
    release: UNRUN_RELEASE,
    next: async () => batches.shift(),
    halt(problem) {
      halted.push(problem);
      aborting.abort();
    },
    signal: aborting.signal,
  });
  expect(halted).toEqual([refused]);
});

test("a sink that can never be prepared halts at once, though another is away", async () => {
  const refused = { code: "forbidden", message: "No." };
  const unreachable = { code: "sink-unreachable", message: "It is away." };
  const aborting = new AbortController();
  const { signal } = aborting;
  const halted: Problem[] = [];
  await writeBatches({
    ...PARTS,
    sinks: [sink("table", async () => unreachable), sink("search", async () => refused)],
    next: async () => undefined,
    halt(problem) {
      halted.push(problem);
      aborting.abort();
    },
    reading: signal,
    signal,
  });
  expect(halted).toEqual([refused]);
});

test("who gives up does not wait for a dead letter topic that answers nobody, and finishes nothing", async () => {
  const to = openChannel<Writable>(1);
  const stopping = new AbortController();
  let isAsked = false;
  const events: PipelineEvent[] = [];
  const writing = writeBatches({
    ...PARTS,
    sinks: [],
    next: () => to.pull(),
    buryIn() {
      isAsked = true;
      return new Promise(() => undefined);
    },
    signal: stopping.signal,
    observe: (event) => events.push(event),
  });
  await to.push({ ...deadBatch(), finish: () => expect.unreachable("it is not in the topic") });
  await until("it is to bury", () => isAsked);
  stopping.abort();
  to.close();
  await writing;
  expect(events).toEqual([]);
});

/** Of one record, which no decoder can read. */
function deadBatch(): Writable {
  const record = { offset: 0, timestampMs: 0, key: null, value: Buffer.from("{"), headers: [] };
  const records = [record];
  const stretch = { topic: "flights", incarnation: "i", partition: 0 };
  return {
    ...batchOf("before"),
    records,
    portions: [{ stretch, epoch: firstEpoch(stretch, "before"), records }],
    decoded: unwrap(openJsonDecoder(UNRUN_RELEASE)).decode(records, 0),
  };
}
