import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { recordConflicts } from "../decode/conflicts.ts";
import type { SchemaConflict } from "../decode/decode.ts";
import { insertDeadLetters, type DeadLetter } from "../dead-letters/dead-letters.ts";
import type { PipelineId, Stretch } from "./epochs.ts";
import type { Tally } from "../expectations/expectations.ts";
import { recordTallies } from "../expectations/history.ts";
import { inTransaction } from "../state.ts";

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
  resumes: z.number(),
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
): { isPaused: boolean; resumes: number; counts: Counts } {
  const found = state
    .prepare("select * from sync_pipelines where environment = ? and name = ?")
    .get(id.environment, id.name);
  if (found === undefined) return { isPaused: false, resumes: 0, counts: NOTHING };
  const { is_paused, resumes, dead_lettered, ...rest } = rowSchema.parse(found);
  return { isPaused: is_paused === 1, resumes, counts: { ...rest, deadLettered: dead_lettered } };
}

/** Kept, so that a paused pipeline is still paused after a restart; every worker of the pipeline obeys it. */
export function setPaused(state: DatabaseSync, id: PipelineId, isPaused: boolean): void {
  state
    .prepare(
      `insert into sync_pipelines (environment, name, is_paused, resumes) values (?, ?, ?, ?)
       on conflict do update set is_paused = excluded.is_paused, resumes = resumes + excluded.resumes`,
    )
    .run(id.environment, id.name, isPaused ? 1 : 0, isPaused ? 0 : 1);
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

/**
 * Makes a worker the one that moves the stretch's offset, and says where that is by now: at `offset` where nobody has moved it. In one statement: what
 * another worker commits before counts, what it still has in flight counts no more.
 */
export function claimStretch(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
  owner: string,
  offset: number,
): number {
  const claimed = state
    .prepare(
      `insert into sync_offsets (environment, name, topic, incarnation, partition, next_offset, owner) values (?, ?, ?, ?, ?, ?, ?)
       on conflict do update set owner = excluded.owner returning next_offset`,
    )
    .get(
      id.environment,
      id.name,
      stretch.topic,
      stretch.incarnation,
      stretch.partition,
      offset,
      owner,
    );
  return z.object({ next_offset: z.number() }).parse(claimed).next_offset;
}

/** As if nobody had begun to read it. */
export function forgetStretch(state: DatabaseSync, id: PipelineId, stretch: Stretch): void {
  state
    .prepare(
      "delete from sync_offsets where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ?",
    )
    .run(id.environment, id.name, stretch.topic, stretch.incarnation, stretch.partition);
}

/** Whether no other worker has taken the stretch. */
export function ownsStretch(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
  owner: string,
): boolean {
  const other = state
    .prepare(
      "select 1 from sync_offsets where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ? and owner <> ?",
    )
    .get(id.environment, id.name, stretch.topic, stretch.incarnation, stretch.partition, owner);
  return other === undefined;
}

/** Takes the stretch's offset back, so that what lies behind is handled again. */
export function rewindStretch(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
  offset: number,
): void {
  state
    .prepare(
      "update sync_offsets set next_offset = ? where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ?",
    )
    .run(offset, id.environment, id.name, stretch.topic, stretch.incarnation, stretch.partition);
}

/** A finished batch: durable in every sink before this is called. */
export type Finished = {
  stretch: Stretch;
  next: number;
  counts: Counts;
  deadLetters: readonly DeadLetter[];
  /** The record time its stretch has come to with it. */
  passedMs?: number;
  /** What the batch adds to the history of its source's expectations. */
  tallies?: readonly Tally[];
  /** Writers' schemas of the batch that the contract cannot read. */
  conflicts?: readonly SchemaConflict[];
  at?: string;
};

/**
 * Moves offset, counts, dead letters and the history of expectations of batches in one transaction: one delivered again after a kill is counted once. False, and
 * nothing moved of that one, when another worker owns its stretch by now: it handles these records again.
 */
export function commitProgress(
  state: DatabaseSync,
  id: PipelineId,
  batches: readonly { finished: Finished; owner: string }[],
): boolean[] {
  return inTransaction(state, () =>
    batches.map(({ finished, owner }) => moveProgress(state, id, finished, owner)),
  );
}

function moveProgress(
  state: DatabaseSync,
  id: PipelineId,
  finished: Finished,
  owner: string,
): boolean {
  const { stretch, counts } = finished;
  const moved = state
    .prepare(
      `update sync_offsets set next_offset = ?, passed_ms = max(passed_ms, ?), caught_up_ms = 0
       where environment = ? and name = ? and topic = ? and incarnation = ? and partition = ? and owner = ?`,
    )
    .run(
      finished.next,
      finished.passedMs ?? 0,
      id.environment,
      id.name,
      stretch.topic,
      stretch.incarnation,
      stretch.partition,
      owner,
    );
  if (moved.changes === 0) return false;
  insertDeadLetters(state, id, finished.deadLetters);
  recordTallies(state, id, finished.tallies ?? []);
  recordConflicts(state, id, finished.conflicts ?? [], finished.at ?? "");
  addToCounts(state, id, counts);
  return true;
}

function addToCounts(state: DatabaseSync, id: PipelineId, counts: Counts): void {
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
}
