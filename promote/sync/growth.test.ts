import * as fc from "fast-check";
import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openJsonDecoder } from "./decode/decode.ts";
import { listEpochs } from "./epochs.ts";
import { FLIGHT } from "./fixture.ts";
import { effectsOf } from "./operations.ts";
import type { SourceRecord } from "./ports.ts";
import { commitProgress, NOTHING } from "./progress.ts";
import { openSyncState } from "./state.ts";
import { openStretches, type Piece, type Stretches } from "./stretches.ts";

/**
 * A topic whose partitions are increased while producers write, some by what they knew before, and workers that read it in turns, lag, die and swap
 * releases. What is newest is said by the order in which the producers wrote, apart from any epoch or version.
 */
const id = { environment: "staging", name: "delays" };
const TOPIC = { topic: "flights", incarnation: "one" };
const GROWTH = { transitionMs: 2000, lookBackMs: 60_000 };
const START_MS = Date.parse("2026-11-26T12:00:00Z");
const OLD = 2;
const NEW = 3;
const KEYS = 12;
const contract = { key: FLIGHT.slice(0, 1), columns: FLIGHT, maxParts: 1 };
const decoder = unwrap(openJsonDecoder({ input: FLIGHT, key: ["id"] }));

type Act =
  | { act: "write"; keys: number[]; isLate: boolean }
  | { act: "clock"; ms: number }
  | { act: "read"; partition: number; most: number; isCommitted: boolean }
  | { act: "settle" }
  | { act: "restart" }
  | { act: "move"; partition: number }
  | { act: "swap" };

const act = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("write" as const),
      keys: fc.array(fc.integer({ min: 0, max: KEYS - 1 }), { minLength: 1, maxLength: 30 }),
      isLate: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant("clock" as const),
      ms: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("read" as const),
      partition: fc.integer({ min: 0, max: NEW - 1 }),
      most: fc.integer({ min: 1, max: 60 }),
      isCommitted: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("settle" as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("restart" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant("move" as const),
      partition: fc.integer({ min: 0, max: NEW - 1 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("swap" as const) }) },
);

const acts = fc.array(act, { maxLength: 40 });

test(
  "whoever reads what when, the newest record of each identity is left",
  { timeout: 300_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(acts, acts, acts, acts, acts, async (...phases) => {
        const [before, unnoticed, moving, settling, after] = phases;
        const world = openWorld();
        await world.start();
        await world.live(before);
        world.grow();
        await world.live(unnoticed);
        await world.notice();
        await world.live(moving);
        world.pass(GROWTH.transitionMs);
        await world.live(settling);
        await world.settle();
        world.dateBack();
        await world.live(after);
        world.readAll();
        expect(world.found()).toEqual(world.newest());
      }),
      { numRuns: 200 },
    );
  },
);

type Written = { partition: number; offset: number };

function openWorld() {
  const state = openSyncState(":memory:");
  for (const release of ["r0", "r1"])
    state.prepare("insert into sync_releases values (?, '{}', 'b')").run(release);
  const logs: SourceRecord[][] = Array.from({ length: NEW }, () => []);
  const newest = new Map<number, Written & { timestampMs: number }>();
  const sink = new Map<string, Written & { version: bigint }>();
  const workers: Stretches[] = [];
  const ownerOf = Array.from({ length: NEW }, (_, partition) => partition % 2);
  const positions = Array.from({ length: NEW }, () => 0);
  let nowMs = START_MS;
  let grownAtMs = Infinity;
  let known = OLD;
  let isDatedBack = false;
  let started = 0;
  let swaps = 0;

  const end = (partition: number): number => logs[partition]?.length ?? 0;
  const reader = {
    async offsetAt(_topic: string, partition: number, timestampMs: number) {
      const found = logs[partition]?.findIndex((record) => record.timestampMs >= timestampMs) ?? -1;
      return found < 0 ? end(partition) : found;
    },
    ranges: async (topic: string) =>
      logs.map((_, partition) => ({ topic, partition, first: 0, end: end(partition) })),
  };

  function start(): Stretches {
    return openStretches({
      id,
      state,
      owner: `worker ${started++}`,
      release: `r${swaps % 2}`,
      now: () => new Date(nowMs),
      reader,
      growth: GROWTH,
    });
  }

  async function assign(partition: number): Promise<void> {
    if (partition >= known) return;
    const taken = await workers[ownerOf[partition] ?? 0]?.assign(
      { ...TOPIC, partition, first: 0, committed: null, partitions: known },
      undefined,
    );
    if (taken === undefined || "code" in taken) throw new Error("not assigned");
    positions[partition] = taken.from;
  }

  async function restart(worker: number): Promise<void> {
    workers[worker] = start();
    for (const [partition, owner] of ownerOf.entries())
      if (owner === worker) await assign(partition);
  }

  function write(key: number, isLate: boolean): void {
    const isOld = nowMs < grownAtMs || (isLate && nowMs < grownAtMs + GROWTH.transitionMs);
    const partition = key % (isOld ? OLD : NEW);
    const last = newest.get(key);
    // Nothing says which of two partitions' records of one millisecond is newer.
    if (last !== undefined && last.partition !== partition && last.timestampMs === nowMs) nowMs++;
    const offset = end(partition);
    const timestampMs = isDatedBack ? Date.parse("2001-04-01") - offset * 7919 : nowMs;
    const value = null;
    logs[partition]?.push({
      offset,
      timestampMs,
      key: Buffer.from(String(key)),
      value,
      headers: [],
    });
    newest.set(key, { partition, offset, timestampMs });
  }

  function read(stretches: Stretches | undefined, partition: number, most: number): Piece[] {
    const from = positions[partition] ?? 0;
    const records = logs[partition]?.slice(from, from + most) ?? [];
    if (records.length === 0 || partition >= known) return [];
    const next = from + records.length;
    const pieces = stretches?.cut({ topic: TOPIC.topic, partition, records, next });
    if (pieces === undefined || "code" in pieces)
      throw new Error(`not cut: ${JSON.stringify(pieces)}`);
    const decoded = decoder.decode(records, partition);
    const { tombstones } = decoded;
    const without = new Set<number>();
    const request = { contract, portions: pieces, records, decoded, tombstones, without };
    const { batch, recordOf } = effectsOf({ ...request, chunk: undefined });
    for (let i = 0; i < batch.count; i++) {
      const token = String(decoded.token[recordOf[i] ?? 0]);
      const version = batch.version[i] ?? 0n;
      const offset = batch.offset[i] ?? 0;
      const held = sink.get(token);
      if (held?.version === version) expect(held).toEqual({ partition, offset, version });
      if (held === undefined || version >= held.version)
        sink.set(token, { partition, offset, version });
    }
    return pieces;
  }

  function readOn(partition: number, most: number, isCommitted: boolean): void {
    const pieces = read(workers[ownerOf[partition] ?? 0], partition, most);
    const last = pieces.at(-1);
    if (last === undefined) return;
    positions[partition] = last.next;
    if (!isCommitted) return;
    const finished = { stretch: last.stretch, next: last.next, counts: NOTHING, deadLetters: [] };
    expect(commitProgress(state, id, [{ finished, owner: last.claim }])).toEqual([true]);
  }

  async function settleAll(): Promise<void> {
    for (const worker of workers) worker.settle();
    await new Promise((resolve) => setImmediate(resolve));
    for (const worker of workers) worker.settle();
  }

  async function perform(step: Act): Promise<void> {
    switch (step.act) {
      case "write":
        return step.keys.forEach((key) => write(key, step.isLate));
      case "clock":
        nowMs += step.ms;
        return;
      case "read":
        return readOn(step.partition, step.most, step.isCommitted);
      case "settle":
        return settleAll();
      case "restart":
        return restart(started % 2);
      case "move": {
        const { partition } = step;
        const before = workers[ownerOf[partition] ?? 0];
        const position = positions[partition] ?? 0;
        ownerOf[partition] = 1 - (ownerOf[partition] ?? 0);
        await assign(partition);
        const from = positions[partition] ?? 0;
        // What the worker before still has in flight is written all the same.
        positions[partition] = position;
        read(before, partition, 5);
        positions[partition] = from;
        return;
      }
      case "swap":
        swaps++;
        for (const worker of workers) worker.swap(`r${swaps % 2}`);
    }
  }

  return {
    async start() {
      for (const worker of [0, 1]) await restart(worker);
    },
    async live(steps: readonly Act[]) {
      for (const step of steps) await perform(step);
    },
    grow() {
      grownAtMs = nowMs;
    },
    async notice() {
      known = NEW;
      for (const worker of [0, 1]) await restart(worker);
    },
    pass(ms: number) {
      nowMs += ms;
    },
    async settle() {
      nowMs += 1000;
      await settleAll();
      const epochs = listEpochs(state, id);
      for (const partition of logs.keys())
        expect(epochs.findLast((epoch) => epoch.partition === partition)?.ordering).toBe("offset");
    },
    dateBack() {
      isDatedBack = true;
    },
    readAll() {
      for (const partition of logs.keys()) readOn(partition, Infinity, true);
    },
    found: () => shown(sink),
    newest: () =>
      shown(new Map([...newest].map(([key, written]) => [String(key), written] as const))),
  };
}

function shown(rows: ReadonlyMap<string, Written>): Record<string, string> {
  return Object.fromEntries(
    [...rows].map(([key, { partition, offset }]) => [key, `${partition}/${offset}`]),
  );
}
