import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { Problem } from "#snapshots/problem.ts";
import { recordConflicts } from "../decode/conflicts.ts";
import type { SchemaConflict } from "../decode/decode.ts";
import { insertDeadLetters, type DeadLetter } from "../dead-letters/dead-letters.ts";
import type { PipelineId, Stretch } from "./epochs.ts";
import type { Tally } from "../expectations/expectations.ts";
import { recordTallies } from "../expectations/history.ts";
import { problemSchema } from "../problem-schema.ts";
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
  halts: z.number(),
  halted: z.string().nullable(),
  read: z.number(),
  written: z.number(),
  filtered: z.number(),
  stale: z.number(),
  dead_lettered: z.number(),
  retracted: z.number(),
});

/** `halted`: what a worker met at which the pipeline halts, until it is resumed. */
export type Progress = {
  isPaused: boolean;
  resumes: number;
  halts: number;
  halted?: Problem;
  counts: Counts;
};

export function readProgress(state: DatabaseSync, id: PipelineId): Progress {
  const found = state
    .prepare("select * from sync_pipelines where environment = ? and name = ?")
    .get(id.environment, id.name);
  if (found === undefined) return { isPaused: false, resumes: 0, halts: 0, counts: NOTHING };
  const { is_paused, resumes, halts, halted, dead_lettered, ...rest } = rowSchema.parse(found);
  return {
    isPaused: is_paused === 1,
    resumes,
    halts,
    ...(halted === null ? {} : { halted: problemSchema.parse(JSON.parse(halted)) }),
    counts: { ...rest, deadLettered: dead_lettered },
  };
}

/** Kept, so that a paused pipeline is still paused after a restart; every worker of the pipeline obeys it. */
export function setPaused(state: DatabaseSync, id: PipelineId, isPaused: boolean): void {
  state
    .prepare(
      `insert into sync_pipelines (environment, name, is_paused, resumes) values (?, ?, ?, ?)
       on conflict do update set is_paused = excluded.is_paused, resumes = resumes + excluded.resumes, halted = null`,
    )
    .run(id.environment, id.name, isPaused ? 1 : 0, isPaused ? 0 : 1);
}

/**
 * A pipeline halts in every worker, as soon as one meets what halts it. Nothing is noted where somebody has resumed it since that one began
 * (`resumes`): the others go on.
 */
export function setHalted(
  state: DatabaseSync,
  id: PipelineId,
  resumes: number,
  problem: Problem,
): void {
  state
    .prepare(
      `insert into sync_pipelines (environment, name, halts, halted) values (:environment, :name, 1, :problem)
       on conflict do update set halts = halts + 1, halted = excluded.halted where resumes = :resumes`,
    )
    .run({ ...id, problem: JSON.stringify(problem), resumes });
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
