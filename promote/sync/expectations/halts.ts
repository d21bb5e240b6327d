import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { PipelineId, Stretch } from "../order/epochs.ts";
import { inTransaction } from "../state.ts";
import type { Halt, Tally } from "./expectations.ts";
import { recordTallies } from "./history.ts";

/** A record that made a pipeline halt, and that its expectation's history has counted already. */
export type CountedHalt = Stretch & { expectation: string; offset: number };

/**
 * Adds to the history what makes the pipeline halt, since its batch is never committed. The record comes again at each resume, until the expectation
 * or what is read is another: it is counted the first time. What was added.
 */
export function recordHalt(
  state: DatabaseSync,
  id: PipelineId,
  { topic, incarnation, partition }: Stretch,
  { expectation, offset, minute, example }: Halt,
): Tally[] {
  return inTransaction(state, () => {
    const added = state
      .prepare("insert or ignore into sync_halts values (?, ?, ?, ?, ?, ?, ?, ?)")
      .run(id.environment, id.name, expectation, topic, incarnation, partition, offset, minute);
    if (added.changes === 0) return [];
    const tallies = [{ expectation, minute, checked: 1, failed: 1, example }];
    recordTallies(state, id, tallies);
    return tallies;
  });
}

const rowSchema = z
  .object({
    expectation: z.string(),
    topic: z.string(),
    incarnation: z.string(),
    partition: z.number(),
    record_offset: z.number(),
  })
  .transform(({ record_offset, ...rest }): CountedHalt => ({ ...rest, offset: record_offset }));

export function listHalts(state: DatabaseSync, id: PipelineId): CountedHalt[] {
  return state
    .prepare(
      "select expectation, topic, incarnation, partition, record_offset from sync_halts where environment = ? and name = ?",
    )
    .all(id.environment, id.name)
    .map((row) => rowSchema.parse(row));
}
