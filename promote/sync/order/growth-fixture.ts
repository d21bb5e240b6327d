import { expect } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import { listEpochs } from "./epochs.ts";
import { FLIGHT } from "../fixture.ts";
import { partitionOf } from "../kafka/partitioner.ts";
import { effectsOf } from "../pipeline/operations.ts";
import type { SourceRecord, TopicReader } from "../ports.ts";
import { commitProgress, NOTHING } from "./progress.ts";
import { replayDeadLetters } from "../rewrites/replay.ts";
import { askTogether, listOpenRewrites } from "../rewrites/rewrites.ts";
import { rewriting } from "../rewrites/rewriting.ts";
import { openSyncState } from "../state.ts";
import {
  openStretches,
  type Growth,
  type Piece,
  type Portion,
  type Stretches,
} from "./stretches.ts";
import { applyRepair, openRepair } from "../verify/repair.ts";

const id = { environment: "staging", name: "delays" };
const TOPIC = { topic: "flights", incarnation: "one" };
export const GROWTH = { transitionMs: 2000, lookBackMs: 60_000 };
const START_MS = Date.parse("2026-11-26T12:00:00Z");
/** How many partitions the topic may come to. */
const MOST = 4;
const contract = { key: FLIGHT.slice(0, 1), columns: FLIGHT, maxParts: 1 };
const decoder = unwrap(openJsonDecoder({ input: FLIGHT, key: ["id"] }));

export type Act =
  | { act: "write"; keys: number[]; isLate: boolean }
  | { act: "clock"; ms: number }
  | { act: "read"; partition: number; most: number; isCommitted: boolean }
  | { act: "settle" }
  | { act: "restart" }
  | { act: "move"; partition: number }
  | { act: "swap" }
  | { act: "backfill" }
  | { act: "repair"; key: number }
  | { act: "replay"; partition: number; share: number }
  | { act: "rewrite"; worker: number; steps: number };

type Written = { partition: number; offset: number };

/**
 * A topic whose partitions are increased while producers write, some by what they knew before, and workers that read it in turns, lag, die, swap
 * releases and write it again. What is newest is said by the order in which the producers wrote, apart from any epoch or version.
 */
export function openWorld(partitions: number, growth: Growth = GROWTH) {
  const state = openSyncState(":memory:");
  for (const release of ["r0", "r1"])
    state.prepare("insert into sync_releases values (?, '{}', 'b')").run(release);
  const logs: SourceRecord[][] = Array.from({ length: MOST }, () => []);
  const newest = new Map<number, Written & { timestampMs: number }>();
  const sink = new Map<string, Written & { version: bigint }>();
  const workers: Stretches[] = [];
  const writers: ReturnType<typeof rewriting>[] = [];
  const stopping = new AbortController();
  const ownerOf = Array.from({ length: MOST }, (_, partition) => partition % 2);
  const positions = Array.from({ length: MOST }, () => 0);
  /** How far each partition was ever read. */
  const farthest = Array.from({ length: MOST }, () => 0);
  let nowMs = START_MS;
  let grownAtMs = Infinity;
  let old = partitions;
  let grown = partitions;
  let known = partitions;
  let isDatedBack = false;
  let isSteady = false;
  let started = 0;
  let swaps = 0;

  const end = (partition: number): number => logs[partition]?.length ?? 0;
  const reader: TopicReader = {
    incarnation: async () => TOPIC.incarnation,
    async *read(_topic, partition, from, to) {
      const records = logs[partition]?.slice(from, to) ?? [];
      for (let at = 0; at < records.length; at += 7) yield records.slice(at, at + 7);
    },
    close: async () => undefined,
    async offsetAt(_topic: string, partition: number, timestampMs: number) {
      const found = logs[partition]?.findIndex((record) => record.timestampMs >= timestampMs) ?? -1;
      return found < 0 ? end(partition) : found;
    },
    ranges: async (topic: string) =>
      logs
        .slice(0, grown)
        .map((_, partition) => ({ topic, partition, first: 0, end: end(partition) })),
  };

  function start(): Stretches {
    return openStretches({
      reading: new AbortController().signal,
      id,
      state,
      owner: `worker ${started++}`,
      release: `r${swaps % 2}`,
      now: () => new Date(nowMs),
      reader,
      growth,
    });
  }

  const release = (): string => `r${swaps % 2}`;

  /** What writes again what was asked of the partitions that a worker reads. */
  function openWriter(stretches: Stretches): ReturnType<typeof rewriting> {
    return rewriting({
      id,
      state,
      reader,
      limits: { maxRecords: 5, maxBytes: 1 << 20 },
      signal: stopping.signal,
      release,
      held: () => stretches.list().map(({ stretch }) => stretch),
      isRead: () => true,
      newestOf: () => undefined,
      renew: (rewrite) => stretches.renew(rewrite),
      decode: async ({ partition }, records) => decoder.decode(records, partition),
      judge: (_, __, decoded) => decoded,
      turnReaders: async () => true,
      decodeTombstones: () => ({ code: "none", message: "nothing is cleared" }),
      rewritten: () => undefined,
    });
  }

  async function write(worker: number): Promise<boolean> {
    const { value: piece } = (await writers[worker]?.next()) ?? { value: undefined };
    if (piece === undefined) return false;
    if (piece === "looking") return true;
    if ("code" in piece) throw new Error(piece.message);
    apply([piece], piece.records);
    await piece.finish([{ counts: NOTHING, deadLetters: [] }]);
    return true;
  }

  function backfill(): void {
    const asked = { from: 0, selection: { all: true as const }, reason: "backfill", askedAt: "" };
    const stretches = logs.slice(0, grown).map((_, partition) => ({ ...TOPIC, partition }));
    askTogether(
      state,
      id,
      stretches.map((stretch) => ({ ...stretch, ...asked })),
    );
  }

  /** As a verify that found the row of `key` changed. */
  function repair(key: number): void {
    const held = sink.get(String(key));
    if (held === undefined) return;
    const { partition, offset } = held;
    const cut = logs
      .slice(0, known)
      .map((_, one) => ({ ...TOPIC, partition: one, from: 0, to: positions[one] ?? 0 }));
    const { topic } = TOPIC;
    const found = openRepair(contract);
    found.add("table", [{ key: JSON.stringify([key]), topic, partition, offset, version: null }]);
    unwrap(applyRepair(state, id, found.writes(cut, listEpochs(state, id)), new Date(nowMs)));
  }

  /** Of a record that was a dead letter. */
  async function replay(partition: number, share: number): Promise<void> {
    const offset = Math.floor((positions[partition] ?? 0) * share);
    if (offset >= (positions[partition] ?? 0)) return;
    state
      .prepare(
        `insert or replace into sync_dead_letters (environment, name, topic, incarnation, partition, record_offset, stage, reason, release, headers, record_at, at)
         values (?, ?, ?, ?, ?, ?, 'decode', 'no', 'r0', '[]', 0, '')`,
      )
      .run(id.environment, id.name, TOPIC.topic, TOPIC.incarnation, partition, offset);
    const of = { ...id, topic: TOPIC.topic };
    await replayDeadLetters(state, of, "all", reader, new Date(nowMs));
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
    const stretches = start();
    workers[worker] = stretches;
    writers[worker] = openWriter(stretches);
    for (const [partition, owner] of ownerOf.entries())
      if (owner === worker) await assign(partition);
  }

  function produce(key: number, isLate: boolean): void {
    const isOld = nowMs < grownAtMs || (isLate && nowMs < grownAtMs + growth.transitionMs);
    const partition = partitionOf(Buffer.from(String(key)), isOld ? old : grown);
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

  function apply(portions: readonly Portion[], records: readonly SourceRecord[]): void {
    const [first] = portions;
    const decoded = decoder.decode(records, first?.stretch.partition ?? 0);
    const { tombstones } = decoded;
    const request = {
      contract,
      portions,
      records,
      decoded,
      tombstones,
      without: new Set<number>(),
    };
    const { batch, recordOf } = effectsOf({ ...request, chunk: undefined });
    for (let i = 0; i < batch.count; i++) {
      const token = String(decoded.token[recordOf[i] ?? 0]);
      const version = batch.version[i] ?? 0n;
      const offset = batch.offset[i] ?? 0;
      const partition = first?.stretch.partition ?? 0;
      const held = sink.get(token);
      if (held?.version === version) expect(held).toEqual({ partition, offset, version });
      if (held === undefined || version >= held.version)
        sink.set(token, { partition, offset, version });
    }
  }

  function read(stretches: Stretches | undefined, partition: number, most: number): Piece[] {
    const from = positions[partition] ?? 0;
    const records = logs[partition]?.slice(from, from + most) ?? [];
    if (records.length === 0 || partition >= known) return [];
    const next = from + records.length;
    const pieces = stretches?.cut({ topic: TOPIC.topic, partition, records, next });
    if (pieces === undefined || "code" in pieces)
      throw new Error(`not cut: ${JSON.stringify(pieces)}`);
    apply(pieces, records);
    return pieces;
  }

  function readOn(partition: number, most: number, isCommitted: boolean): void {
    const pieces = read(workers[ownerOf[partition] ?? 0], partition, most);
    const last = pieces.at(-1);
    if (last === undefined) return;
    positions[partition] = last.next;
    if (isSteady) expectShown(pieces, farthest[partition] ?? 0);
    farthest[partition] = Math.max(farthest[partition] ?? 0, last.next);
    if (!isCommitted) return;
    const finished = { stretch: last.stretch, next: last.next, counts: NOTHING, deadLetters: [] };
    expect(commitProgress(state, id, [{ finished, owner: last.claim }])).toEqual([true]);
  }

  /** Whatever is being written again: what is newest is shown as soon as it is read, from `first` on for the first time. */
  function expectShown(pieces: readonly Piece[], first: number): void {
    const shownNow = found();
    for (const { stretch, records } of pieces)
      for (const { key, offset } of records) {
        const last = newest.get(Number(Buffer.from(key ?? "").toString()));
        if (offset < first || last?.partition !== stretch.partition || last.offset !== offset)
          continue;
        const name = Buffer.from(key ?? "").toString();
        expect(shownNow[name]).toBe(`${stretch.partition}/${offset}`);
      }
  }

  const found = (): Record<string, string> => shown(sink);

  async function settleAll(): Promise<void> {
    for (const worker of workers) worker.settle();
    await new Promise((resolve) => setImmediate(resolve));
    for (const worker of workers) worker.settle();
  }

  async function perform(step: Act): Promise<void> {
    switch (step.act) {
      case "write":
        return step.keys.forEach((key) => produce(key, step.isLate));
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
        for (const worker of workers) worker.swap(release());
        return;
      case "backfill":
        return backfill();
      case "repair":
        return repair(step.key);
      case "replay":
        return replay(step.partition, step.share);
      case "rewrite":
        for (let n = 0; n < step.steps; n++) await write(step.worker);
    }
  }

  return {
    /** By workers that know nothing of the topic's past. */
    async start() {
      known = grown;
      for (const worker of [0, 1]) await restart(worker);
    },
    async live(steps: readonly Act[]) {
      for (const step of steps) await perform(step);
    },
    grow(next: number) {
      old = grown;
      grown = next;
      grownAtMs = nowMs;
      isSteady = false;
    },
    /** One worker after another; what is written `meanwhile` is read by none. */
    async notice(meanwhile: readonly Act[] = []) {
      known = grown;
      await restart(0);
      for (const step of meanwhile) await perform(step);
      await restart(1);
    },
    pass(ms: number) {
      nowMs += ms;
    },
    async settle() {
      nowMs += 1000;
      await settleAll();
      const epochs = listEpochs(state, id);
      for (let partition = 0; partition < known; partition++)
        expect(epochs.findLast((epoch) => epoch.partition === partition)?.ordering).toBe("offset");
    },
    /** What is written from now on is dated earlier the later it comes. */
    dateBack(isBack: boolean) {
      isDatedBack = isBack;
    },
    /** Nothing that was written in a transition is left to read. */
    steady() {
      isSteady = true;
    },
    async writeAll() {
      for (let idle = 0; idle < 60;) idle = (await write(idle % 2)) ? 0 : idle + 1;
      expect(listOpenRewrites(state, id)).toEqual([]);
    },
    readAll() {
      for (const partition of logs.keys()) readOn(partition, Infinity, true);
    },
    found,
    newest: () =>
      shown(new Map([...newest].map(([key, written]) => [String(key), written] as const))),
  };
}

function shown(rows: ReadonlyMap<string, Written>): Record<string, string> {
  return Object.fromEntries(
    [...rows].map(([key, { partition, offset }]) => [key, `${partition}/${offset}`]),
  );
}
