import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PipelineId } from "../epochs.ts";
import type { Tally } from "./expectations.ts";
import type { MinuteCount } from "./volume.ts";

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

const KEPT_MINUTES = 30 * 24 * 60;
const MINUTE_MS = 60_000;

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
       example = coalesce(example, excluded.example), is_cut_short = max(is_cut_short, excluded.is_cut_short)`,
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
  const newest = Math.max(...tallies.map(({ minute }) => minute));
  state
    .prepare("delete from sync_expectations where environment = ? and name = ? and minute < ?")
    .run(id.environment, id.name, newest - KEPT_MINUTES);
}

const rowSchema = z.object({
  expectation: z.string(),
  minute: z.number(),
  checked: z.number(),
  failed: z.number(),
  example: z.string().nullable(),
  is_cut_short: z.number(),
});

/** Oldest first, by expectation; the last `minutes` of each. */
export function listExpectationHistory(
  state: DatabaseSync,
  id: PipelineId,
  { minutes = 24 * 60 }: { minutes?: number } = {},
): HistoryRow[] {
  const rows = state
    .prepare(
      `select expectation, minute, checked, failed, example, is_cut_short from sync_expectations as s
       where environment = ? and name = ? and minute > ? + (
         select max(minute) from sync_expectations where environment = s.environment and name = s.name)
       order by expectation, minute`,
    )
    .all(id.environment, id.name, -minutes);
  return rows.map((row) => {
    const { minute, is_cut_short, ...rest } = rowSchema.parse(row);
    const at = new Date(minute * MINUTE_MS).toISOString();
    return { ...rest, at, isCutShort: is_cut_short === 1 };
  });
}

const minuteSchema = z.object({ minute: z.number(), checked: z.number(), failed: z.number() });

/** The newest minutes of a volume expectation. */
export function readMinutes(
  state: DatabaseSync,
  id: PipelineId,
  expectation: string,
): MinuteCount[] {
  return state
    .prepare(
      `select minute, checked, failed from sync_expectations
       where environment = ? and name = ? and expectation = ? order by minute desc limit 200`,
    )
    .all(id.environment, id.name, expectation)
    .map((row) => minuteSchema.parse(row));
}
