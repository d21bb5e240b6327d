import type { DatabaseSync } from "node:sqlite";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { listEpochs } from "./epochs.ts";
import { numbersFor, usedUp } from "./layers.ts";
import type { PipelineSpec } from "./pipeline-spec.ts";
import type { TopicReader } from "./ports.ts";
import { askTogether } from "./rewrites.ts";

/** How many records of how many partitions will be written again. */
export type Backfill = { partitions: number; records: number };

/**
 * Asks for every record that the topic still holds to be written again by the release that runs now, under new epochs and below live traffic. When it
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
  if (numbersFor(listEpochs(state, spec), { topic: spec.topic, incarnation }) === undefined)
    return fail(usedUp(spec, spec.topic));
  const asked = ranges.map(({ topic, partition, first }) => ({
    topic,
    incarnation,
    partition,
    from: first,
    selection: { all: true as const },
    reason: "backfill",
    askedAt: now.toISOString(),
  }));
  askTogether(state, spec, asked);
  const records = ranges.reduce((sum, { first, end }) => sum + end - first, 0);
  return ok({ partitions: ranges.length, records });
}
