import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { ownsStretch } from "./progress.ts";
import { inTransaction } from "./state.ts";
import { FIRST_EPOCH, TRANSITION_SPAN } from "./version.ts";

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
  /** How many partitions the topic had. */
  partitions: number;
} & Ordering;

/**
 * What makes a record newer than another one of its identity. `timestamp`: a transition epoch, after partitions were added; it has the same
 * number in every partition, and records of `untilMs` and later belong to the epoch after it.
 */
export type Ordering = { ordering: "offset" } | { ordering: "timestamp"; untilMs: number };

const rowSchema = z
  .object({
    epoch: z.number(),
    topic: z.string(),
    incarnation: z.string(),
    partition: z.number(),
    first_offset: z.number(),
    release: z.string(),
    reason: z.string(),
    opened_at: z.string(),
    ordering: z.enum(["offset", "timestamp"]),
    partitions: z.number(),
    until_ms: z.number().nullable(),
  })
  .transform(({ first_offset, opened_at, ordering, until_ms, ...rest }): Epoch => ({
    ...rest,
    firstOffset: first_offset,
    openedAt: opened_at,
    ...(ordering === "offset" ? { ordering } : { ordering, untilMs: until_ms ?? 0 }),
  }));

/** All epochs of a pipeline, oldest first. */
export function listEpochs(state: DatabaseSync, id: PipelineId): Epoch[] {
  const rows = state
    .prepare(
      "select * from sync_epochs where environment = ? and name = ? order by epoch, partition",
    )
    .all(id.environment, id.name);
  return rows.map((row) => rowSchema.parse(row));
}

/**
 * Opens the stretch's next epoch for the worker that owns it. Durable when it returns: its first write may follow. Undefined, and nothing is
 * opened, when another worker has taken the stretch: that one handles these records by the epochs it knows.
 */
export function openEpoch(
  state: DatabaseSync,
  id: PipelineId,
  epoch: NewEpoch,
  owner: string,
): Epoch | undefined {
  return inTransaction(state, () => {
    if (!ownsStretch(state, id, epoch, owner)) return undefined;
    return insertEpoch(state, id, epoch, nextNumber(state, id, epoch.above));
  });
}

/** `above`: an epoch the sinks are known to hold, which this database does not know. */
export type NewEpoch = Omit<Epoch, "epoch" | "ordering"> & { above?: number };

/**
 * Opens a stretch's transition epoch: its number is the same for all partitions of the grown topic, whichever workers read them, since only then
 * do times decide between partitions. Otherwise as `openEpoch`.
 */
export function openTransition(
  state: DatabaseSync,
  id: PipelineId,
  epoch: NewEpoch,
  untilMs: number,
  owner: string,
): Epoch | undefined {
  return inTransaction(state, () => {
    if (!ownsStretch(state, id, epoch, owner)) return undefined;
    const epochs = listEpochs(state, id);
    const own = epochs.findLast((other) => isOf(other, epoch))?.epoch;
    const open = epochs.filter(
      (other) =>
        other.ordering === "timestamp" &&
        other.topic === epoch.topic &&
        other.incarnation === epoch.incarnation &&
        other.partitions === epoch.partitions &&
        other.release === epoch.release &&
        other.epoch > Math.max(own ?? 0, epoch.above ?? 0),
    );
    // A release that comes back has several: the stretch goes through them in turn, a new one joins in where the others are.
    const shared = own === undefined ? open.at(-1) : open[0];
    const until = shared?.ordering === "timestamp" ? shared.untilMs : untilMs;
    const number = shared?.epoch ?? nextNumber(state, id, epoch.above);
    return insertEpoch(state, id, epoch, number, until);
  });
}

function nextNumber(state: DatabaseSync, id: PipelineId, above: number | undefined): number {
  const last = listEpochs(state, id).at(-1);
  const span = last?.ordering === "timestamp" ? TRANSITION_SPAN : 1;
  const next = last === undefined ? FIRST_EPOCH : last.epoch + span;
  // It may be a transition, and others may have been opened after it.
  return above === undefined ? next : Math.max(next, above + 2 * TRANSITION_SPAN);
}

function insertEpoch(
  state: DatabaseSync,
  id: PipelineId,
  epoch: NewEpoch,
  number: number,
  untilMs?: number,
): Epoch {
  const ordering: Ordering =
    untilMs === undefined ? { ordering: "offset" } : { ordering: "timestamp", untilMs };
  state
    .prepare(
      `insert into sync_epochs (environment, name, epoch, topic, incarnation, partition, first_offset, release, reason, opened_at, ordering, partitions, until_ms)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      id.environment,
      id.name,
      number,
      epoch.topic,
      epoch.incarnation,
      epoch.partition,
      epoch.firstOffset,
      epoch.release,
      epoch.reason,
      epoch.openedAt,
      ordering.ordering,
      epoch.partitions,
      untilMs ?? null,
    );
  const { above: _, ...opened } = epoch;
  return { ...opened, ...ordering, epoch: number };
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
