import type { Problem } from "#snapshots/problem.ts";
import {
  epochOf,
  isSameStretch,
  nextNumber,
  type Epoch,
  type PipelineId,
  type Stretch,
} from "./epochs.ts";
import { MAX_EPOCH, TRANSITION_SPAN, type Transition } from "./version.ts";

/** Offsets `from` … before `to` of a stretch, and the epoch under which they are written again. */
export type Layer = { from: number; to: number; epoch: Epoch };

type Topic = Pick<Stretch, "topic" | "incarnation">;

/** What a growth takes of the epoch numbers: one for what came before it, and its transition. */
const SPAN = TRANSITION_SPAN + 1;
/** Numbers that are kept for growths and releases to come. */
const RESERVE = 2 ** 18;

/**
 * From here on a partition has all that is newer of its records' identities: keys moved between partitions when some were added, and what was written
 * before, or in the transition, may have newer records elsewhere. Infinity while the partition is in a transition, or has not come to the topic's last.
 */
export function settledOffset(epochs: readonly Epoch[], stretch: Stretch): number {
  if (growthsOf(epochs, stretch).length === 0) return 0;
  const own = epochs.filter((epoch) => isSameStretch(epoch, stretch));
  if ((own.at(-1)?.partitions ?? 0) < partitionsOf(epochs, stretch)) return Infinity;
  const last = growthsOf(own, stretch).at(-1)?.transition ?? Infinity;
  const after = own.filter(({ ordering, epoch }) => ordering === "offset" && epoch > last);
  return Math.min(Infinity, ...after.map(({ firstOffset }) => firstOffset));
}

/** The stretches of a topic, those included of which nothing was read yet. */
export function stretchesOf(epochs: readonly Epoch[], topic: Topic): Stretch[] {
  const read = epochs.filter((epoch) => isOfTopic(epoch, topic)).map(({ partition }) => partition);
  const count = Math.max(partitionsOf(epochs, topic), ...read.map((partition) => partition + 1));
  const { topic: name, incarnation } = topic;
  return Array.from({ length: count }, (_, partition) => ({ topic: name, incarnation, partition }));
}

/** Transitions that began with numbers below `below`, oldest first. */
export function growthsOf(epochs: readonly Epoch[], topic: Topic, below = Infinity): Transition[] {
  const found = new Map<number, Transition>();
  for (const epoch of epochs)
    if (epoch.ordering === "timestamp" && isOfTopic(epoch, topic) && epoch.transition < below)
      found.set(epoch.transition, epoch);
  return [...found.values()].toSorted((a, b) => a.transition - b.transition);
}

/**
 * Numbers for writing a grown topic again: `lowest` is the first of them, all are below `above`. Undefined where too few are left.
 */
export function numbersFor(
  epochs: readonly Epoch[],
  topic: Topic,
): { lowest: number; above: number } | undefined {
  const lowest = nextNumber(epochs, undefined);
  const above = lowest + growthsOf(epochs, topic).length * SPAN;
  return above + RESERVE <= MAX_EPOCH ? { lowest, above } : undefined;
}

export function usedUp({ environment, name }: PipelineId, topic: string): Problem {
  return {
    code: "epochs-used-up",
    message: `${environment}:${name} has written topic ${topic} again so often since it grew that few epoch numbers are left.`,
    hint: "Run the release as a pipeline of another name, which reads the topic from its beginning.",
  };
}

/**
 * A stretch's records before `to`, cut where their order changes, each with the epoch under which it is written again. What came before the topic last
 * grew is written under numbers that all its partitions share: before a growth by offset, in its transition by time, as it was ordered when it was
 * first read. So an identity's records are in their order, whichever partitions they lie in and whoever writes them when. What came after is in `epoch`.
 */
export function layersOf(
  epochs: readonly Epoch[],
  { epoch, lowest, to }: { epoch: Epoch; lowest: number | undefined; to: number },
): Layer[] {
  if (lowest === undefined) return [{ from: 0, to, epoch }];
  const own = epochs.filter((one) => isSameStretch(one, epoch) && one.epoch < lowest);
  const growths = growthsOf(epochs, epoch, lowest);
  const starts = [...new Set(own.map(({ firstOffset }) => firstOffset))].toSorted((a, b) => a - b);
  const layers: Layer[] = [];
  for (const [i, start] of starts.entries()) {
    const owner = epochOf(own, epoch, start);
    if (owner === undefined || start >= to) continue;
    const end = Math.min(to, starts[i + 1] ?? Infinity);
    const under = { ...epoch, ...orderOf(owner, growths, lowest, epoch.epoch) };
    const last = layers.at(-1);
    if (last?.epoch.epoch === under.epoch) last.to = end;
    else layers.push({ from: last?.to ?? 0, to: end, epoch: under });
  }
  return layers;
}

function orderOf(owner: Epoch, growths: readonly Transition[], lowest: number, newest: number) {
  if (owner.ordering === "offset") {
    const before = growths.filter(({ transition }) => transition < owner.epoch).length;
    const number = before === growths.length ? newest : lowest + before * SPAN;
    return { ordering: "offset" as const, epoch: number };
  }
  const { untilMs, origin } = owner;
  const at = growths.findIndex(({ transition }) => transition === owner.transition);
  const transition = lowest + at * SPAN + 1;
  return { ordering: "timestamp" as const, epoch: transition, transition, untilMs, origin };
}

function partitionsOf(epochs: readonly Epoch[], topic: Topic): number {
  const known = epochs.filter((epoch) => isOfTopic(epoch, topic));
  return Math.max(0, ...known.map(({ partitions }) => partitions));
}

function isOfTopic(epoch: Epoch, { topic, incarnation }: Topic): boolean {
  return epoch.topic === topic && epoch.incarnation === incarnation;
}
