import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PipelineId } from "../order/epochs.ts";
import type { Tally } from "./expectations.ts";
import { AHEAD_MINUTES, BACK, KEPT_MINUTES, MINUTE_MS, type MinuteCount } from "./volume.ts";

/** One expectation's minute, of all workers of the pipeline. */
export type HistoryRow = {
  expectation: string;
  /** When the minute began, ISO 8601. Of arrival; of the records' own time for `volume`. */
  at: string;
  checked: number;
  failed: number;
  /** One record's offset and reason. */
  example: string | null;
  isCutShort: boolean;
};

/** Adds to the history. Runs within the transaction that moves the offset, so that a batch delivered again is counted once. */
export function recordTallies(
  state: DatabaseSync,
  id: PipelineId,
  tallies: readonly Tally[],
): void {
  if (tallies.length === 0) return;
  const add = state.prepare(
    `insert into sync_expectations (environment, name, expectation, minute, checked, failed, example, is_cut_short)
     values (?, ?, ?, ?, ?, ?, ?, ?)
     on conflict do update set checked = checked + excluded.checked, failed = failed + excluded.failed,
       example = iif(failed = 0 and excluded.failed > 0, excluded.example, coalesce(example, excluded.example)),
       is_cut_short = max(is_cut_short, excluded.is_cut_short)`,
  );
  for (const tally of tallies) {
    const { expectation, minute, checked, failed, example = null, isCutShort = false } = tally;
    add.run(
      id.environment,
      id.name,
      expectation,
      minute,
      checked,
      failed,
      example,
      isCutShort ? 1 : 0,
    );
  }
}

/** By the clock: a record with a wrong time takes nobody's history away, and leaves nothing behind that never gets old. */
export function forgetOldMinutes(state: DatabaseSync, id: PipelineId, nowMs: number): void {
  const now = Math.floor(nowMs / MINUTE_MS);
  const first = now - KEPT_MINUTES;
  const last = now + AHEAD_MINUTES;
  for (const table of ["sync_expectations", "sync_halts"])
    state
      .prepare(
        `delete from ${table} where environment = ? and name = ? and (minute <= ? or minute > ?)`,
      )
      .run(id.environment, id.name, first, last);
}

const rowSchema = z.object({
  expectation: z.string(),
  minute: z.number(),
  checked: z.number(),
  failed: z.number(),
  example: z.string().nullable(),
  is_cut_short: z.number(),
});

/**
 * Oldest first, by expectation; the last `minutes` of each, up to the newest that has begun. What was asked for before that is left out; a volume
 * that is asked for has the minutes of what is being read, however old.
 */
export function listExpectationHistory(
  state: DatabaseSync,
  id: PipelineId,
  { nowMs, minutes = 24 * 60 }: { nowMs: number; minutes?: number },
): HistoryRow[] {
  const rows = state
    .prepare(
      `with newest as (
         select expectation, max(minute) as minute from sync_expectations
         where environment = :environment and name = :name and minute <= :now group by expectation)
       select own.expectation, own.minute, checked, failed, example, is_cut_short
       from newest join sync_expectations as own
         on own.environment = :environment and own.name = :name and own.expectation = newest.expectation
         and own.minute > newest.minute - :minutes and own.minute <= :now
       where newest.minute > (select max(minute) from newest) - :minutes or newest.expectation in (
         select expectation from sync_judged_minutes where environment = :environment and name = :name)
       order by own.expectation, own.minute`,
    )
    .all({ ...id, now: Math.floor(nowMs / MINUTE_MS), minutes });
  return rows.map((row) => {
    const { minute, is_cut_short, ...rest } = rowSchema.parse(row);
    const at = new Date(minute * MINUTE_MS).toISOString();
    return { ...rest, at, isCutShort: is_cut_short === 1 };
  });
}

const minuteSchema = z.object({ minute: z.number(), checked: z.number() });

/** A volume expectation's minutes with records before `open`: from `next` on, and an hour's before that. Oldest first. */
export function readMinutes(
  state: DatabaseSync,
  id: PipelineId,
  expectation: string,
  { next, open }: { next: number; open: number },
): MinuteCount[] {
  const read = (where: string, values: readonly number[]): MinuteCount[] =>
    state
      .prepare(
        `select minute, checked from sync_expectations
         where environment = ? and name = ? and expectation = ? and checked > 0 and ${where}`,
      )
      .all(id.environment, id.name, expectation, ...values)
      .map((row) => minuteSchema.parse(row));
  const before = read("minute < ? order by minute desc limit ?", [next, BACK]);
  return [
    ...before.toReversed(),
    ...read("minute >= ? and minute < ? order by minute", [next, open]),
  ];
}
