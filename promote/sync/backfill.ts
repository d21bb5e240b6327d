import type { DatabaseSync } from "node:sqlite";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { PipelineSpec } from "./pipeline-spec.ts";
import type { TopicReader } from "./ports.ts";
import { askRewrite } from "./rewrites.ts";

/** How many records of how many partitions will be written again. */
export type Backfill = { partitions: number; records: number };

/**
 * Asks for every record that the topic still holds to be written again by the release that runs now, under a new epoch and below live traffic. When it
 * is over, readers of a sink that was made anew are turned to it.
 */
export async function askBackfill(
  state: DatabaseSync,
  spec: PipelineSpec,
  reader: TopicReader,
  now: Date,
): Promise<Result<Backfill>> {
  const incarnation = await reader.incarnation(spec.topic);
  const ranges = incarnation === undefined ? [] : await reader.ranges(spec.topic);
  if (incarnation === undefined || ranges.length === 0)
    return fail({
      code: "nothing-to-backfill",
      message: `There is no topic ${spec.topic}.`,
      hint: "Start what writes to it, then the pipeline.",
    });
  for (const { topic, partition, first } of ranges)
    askRewrite(state, spec, {
      topic,
      incarnation,
      partition,
      from: first,
      selection: { all: true },
      reason: "backfill",
      askedAt: now.toISOString(),
    });
  const records = ranges.reduce((sum, { first, end }) => sum + end - first, 0);
  return ok({ partitions: ranges.length, records });
}
