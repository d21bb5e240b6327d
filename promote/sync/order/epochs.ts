import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { ownsStretch } from "./stretch-offsets.ts";
import { inTransaction } from "../state.ts";
import { FIRST_EPOCH, TRANSITION_SPAN, type Transition } from "./version.ts";

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

/** What makes a record newer than another one of its identity. `timestamp`: of a transition, after partitions were added. */
export type Ordering = { ordering: "offset" } | ({ ordering: "timestamp" } & Transition);

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
    transition: z.number().nullable(),
    origin: z.number().nullable(),
  })
  .transform(
    ({ first_offset, opened_at, ordering, until_ms, transition, origin, ...rest }): Epoch => ({
      ...rest,
      firstOffset: first_offset,
      openedAt: opened_at,
      ...(ordering === "offset"
        ? { ordering }
        : {
            ordering,
            untilMs: until_ms ?? 0,
            transition: transition ?? rest.epoch,
            origin: origin ?? first_offset,
          }),
    }),
  );

/** What was last read of a pipeline's epochs, and up to which row. */
type Known = { epochs: readonly Epoch[]; row: number };
const NONE: Known = { epochs: [], row: 0 };
const knownOf = new WeakMap<DatabaseSync, Map<string, Known>>();

const totalsSchema = z.object({ rows: z.number(), numbers: z.number() });

/**
 * All epochs of a pipeline, oldest first. Ten thousand are a hundred promotions of a topic of a hundred partitions: only what was added is read and parsed,
 * all of it again where rows were changed or taken away.
 */
export function listEpochs(state: DatabaseSync, id: PipelineId): readonly Epoch[] {
  const ofState = knownOf.get(state) ?? new Map<string, Known>();
  knownOf.set(state, ofState);
  const key = JSON.stringify([id.environment, id.name]);
  const known = ofState.get(key) ?? NONE;
  if (areAll(state, id, known.epochs)) return known.epochs;
  const more = readAfter(state, id, known);
  const read = areAll(state, id, more.epochs) ? more : readAfter(state, id, NONE);
  ofState.set(key, read);
  return read.epochs;
}

function areAll(state: DatabaseSync, id: PipelineId, epochs: readonly Epoch[]): boolean {
  const totals = state
    .prepare(
      "select count(*) as rows, total(epoch) as numbers from sync_epochs where environment = ? and name = ?",
    )
    .get(id.environment, id.name);
  const { rows, numbers } = totalsSchema.parse(totals);
  return rows === epochs.length && numbers === epochs.reduce((sum, { epoch }) => sum + epoch, 0);
}

function readAfter(state: DatabaseSync, id: PipelineId, { epochs, row: after }: Known): Known {
  // The plus signs keep SQLite from going through all of the pipeline's rows by its index.
  const rows = state
    .prepare(
      "select rowid, * from sync_epochs where rowid > ? and +environment = ? and +name = ? order by rowid",
    )
    .all(after, id.environment, id.name)
    .map((row) => ({ epoch: rowSchema.parse(row), row: z.number().parse(row.rowid) }));
  const all = [...epochs, ...rows.map(({ epoch }) => epoch)];
  return {
    epochs: all.toSorted((a, b) => a.epoch - b.epoch || a.partition - b.partition),
    row: rows.at(-1)?.row ?? after,
  };
}

/** `above`: an epoch the sinks are known to hold, which this database does not know. */
export type NewEpoch = Omit<Epoch, "epoch" | "ordering"> & { above?: number };

/**
 * Opens the stretch's next epoch for the worker that owns it: what comes next is handled otherwise (by another release) and ordered as it was. What lies
 * in a transition stays in it, and what is known to come after it begins there again. Durable when it returns: its first write may follow. Undefined,
 * and nothing is opened, when another worker has taken the stretch: that one handles these records by the epochs it knows.
 */
export function openAlike(
  state: DatabaseSync,
  id: PipelineId,
  epoch: NewEpoch,
  nowMs: number,
  owner: string,
): Epoch | undefined {
  return openBy(state, id, epoch, owner, (epochs) => {
    const { firstOffset: from, release, reason, openedAt, above } = epoch;
    const ahead = transitionAhead(epochs, epoch, from);
    const going = ahead?.of ?? movingTransition(epochs, epoch, nowMs);
    if (going === undefined) return opening(epochs, epoch);
    if (ahead === undefined || above !== undefined) return joining(epochs, epoch, going.untilMs);
    const opened: Epoch[] = [];
    for (const one of segmentsAhead(epochs, epoch, from)) {
      if (one.ordering === "offset") continue;
      const firstOffset = opened.length === 0 ? from : one.firstOffset;
      const number = nextNumber([...epochs, ...opened], undefined);
      opened.push({ ...one, firstOffset, release, reason, openedAt, epoch: number });
    }
    if (ahead.end === Infinity) return opened;
    return [...opened, ...opening([...epochs, ...opened], { ...epoch, firstOffset: ahead.end })];
  });
}

/** As `openAlike`, in the transition that the topic's partitions go through until `untilMs`, whichever workers read them. */
export function openTransition(
  state: DatabaseSync,
  id: PipelineId,
  epoch: NewEpoch,
  untilMs: number,
  owner: string,
): Epoch | undefined {
  return openBy(state, id, epoch, owner, (epochs) => joining(epochs, epoch, untilMs));
}

/** As `openAlike`, after the stretch's transition; not where the topic has grown again since. */
export function endTransition(
  state: DatabaseSync,
  id: PipelineId,
  epoch: NewEpoch,
  owner: string,
): Epoch | undefined {
  return openBy(state, id, epoch, owner, (epochs) => {
    const ending = epochOf(epochs, epoch, epoch.firstOffset);
    return ending !== undefined && untilOf(epochs, ending) < Infinity ? opening(epochs, epoch) : [];
  });
}

/** Keeps the epochs that `open` makes, if the stretch is the worker's, and gives the first. What `open` writes is in the same transaction. */
export function openBy(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Stretch,
  owner: string,
  open: (epochs: readonly Epoch[]) => readonly Epoch[],
): Epoch | undefined {
  return inTransaction(state, () => {
    if (!ownsStretch(state, id, stretch, owner)) return undefined;
    const opened = open(listEpochs(state, id));
    for (const epoch of opened) insertEpoch(state, id, epoch);
    return opened[0];
  });
}

function opening(epochs: readonly Epoch[], { above, ...epoch }: NewEpoch): [Epoch] {
  return [{ ...epoch, ordering: "offset", epoch: nextNumber(epochs, above) }];
}

function joining(epochs: readonly Epoch[], fresh: NewEpoch, untilMs: number): [Epoch] {
  const { above, ...epoch } = fresh;
  const next = nextNumber(epochs, above);
  const shared = sharedTransition(epochs, fresh) ?? { transition: next, untilMs };
  const { transition } = shared;
  const own = epochs.findLast((other) => isSameStretch(other, epoch));
  const isWithin = own?.ordering === "timestamp" && own.transition === transition;
  return [
    {
      ...epoch,
      ordering: "timestamp",
      epoch: isWithin ? next : transition,
      transition,
      untilMs: shared.untilMs,
      origin: isWithin ? own.origin : epoch.firstOffset,
    },
  ];
}

/** The last transition with records at or after `offset`, and where its records end. */
export function transitionAhead(
  epochs: readonly Epoch[],
  stretch: Stretch,
  offset: number,
): { of: Transition; end: number } | undefined {
  const ahead = segmentsAhead(epochs, stretch, offset);
  const last = ahead.findLastIndex(({ ordering }) => ordering === "timestamp");
  const of = ahead[last];
  if (of?.ordering !== "timestamp") return undefined;
  return { of, end: ahead[last + 1]?.firstOffset ?? Infinity };
}

/** The epochs that hold records at or after `offset`, in the order of these. */
function segmentsAhead(epochs: readonly Epoch[], stretch: Stretch, offset: number): Epoch[] {
  const own = epochs.filter((epoch) => isSameStretch(epoch, stretch));
  return own
    .filter((epoch) => epochOf(own, stretch, Math.max(offset, epoch.firstOffset)) === epoch)
    .toSorted((a, b) => a.firstOffset - b.firstOffset);
}

/** The topic's transition where it is not over by the clock and the stretch has not gone past it. */
export function movingTransition(
  epochs: readonly Epoch[],
  stretch: Stretch,
  nowMs: number,
): Transition | undefined {
  const newest = newestTransition(epochs, stretch);
  return newest !== undefined && newest.untilMs > nowMs && !isPast(epochs, stretch, newest)
    ? newest
    : undefined;
}

/** The transition that a stretch joins whose topic has grown; undefined where it is the first to open it. */
export function sharedTransition(
  epochs: readonly Epoch[],
  fresh: NewEpoch,
): Transition | undefined {
  const newest = newestTransition(epochs, fresh);
  if (newest === undefined || newest.transition <= (fresh.above ?? 0)) return undefined;
  const knows = (epoch: Epoch): boolean =>
    epoch.ordering === "timestamp" &&
    epoch.transition === newest.transition &&
    epoch.partitions >= fresh.partitions;
  return epochs.some(knows) && !isPast(epochs, fresh, newest) ? newest : undefined;
}

function newestTransition(
  epochs: readonly Epoch[],
  { topic, incarnation }: Stretch,
): Transition | undefined {
  return epochs
    .flatMap((epoch) =>
      epoch.ordering === "timestamp" && epoch.topic === topic && epoch.incarnation === incarnation
        ? [epoch]
        : [],
    )
    .toSorted((a, b) => b.transition - a.transition)[0];
}

/** When all producers know the partitions of the epoch's transition; Infinity in offset order, and where the topic has grown again since. */
export function untilOf(epochs: readonly Epoch[], epoch: Epoch): number {
  if (epoch.ordering === "offset") return Infinity;
  const hasGrown = epochs.some(
    (other) =>
      other.ordering === "timestamp" &&
      other.topic === epoch.topic &&
      other.incarnation === epoch.incarnation &&
      other.transition > epoch.transition &&
      other.partitions > epoch.partitions,
  );
  return hasGrown ? Infinity : epoch.untilMs;
}

/** Whether the stretch has an epoch whose versions are above the transition's. */
function isPast(epochs: readonly Epoch[], stretch: Stretch, { transition }: Transition): boolean {
  return epochs.some(
    (epoch) =>
      epoch.ordering === "offset" && epoch.epoch > transition && isSameStretch(epoch, stretch),
  );
}

export function nextNumber(epochs: readonly Epoch[], above: number | undefined): number {
  const after = epochs.map((epoch) =>
    epoch.ordering === "offset"
      ? epoch.epoch + 1
      : Math.max(epoch.epoch + 1, epoch.transition + TRANSITION_SPAN),
  );
  // It may be a transition, and others may have been opened after it.
  const lost = above === undefined ? FIRST_EPOCH : above + 2 * TRANSITION_SPAN;
  return Math.max(FIRST_EPOCH, lost, ...after);
}

function insertEpoch(state: DatabaseSync, id: PipelineId, epoch: Epoch): void {
  const transition = epoch.ordering === "timestamp" ? epoch : undefined;
  state
    .prepare(
      `insert into sync_epochs (environment, name, epoch, topic, incarnation, partition, first_offset, release, reason, opened_at, ordering, partitions, until_ms, transition, origin)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      id.environment,
      id.name,
      epoch.epoch,
      epoch.topic,
      epoch.incarnation,
      epoch.partition,
      epoch.firstOffset,
      epoch.release,
      epoch.reason,
      epoch.openedAt,
      epoch.ordering,
      epoch.partitions,
      transition?.untilMs ?? null,
      transition?.transition ?? null,
      transition?.origin ?? null,
    );
}

/** The epoch a record belongs to, also when it is delivered again long after a swap. */
export function epochOf(
  epochs: readonly Epoch[],
  stretch: Stretch,
  offset: number,
): Epoch | undefined {
  return epochs.findLast((epoch) => isSameStretch(epoch, stretch) && epoch.firstOffset <= offset);
}

/** Where the epoch that holds `offset` ends; Infinity for the newest. */
export function endOfEpoch(epochs: readonly Epoch[], stretch: Stretch, epoch: Epoch): number {
  const later = epochs
    .filter((other) => isSameStretch(other, stretch) && other.epoch > epoch.epoch)
    .map((other) => other.firstOffset);
  return Math.min(Infinity, ...later);
}

export function isSameStretch(epoch: Stretch, stretch: Stretch): boolean {
  return (
    epoch.topic === stretch.topic &&
    epoch.incarnation === stretch.incarnation &&
    epoch.partition === stretch.partition
  );
}
