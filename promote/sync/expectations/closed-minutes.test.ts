import type { DatabaseSync } from "node:sqlite";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { streamSchema } from "#snapshots/stream-settings.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import type { SourceRecord } from "../ports.ts";
import { commitProgress, NOTHING } from "../order/progress.ts";
import { openSyncState } from "../state.ts";
import { GROWTH, openStretches } from "../order/stretches.ts";
import { openClosedMinutes } from "./closed-minutes.ts";
import { openExpectations, type Tally } from "./expectations.ts";
import { listExpectationHistory } from "./history.ts";
import { passedBy } from "./volume.ts";

const id = { environment: "staging", name: "delays" };
const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const input = [{ name: "id", type: "VARCHAR", nullable: false }];

type Worker = Awaited<ReturnType<typeof openWorker>>;
type Rule = { lower?: number; upper?: number };

function openState(): DatabaseSync {
  const state = openSyncState(":memory:");
  state.prepare("insert into sync_releases values ('r', '{}', 'b')").run();
  return state;
}

/** A worker of a topic of so many partitions, of which it reads some: it judges and commits as a pipeline does, batch by batch. */
async function openWorker(
  state: DatabaseSync,
  options: {
    owner: string;
    partitions: number;
    reads: readonly number[];
    now: () => number;
    severity?: "flag" | "halt";
    ends?: () => Promise<number[]>;
    incarnation?: string;
    topic?: string;
    /** Topics as they are made now. */
    made?: () => Record<string, string>;
  },
  rules: readonly Rule[] = [{ lower: 0.5, upper: 1.5 }],
) {
  const { owner, partitions, reads, severity = "flag", ends, incarnation = "i" } = options;
  const { topic: name = "flights" } = options;
  const now = (): Date => new Date(options.now());
  const ranges = async (topic: string) =>
    ((await ends?.()) ?? []).map((end, partition) => ({ topic, partition, first: 0, end }));
  const made = options.made ?? (() => ({ [name]: incarnation }));
  const reader = {
    incarnation: async (topic: string) => made()[topic],
    offsetAt: async () => 0,
    ranges,
    async *read() {},
  };
  const growth = { ...GROWTH, before: false };
  const stretches = openStretches({
    reading: new AbortController().signal,
    id,
    state,
    owner,
    release: "r",
    now,
    reader,
    growth,
  });
  for (const partition of reads) {
    const place = { topic: name, incarnation, partition };
    await stretches.assign({ ...place, partitions, first: 0, committed: null }, undefined);
  }
  const source = streamSchema.parse({
    expectations: rules.map((volume) => ({ volume, severity })),
  });
  const expectations = unwrap(openExpectations(source.expectations, input));
  const decoder = unwrap(openJsonDecoder({ input, key: [] }));
  const minutes = openClosedMinutes({
    id,
    state,
    reader,
    held: () => stretches.list().map(({ stretch }) => stretch),
    isRead: () => true,
    now,
  });

  /** Reads now what it commits later. */
  function read(partition: number, records: readonly SourceRecord[]) {
    const next = (records.at(-1)?.offset ?? -1) + 1;
    const pieces = stretches.cut({ topic: name, partition, records, next });
    if ("code" in pieces) throw new Error(pieces.message);
    const [piece] = pieces;
    if (piece === undefined) throw new Error("nothing was read");
    const { stretch, claim } = piece;
    const decoded = decoder.decode(records, partition);
    const { tallies } = expectations.judge({ decoded, records, stretch, nowMs: options.now() });
    return () => {
      const passedMs = passedBy(records, options.now());
      const finished = { stretch, next, counts: NOTHING, deadLetters: [], tallies, passedMs };
      expect(commitProgress(state, id, [{ finished, owner: claim }])).toEqual([true]);
      return minutes.judge(expectations.volumes, stretch, tallies);
    };
  }
  return { read, look: () => minutes.look() };
}

/** So many records in each minute, in the order of their time give or take half a minute. */
function recordsOf(counts: readonly number[], jitter: readonly number[] = []): SourceRecord[] {
  const times = counts.flatMap((count, minute) =>
    Array.from({ length: count }, (_, n) => START + minute * MINUTE + (n * MINUTE) / count),
  );
  const late = (n: number): number => (jitter.length === 0 ? 0 : (jitter[n % jitter.length] ?? 0));
  return times
    .map((timestampMs, n) => ({ timestampMs, seenMs: timestampMs + late(n) }))
    .toSorted((a, b) => a.seenMs - b.seenMs)
    .map(({ timestampMs }, offset) => ({
      offset,
      timestampMs,
      key: null,
      value: Buffer.from('{"id":"a"}'),
      headers: [],
    }));
}

function batchesOf(records: readonly SourceRecord[], size: number): SourceRecord[][] {
  return Array.from({ length: Math.ceil(records.length / size) }, (_, n) =>
    [...records].slice(n * size, (n + 1) * size),
  );
}

function shifted(records: readonly SourceRecord[], by: number): SourceRecord[] {
  return records.map((record) => ({ ...record, offset: record.offset + by }));
}

const minutesOf = (tallies: readonly Tally[]): number[] =>
  tallies.map(({ minute }) => minute - START / MINUTE);

const failedMinutes = (state: DatabaseSync, nowMs: number): number[] =>
  listExpectationHistory(state, id, { nowMs })
    .filter(({ failed }) => failed > 0)
    .map(({ at }) => (Date.parse(at) - START) / MINUTE);

const constant = (minutes: number, count: number): number[] =>
  Array.from({ length: minutes }, () => count);

test("catching up: exactly the unusual minutes fail, wherever batches are cut, however partitions and workers take turns", async () => {
  const minutes = 45;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        partitions: fc.integer({ min: 1, max: 4 }),
        workers: fc.integer({ min: 1, max: 3 }),
        sizes: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 4, maxLength: 4 }),
        turns: fc.array(fc.nat(3), { minLength: 20, maxLength: 60 }),
        jitter: fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 7 }),
        silent: fc.option(fc.integer({ min: 14, max: 38 }), { nil: undefined }),
        flooded: fc.option(fc.integer({ min: 14, max: 38 }), { nil: undefined }),
      }),
      async ({ partitions, workers, sizes, turns, jitter, silent, flooded }) => {
        const state = openState();
        const nowMs = START + 500 * MINUTE;
        const counts = Array.from({ length: minutes }, (_, minute) =>
          minute === silent ? 0 : minute === flooded ? 12 : 4,
        );
        const all: Worker[] = [];
        for (let n = 0; n < workers; n++) {
          const reads = Array.from({ length: partitions }, (_, p) => p).filter(
            (p) => p % workers === n,
          );
          all.push(
            await openWorker(state, { owner: `w${n}`, partitions, reads, now: () => nowMs }),
          );
        }
        const queues = Array.from({ length: partitions }, (_, partition) =>
          batchesOf(recordsOf(counts, jitter), sizes[partition] ?? 1),
        );
        const take = (partition: number): void => {
          const batch = queues[partition]?.shift();
          if (batch !== undefined) all[partition % workers]?.read(partition, batch)();
        };
        for (const turn of turns) take(turn % partitions);
        for (let partition = 0; partition < partitions; partition++)
          while (queues[partition]?.length !== 0) take(partition);
        const unusual = [silent, flooded === silent ? undefined : flooded].filter(
          (m) => m !== undefined,
        );
        expect(failedMinutes(state, nowMs)).toEqual(unusual.toSorted((a, b) => a - b));
        state.close();
      },
    ),
    { numRuns: 20 },
  );
});

test("minutes are of all topics that are read: what one lacks another may have, and one that lags keeps them open", async () => {
  const state = openState();
  const now = (): number => START + 500 * MINUTE;
  const open = (topic: string) =>
    openWorker(state, { owner: topic, topic, partitions: 1, reads: [0], now });
  const [europe, america] = [await open("eu"), await open("us")];
  const quietIn = (...minutes: number[]): number[] =>
    constant(40, 10).map((count, minute) => (minutes.includes(minute) ? 0 : count));
  const both = quietIn(30).map((count, minute) => (minute === 20 ? 2 * count : count));
  const judged = batchesOf(recordsOf(quietIn(20, 30)), 35).flatMap(
    (batch) => europe.read(0, batch)().tallies,
  );
  expect(judged).toEqual([]);
  for (const batch of batchesOf(recordsOf(both), 50)) america.read(0, batch)();
  expect(failedMinutes(state, now())).toEqual([30]);
  state.close();
});

test.each([
  ["deleted", {}],
  ["made again, and read by nobody yet,", { us: "again" }],
])("a topic that is %s keeps no minutes of the others open", async (_, others) => {
  const state = openState();
  let nowMs = START + 30 * MINUTE;
  const options = { partitions: 1, reads: [0], now: () => nowMs };
  let made: Record<string, string> = { eu: "i", us: "i" };
  const open = (topic: string) =>
    openWorker(state, { ...options, owner: topic, topic, made: () => made });
  const [europe, america] = [await open("eu"), await open("us")];
  const passed = async (from: number, to: number, few: number): Promise<number[]> => {
    const found: number[] = [];
    for (let minute = from; minute < to; minute++) {
      nowMs = START + minute * MINUTE + 59_000;
      europe.look();
      await new Promise((resolve) => setImmediate(resolve));
      const records = recordsOf([...constant(minute, 0), minute === few ? 2 : 10]);
      found.push(...minutesOf(europe.read(0, shifted(records, minute * 20))().tallies));
    }
    return found;
  };
  for (let minute = 0; minute < 30; minute++)
    for (const worker of [europe, america])
      worker.read(0, shifted(recordsOf([...constant(minute, 0), 10]), minute * 20))();
  expect(await passed(30, 40, 35)).toEqual([]);
  made = { eu: "i", ...others };
  expect(await passed(40, 50, 45)).toContain(45);
  state.close();
});

test("what was read and is not committed yet keeps its minutes open", async () => {
  const state = openState();
  const nowMs = START + 500 * MINUTE;
  const worker = await openWorker(state, {
    owner: "w",
    partitions: 1,
    reads: [0],
    now: () => nowMs,
  });
  const commits = batchesOf(recordsOf(constant(60, 10)), 70).map((batch) => worker.read(0, batch));
  for (const commit of commits) expect(commit()).toEqual({ tallies: [] });
  state.close();
});

test("a partition that lags, is read by nobody yet or whose worker is gone keeps minutes open", async () => {
  const state = openState();
  const now = (): number => START + 500 * MINUTE;
  const ahead = await openWorker(state, { owner: "ahead", partitions: 2, reads: [0], now });
  const [first = [], ...rest] = batchesOf(recordsOf(constant(60, 10)), 100);
  const judged = [first, ...rest.slice(0, -1)].flatMap((batch) => ahead.read(0, batch)().tallies);
  const behind = await openWorker(state, { owner: "behind", partitions: 2, reads: [1], now });
  const slow = recordsOf([...constant(30, 10), ...constant(30, 0)]);
  judged.push(...batchesOf(slow, 50).flatMap((batch) => behind.read(1, batch)().tallies));
  judged.push(...(rest.at(-1) ?? []).flatMap((record) => ahead.read(0, [record])().tallies));
  expect(judged).toEqual([]);
  const next = state.prepare("select next_minute from sync_judged_minutes").get()?.["next_minute"];
  expect(Number(next) - START / MINUTE).toBe(28);
  state.close();
});

test("a partition with nothing more to read keeps nothing open once it was quiet for a minute; where the broker cannot say, it does", async () => {
  const state = openState();
  let nowMs = START + 30 * MINUTE;
  let end = Promise.resolve([0, 5]);
  const now = (): number => nowMs;
  const busy = await openWorker(state, { owner: "busy", partitions: 2, reads: [0], now });
  const quiet = await openWorker(state, {
    owner: "quiet",
    partitions: 2,
    reads: [1],
    now,
    ends: () => end,
  });
  /** What is found wanting while so many minutes go by, one of which has few records. */
  const pass = async (from: number, to: number, few: number): Promise<number[]> => {
    const found: number[] = [];
    for (let minute = from; minute < to; minute++) {
      nowMs = START + minute * MINUTE + 59_000;
      quiet.look();
      await new Promise((resolve) => setImmediate(resolve));
      const records = recordsOf([...constant(minute, 0), minute === few ? 2 : 10]);
      const { tallies } = busy.read(0, shifted(records, minute * 20))();
      found.push(...minutesOf(tallies));
    }
    return found;
  };
  quiet.read(1, recordsOf(constant(5, 1)))();
  expect(await pass(31, 50, 45)).toEqual([45]);
  end = Promise.reject(new Error("the broker is away"));
  end.catch(() => undefined);
  expect(await pass(50, 56, 51)).toEqual([]);
  end = Promise.resolve([0, 7]);
  expect(await pass(56, 60, 56)).toEqual([]);
  const late = recordsOf([...constant(59, 0), 2]);
  expect(minutesOf(quiet.read(1, shifted(late, 5))().tallies)).toEqual([51, 56]);
  state.close();
});

test("severity halt: it is in the history, told once, and not judged again after a restart", async () => {
  const state = openState();
  const now = (): number => START + 500 * MINUTE;
  const counts = [...constant(20, 10), 0, 0, ...constant(40, 10)];
  const batches = batchesOf(recordsOf(counts), 50);
  const open = (): Promise<Worker> =>
    openWorker(state, { owner: "w", partitions: 1, reads: [0], now, severity: "halt" });
  let worker = await open();
  const halts: string[] = [];
  for (const batch of batches) {
    const { halt } = worker.read(0, batch)();
    if (halt === undefined) continue;
    halts.push(halt.message);
    worker = await open();
  }
  expect(halts).toEqual([
    'The expectation "volume" is not met: 0 records in the minute 2026-01-01T00:20Z, usually 10, and 1 more such minutes.',
  ]);
  expect(failedMinutes(state, now())).toEqual([20, 21]);
  state.close();
});

test.each<[what: string, between: object, after: object]>([
  ["the topic is another", { incarnation: "another" }, { incarnation: "another" }],
  ["the rule was not asked for", { rules: [] }, {}],
])("where nothing was counted for a while there is no silence: %s", async (_, between, after) => {
  const state = openState();
  const now = (): number => START + 500 * MINUTE;
  const records = recordsOf([...constant(30, 10), ...constant(30, 0), 4, ...constant(30, 10)]);
  const read = async (options: object, from: number, to: number): Promise<void> => {
    const { rules, ...rest } = { rules: undefined, ...options };
    const own = { owner: "w", partitions: 1, reads: [0], now, ...rest };
    const worker = await openWorker(state, own, rules);
    for (const batch of batchesOf(records.slice(from, to), 50)) worker.read(0, batch)();
  };
  await read({}, 0, 300);
  await read(between, 300, 301);
  await read(after, 301, records.length);
  expect(failedMinutes(state, now())).toEqual([]);
  state.close();
});

test("records of long ago or far ahead are not judged, are told of, and change nothing for the others", async () => {
  const state = openState();
  const nowMs = START + 60 * MINUTE;
  const worker = await openWorker(state, {
    owner: "w",
    partitions: 1,
    reads: [0],
    now: () => nowMs,
  });
  const wrong = [START - 40 * 1440 * MINUTE, nowMs * 1000, nowMs * 1_000_000, START + 45 * MINUTE];
  const usual = recordsOf(constant(40, 10));
  const records = usual.map((record, n) => ({
    ...record,
    timestampMs: n % 10 === 9 ? (wrong[Math.floor(n / 10) % 4] ?? 0) : record.timestampMs,
  }));
  for (const batch of batchesOf(records, 15)) worker.read(0, batch)();
  expect(failedMinutes(state, nowMs)).toEqual([]);
  const history = listExpectationHistory(state, id, { nowMs });
  expect(history.at(-1)).toMatchObject({
    at: new Date(nowMs).toISOString(),
    checked: 0,
    isCutShort: true,
    example: expect.stringContaining("offset 9: its time, 2025-11-22T00:00:00.000Z, is no minute"),
  });
  expect(history.slice(0, 40).map(({ checked }) => checked)).toEqual(constant(40, 9));
  state.close();
});
