import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { insertDeadLetters, type DeadLetter } from "./dead-letters.ts";
import type { PipelineId, Stretch } from "./epochs.ts";
import { inTransaction } from "./state.ts";

/** read = written + filtered + stale + deadLettered, always. `retracted`: living rows that a tombstone or correction took away. */
export type Counts = {
  read: number;
  written: number;
  filtered: number;
  stale: number;
  deadLettered: number;
  retracted: number;
};

export const NOTHING: Counts = {
  read: 0,
  written: 0,
  filtered: 0,
  stale: 0,
  deadLettered: 0,
  retracted: 0,
};

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    read: a.read + b.read,
    written: a.written + b.written,
    filtered: a.filtered + b.filtered,
    stale: a.stale + b.stale,
    deadLettered: a.deadLettered + b.deadLettered,
    retracted: a.retracted + b.retracted,
  };
}

const rowSchema = z.object({
  is_paused: z.number(),
  read: z.number(),
  written: z.number(),
  filtered: z.number(),
  stale: z.number(),
  dead_lettered: z.number(),
  retracted: z.number(),
});

export function readProgress(
  state: DatabaseSync,
  id: PipelineId,
): { isPaused: boolean; counts: Counts } {
  const found = state
    .prepare("select * from sync_pipelines where environment = ? and name = ?")
    .get(id.environment, id.name);
  if (found === undefined) return { isPaused: false, counts: NOTHING };
  const { is_paused, dead_lettered, ...rest } = rowSchema.parse(found);
  return { isPaused: is_paused === 1, counts: { ...rest, deadLettered: dead_lettered } };
}

/** Kept, so that a paused pipeline is still paused after a restart. */
export function setPaused(state: DatabaseSync, id: PipelineId, isPaused: boolean): void {
  state
    .prepare(
      `insert into sync_pipelines (environment, name, is_paused) values (?, ?, ?)
       on conflict do update set is_paused = excluded.is_paused`,
    )
    .run(id.environment, id.name, isPaused ? 1 : 0);
}

/** The offset after the last finished record; undefined where the stretch was never read. */
export function readOffset(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
): number | undefined {
  const found = state
    .prepare(
      "select next_offset from sync_offsets where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ?",
    )
    .get(id.environment, id.name, stretch.topic, stretch.incarnation, stretch.partition);
  return found === undefined
    ? undefined
    : z.object({ next_offset: z.number() }).parse(found).next_offset;
}

/** A finished batch: durable in every sink before this is called. */
export type Finished = {
  stretch: Stretch;
  next: number;
  counts: Counts;
  deadLetters: readonly DeadLetter[];
};

/** Moves offset, counts and dead letters in one transaction: a batch delivered again after a kill is counted once. */
export function commitProgress(state: DatabaseSync, id: PipelineId, finished: Finished): void {
  const { stretch, counts } = finished;
  inTransaction(state, () => {
    insertDeadLetters(state, id, finished.deadLetters);
    state
      .prepare(
        `insert into sync_offsets (environment, name, topic, incarnation, partition, next_offset) values (?, ?, ?, ?, ?, ?)
         on conflict do update set next_offset = excluded.next_offset`,
      )
      .run(
        id.environment,
        id.name,
        stretch.topic,
        stretch.incarnation,
        stretch.partition,
        finished.next,
      );
    state
      .prepare(
        `insert into sync_pipelines (environment, name, read, written, filtered, stale, dead_lettered, retracted)
         values (?, ?, ?, ?, ?, ?, ?, ?)
         on conflict do update set read = read + excluded.read, written = written + excluded.written,
           filtered = filtered + excluded.filtered, stale = stale + excluded.stale,
           dead_lettered = dead_lettered + excluded.dead_lettered, retracted = retracted + excluded.retracted`,
      )
      .run(
        id.environment,
        id.name,
        counts.read,
        counts.written,
        counts.filtered,
        counts.stale,
        counts.deadLettered,
        counts.retracted,
      );
  });
}
