import type { DatabaseSync } from "node:sqlite";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { topicText } from "#snapshots/topic-choice.ts";
import { listEpochs } from "../order/epochs.ts";
import { numbersFor, usedUp } from "../order/layers.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { PartitionRange, TopicReader } from "../ports.ts";
import { askTogether } from "./rewrites.ts";
import { topicsOf } from "../topics-of.ts";

/** How many records of how many partitions will be written again. */
export type Backfill = { partitions: number; records: number };

/**
 * Asks for every record that the topics still hold to be written again by the release that runs now, under new epochs and below live traffic. When it
 * is over, readers of a sink that was made anew are turned to it.
 */
export async function askBackfill(
  state: DatabaseSync,
  spec: PipelineSpec,
  reader: TopicReader,
  now: Date,
): Promise<Result<Backfill>> {
  const ranges: (PartitionRange & { incarnation: string })[] = [];
  for (const topic of await topicsOf(spec.topic, reader)) {
    const incarnation = await reader.incarnation(topic);
    const own = incarnation === undefined ? [] : await reader.ranges(topic);
    for (const range of own) ranges.push({ ...range, incarnation: incarnation ?? "" });
  }
  if (ranges.length === 0)
    return fail({
      code: "nothing-to-backfill",
      message: `No partition of ${topicText(spec.topic)} is there.`,
      hint: "Start what writes to it, then the pipeline.",
    });
  const epochs = listEpochs(state, spec);
  const full = ranges.find((range) => numbersFor(epochs, range) === undefined);
  if (full !== undefined) return fail(usedUp(spec, full.topic));
  const asked = ranges.map(({ topic, incarnation, partition, first }) => ({
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
