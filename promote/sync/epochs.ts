import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { FIRST_EPOCH } from "./version.ts";

/** A pipeline: one release running in one environment. */
export type PipelineId = { environment: string; name: string };

/** A partition of one making of a topic. */
export type Stretch = { topic: string; incarnation: string; partition: number };

/** From `firstOffset` on, until the stretch's next epoch, records are handled by `release`. */
export type Epoch = Stretch & {
  epoch: number;
  firstOffset: number;
  release: string;
  reason: string;
  openedAt: string;
};

const rowSchema = z.object({
  epoch: z.number(),
  topic: z.string(),
  incarnation: z.string(),
  partition: z.number(),
  first_offset: z.number(),
  release: z.string(),
  reason: z.string(),
  opened_at: z.string(),
});

/** All epochs of a pipeline, oldest first. */
export function listEpochs(state: DatabaseSync, id: PipelineId): Epoch[] {
  const rows = state
    .prepare("select * from sync_epochs where environment = ? and name = ? order by epoch")
    .all(id.environment, id.name);
  return rows.map((row) => {
    const { first_offset, opened_at, ...rest } = rowSchema.parse(row);
    return { ...rest, firstOffset: first_offset, openedAt: opened_at };
  });
}

/** Opens the pipeline's next epoch. Durable when it returns: its first write may follow. */
export function openEpoch(state: DatabaseSync, id: PipelineId, epoch: Omit<Epoch, "epoch">): Epoch {
  const last = listEpochs(state, id).at(-1)?.epoch ?? FIRST_EPOCH - 1;
  const opened = { ...epoch, epoch: last + 1 };
  state
    .prepare(
      `insert into sync_epochs (environment, name, epoch, topic, incarnation, partition, first_offset, release, reason, opened_at)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      id.environment,
      id.name,
      opened.epoch,
      epoch.topic,
      epoch.incarnation,
      epoch.partition,
      epoch.firstOffset,
      epoch.release,
      epoch.reason,
      epoch.openedAt,
    );
  return opened;
}

/** The epoch a record belongs to, also when it is delivered again long after a swap. */
export function epochOf(
  epochs: readonly Epoch[],
  stretch: Stretch,
  offset: number,
): Epoch | undefined {
  return epochs.findLast((epoch) => isOf(epoch, stretch) && epoch.firstOffset <= offset);
}

/** Where the epoch that holds `offset` ends; Infinity for the newest. */
export function endOfEpoch(epochs: readonly Epoch[], stretch: Stretch, epoch: Epoch): number {
  const later = epochs
    .filter((other) => isOf(other, stretch) && other.epoch > epoch.epoch)
    .map((other) => other.firstOffset);
  return Math.min(Infinity, ...later);
}

function isOf(epoch: Stretch, stretch: Stretch): boolean {
  return (
    epoch.topic === stretch.topic &&
    epoch.incarnation === stretch.incarnation &&
    epoch.partition === stretch.partition
  );
}
