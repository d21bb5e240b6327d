import type { DatabaseSync } from "node:sqlite";
import type { Problem } from "#snapshots/problem.ts";
import { openRewrite, type Begun } from "../rewrites/begin-rewrite.ts";
import {
  endOfEpoch,
  endTransition,
  epochOf,
  isSameStretch,
  listEpochs,
  movingTransition,
  openAlike,
  openTransition,
  sharedTransition,
  transitionAhead,
  untilOf,
  type Epoch,
  type NewEpoch,
  type PipelineId,
  type Stretch,
} from "./epochs.ts";
import { timesDecideUntil } from "./grown-before.ts";
import type { Assignment, Delivery, PartitionRange, SourceRecord, TopicReader } from "../ports.ts";
import { claimStretch, forgetStretch, rewindStretch } from "./stretch-offsets.ts";
import { beyondEnd, outOfRange, unassigned } from "./stretch-problems.ts";
import { STOPPED } from "../unless-stopped.ts";
import type { RewriteHead } from "../rewrites/rewrites.ts";

/** Records of one partition and one epoch, in offset order. */
export type Portion = {
  stretch: Stretch;
  epoch: Epoch;
  records: readonly SourceRecord[];
};

/** Part of a delivery that falls into one epoch. `next` is where reading goes on after it. */
export type Piece = Portion & {
  next: number;
  /** Under which taking of its partition it was read: only that one's commits count. */
  claim: string;
};

export type StretchesOptions = {
  id: PipelineId;
  state: DatabaseSync;
  /** This worker among those that take stretches. */
  owner: string;
  release: string;
  now: () => Date;
  /** To look up offsets by time, keys, and how far a topic reaches, where one has grown. */
  reader: Pick<TopicReader, "offsetAt" | "ranges" | "read">;
  growth: Growth;
  /** Aborted: no partition is taken any more, as others take them. */
  reading: AbortSignal;
};

/**
 * After partitions were added, producers go on by what they knew for `transitionMs` (a producer's metadata.max.age.ms), and records of the last
 * `lookBackMs` before it was noticed are handled again, ordered by time. `before`: whether some were added to a topic that is read for the first time;
 * its keys tell when absent.
 */
export type Growth = { transitionMs: number; lookBackMs: number; before?: boolean };
export const GROWTH: Growth = { transitionMs: 330_000, lookBackMs: 60_000 };

/** The partitions a pipeline reads here: where each goes on, and by which epoch its records are handled. */
export type Stretches = {
  /** Takes a partition: opens the epochs it needs and says where to read from. */
  assign(
    assignment: Assignment,
    range: PartitionRange | undefined,
  ): Promise<{ epoch: Epoch; from: number } | Problem>;
  release(partitions: readonly { topic: string; partition: number }[]): void;
  /** Cuts a delivery where epochs meet. */
  cut(delivery: Delivery): Piece[] | Problem;
  /** What is read from now on is handled by another release. The new epochs are durable when this returns. */
  swap(release: string): Epoch[];
  /**
   * Ends transitions whose time is over, once it is known how far the topic reaches: what is appended from then on is ordered by offset again, in the
   * epochs that it gives. What lies before stays in the transition, however late it is read. Never waits; called between deliveries.
   */
  settle(): Epoch[];
  /**
   * Opens a new epoch at where a rewrite's stretch is read now, so that what lies before can be written again above what is there. Undefined when it
   * is not read here (any more), has to be waited for, or while a transition lets times decide: there is no above within it.
   */
  renew(rewrite: RewriteHead): Begun | undefined;
  list(): { stretch: Stretch; position: number }[];
};

type Place = { stretch: Stretch; position: number; partitions: number; claim: string };
/** How far a topic reached when it was asked at `atMs`, or soon after. */
type Ends = { ranges: readonly PartitionRange[]; atMs: number };

const ASK_AGAIN_MS = 1000;
const SETTLED = "order by offset again";
const GROWN_BEFORE = "partitions added before";

export function openStretches(options: StretchesOptions): Stretches {
  const { id, state, owner } = options;
  let release = options.release;
  let learnedAt = options.now();
  let epochs = listEpochs(state, id);
  const held = new Map<string, Place>();
  let claims = 0;
  /** The ends of topics with a transition that is over, as they have come. */
  let ends: Ends[] = [];
  /** When topics were asked last; Infinity where the answer is yet to come. */
  const askedMs = new Map<string, number>();

  const newestOf = (stretch: Stretch): Epoch | undefined =>
    epochs.findLast(
      (epoch) => epoch.topic === stretch.topic && epoch.partition === stretch.partition,
    );
  const draft = (
    stretch: Stretch,
    partitions: number,
    firstOffset: number,
    reason: string,
    above?: number,
  ): NewEpoch => ({
    ...stretch,
    ...(above === undefined ? {} : { above }),
    partitions,
    firstOffset,
    release,
    reason,
    openedAt: options.now().toISOString(),
  });

  function open(fresh: NewEpoch, claim: string): Epoch | undefined {
    return openAlike(state, id, fresh, options.now().getTime(), claim);
  }

  /** Those whose newest epoch is a transition that was over by the clock at `nowMs`. */
  function overdue(nowMs: number): Place[] {
    return [...held.values()].filter(({ stretch }) => {
      const newest = epochs.findLast((epoch) => isSameStretch(epoch, stretch));
      return newest !== undefined && untilOf(epochs, newest) <= nowMs;
    });
  }

  /** One request of a topic at a time: a broker that is away answers when it is back. */
  async function ask(topic: string, atMs: number): Promise<void> {
    askedMs.set(topic, Infinity);
    try {
      ends.push({ ranges: await options.reader.ranges(topic), atMs });
    } catch {
      // The source says what is wrong with the topic.
    } finally {
      askedMs.set(topic, options.now().getTime());
    }
  }

  function settle(): Epoch[] {
    const known = ends;
    ends = [];
    const opened = known.flatMap(endTransitions);
    const nowMs = options.now().getTime();
    for (const topic of new Set(overdue(nowMs).map(({ stretch }) => stretch.topic)))
      if (nowMs - (askedMs.get(topic) ?? -Infinity) >= ASK_AGAIN_MS) void ask(topic, nowMs);
    return opened;
  }

  function endTransitions({ ranges, atMs }: Ends): Epoch[] {
    const opened = overdue(atMs).flatMap(({ stretch, partitions, position, claim }) => {
      const range = ranges.find((one) => keyOf(one) === keyOf(stretch));
      if (range === undefined) return [];
      const from = Math.max(range.end, position);
      const fresh = draft(stretch, partitions, from, SETTLED);
      return endTransition(state, id, fresh, claim) ?? [];
    });
    epochs = listEpochs(state, id);
    return opened;
  }

  /** Another worker opened it for a release this one has not heard of yet. */
  function isNews(epoch: Epoch): boolean {
    return new Date(epoch.openedAt) > learnedAt;
  }

  async function grow(
    stretch: Stretch,
    partitions: number,
    from: number,
    first: number,
    claim: string,
    above: number | undefined,
  ): Promise<{ epoch: Epoch | undefined; from: number }> {
    const { transitionMs, lookBackMs } = options.growth;
    const nowMs = options.now().getTime();
    const unread = draft(stretch, partitions, from, "partitions added", above);
    const shared = sharedTransition(epochs, unread);
    const untilMs = shared?.untilMs ?? nowMs + transitionMs;
    const isNew = newestOf(stretch) === undefined;
    const sinceMs = untilMs - transitionMs - lookBackMs;
    const since = isNew
      ? first
      : await options.reader.offsetAt(stretch.topic, stretch.partition, sinceMs);
    // What is left to read of an earlier transition stays in it: other partitions may be past that, and are looked back at no further.
    const ahead = transitionAhead(epochs, stretch, from);
    const isLeft = above === undefined && ahead?.of.transition !== shared?.transition;
    const start = Math.max(first, Math.min(isLeft ? (ahead?.end ?? from) : from, since));
    const next = Math.min(from, start);
    // Before the epoch: a worker killed between the two finds that the topic has grown, and looks back again.
    rewindStretch(state, id, stretch, next);
    const fresh = { ...unread, firstOffset: start };
    return { epoch: openTransition(state, id, fresh, untilMs, claim), from: next };
  }

  /** Of a partition that is read for the first time: times decide from the start where some had been added to the topic before. */
  async function begin(
    fresh: NewEpoch,
    ofTopic: readonly Epoch[],
    claim: string,
  ): Promise<Epoch | undefined> {
    const untilMs = await untilWhen(fresh, ofTopic);
    if (untilMs === undefined) return open(fresh, claim);
    const grown = { ...fresh, reason: GROWN_BEFORE };
    return openTransition(state, id, grown, untilMs, claim);
  }

  async function untilWhen(
    { topic, partitions }: NewEpoch,
    ofTopic: readonly Epoch[],
  ): Promise<number | undefined> {
    const known = ofTopic.findLast(({ ordering }) => ordering === "timestamp");
    if (known?.ordering === "timestamp") return known.untilMs;
    if (ofTopic.length > 0 || partitions === 1) return undefined;
    return timesDecideUntil(options.reader, topic, options.growth, options.now().getTime());
  }

  async function assign(
    assignment: Assignment,
    range: PartitionRange | undefined,
  ): Promise<{ epoch: Epoch; from: number } | Problem> {
    const { topic, incarnation, partition, first, partitions = 1 } = assignment;
    const stretch = { topic, incarnation, partition };
    if (options.reading.aborted) return STOPPED;
    epochs = listEpochs(state, id);
    // A topic made again is read from its beginning: what came before it was noticed is as new as what came after.
    const before = newestOf(stretch)?.incarnation;
    const isMadeAgain = before !== undefined && before !== incarnation;
    const fresh = assignment.committed ?? (isMadeAgain ? first : (assignment.start ?? first));
    // A taking of its own: what this worker has in flight of an earlier one is read again too.
    const claim = `${owner}/${++claims}`;
    let from = claimStretch(state, id, stretch, claim, fresh);
    epochs = listEpochs(state, id);
    const newest = newestOf(stretch);
    const own = newest?.incarnation === incarnation ? newest : undefined;
    if (range !== undefined && (from < range.first || from > range.end)) {
      const isBegun = own !== undefined || assignment.committed !== null;
      if (isBegun || from <= range.end) return outOfRange(stretch, from, range);
      forgetStretch(state, id, stretch);
      return beyondEnd(stretch, from, range.end);
    }
    const ofTopic = epochs.filter(
      (epoch) => epoch.topic === topic && epoch.incarnation === incarnation,
    );
    const hasGrown =
      (own?.partitions ?? 0) < partitions && ofTopic.some((other) => other.partitions < partitions);
    // A state database lost, or put back from a copy: the sinks hold epochs of this partition that it does not know.
    const { epoch: committed = 0 } = assignment;
    const above = committed > (newest?.epoch ?? 0) ? committed : undefined;
    let epoch = own;
    if (hasGrown) {
      ({ epoch, from } = await grow(stretch, partitions, from, first, claim, above));
    } else if (
      above !== undefined ||
      own === undefined ||
      (own.release !== release && !isNews(own))
    ) {
      const reason =
        above !== undefined ? "epochs lost" : own === undefined ? reasonFor(newest) : "release";
      const next = draft(stretch, partitions, from, reason, above);
      epoch = own === undefined ? await begin(next, ofTopic, claim) : open(next, claim);
    }
    // Taken by another worker meanwhile, which was told of it before this one: the group's last word counts.
    if (epoch === undefined) return assign(assignment, range);
    epochs = listEpochs(state, id);
    held.set(keyOf(stretch), { stretch, position: from, partitions, claim });
    return { epoch, from };
  }

  function cut(delivery: Delivery): Piece[] | Problem {
    const place = held.get(keyOf(delivery));
    if (place === undefined) return unassigned(delivery);
    const { stretch, partitions, claim } = place;
    const { records } = delivery;
    const pieces: Piece[] = [];
    const nowMs = options.now().getTime();
    for (let from = 0; from < records.length;) {
      const offset = records[from]?.offset ?? 0;
      let epoch = epochOf(epochs, stretch, offset);
      if (epoch === undefined) return unassigned(delivery);
      let untilMs = untilOf(epochs, epoch);
      if (isOver(records[from], untilMs, nowMs)) {
        const fresh = draft(stretch, partitions, offset, SETTLED);
        // Another worker's by now: what this one still writes is older than that one's.
        epoch = endTransition(state, id, fresh, claim) ?? epoch;
        epochs = listEpochs(state, id);
        untilMs = untilOf(epochs, epoch);
      }
      const end = endOfEpoch(epochs, stretch, epoch);
      const found = records.findIndex(
        (record, i) => i > from && (record.offset >= end || isOver(record, untilMs, nowMs)),
      );
      const to = needsCut(records, end, epoch) && found > 0 ? found : records.length;
      pieces.push({
        stretch,
        epoch,
        claim,
        records: from === 0 && to === records.length ? records : records.slice(from, to),
        next: to === records.length ? delivery.next : (records[to]?.offset ?? delivery.next),
      });
      from = to;
    }
    place.position = Math.max(delivery.next, (records.at(-1)?.offset ?? -1) + 1);
    return pieces;
  }

  return {
    assign,
    release(partitions) {
      for (const partition of partitions) held.delete(keyOf(partition));
    },
    cut,
    settle,
    swap(next) {
      release = next;
      learnedAt = options.now();
      const opened = [...held.values()]
        .filter(({ stretch }) => newestOf(stretch)?.release !== next)
        .flatMap(
          ({ stretch, partitions, position, claim }) =>
            open(draft(stretch, partitions, position, "release"), claim) ?? [],
        );
      epochs = listEpochs(state, id);
      return opened;
    },
    renew(rewrite) {
      const place = held.get(keyOf(rewrite));
      if (place === undefined || !isSameStretch(place.stretch, rewrite)) return undefined;
      epochs = listEpochs(state, id);
      const { stretch: own, position, partitions } = place;
      const nowMs = options.now().getTime();
      if (transitionAhead(epochs, own, position) !== undefined) return undefined;
      if (movingTransition(epochs, own, nowMs) !== undefined) return undefined;
      const fresh = draft(own, partitions, position, rewrite.reason);
      const begun = openRewrite(state, id, rewrite, fresh, { owner: place.claim, learnedAt });
      epochs = listEpochs(state, id);
      return begun;
    },
    list: () => [...held.values()].map(({ stretch, position }) => ({ stretch, position })),
  };
}

function reasonFor(newest: Epoch | undefined): string {
  return newest === undefined ? "start" : "topic made again";
}

/** By the record itself, as after a long stop; what is dated after now says nothing of when it was written. */
function isOver(record: SourceRecord | undefined, untilMs: number, nowMs: number): boolean {
  if (record === undefined) return false;
  return record.timestampMs >= untilMs && record.timestampMs <= nowMs;
}

function needsCut(records: readonly SourceRecord[], end: number, epoch: Epoch): boolean {
  return epoch.ordering === "timestamp" || (records.at(-1)?.offset ?? 0) >= end;
}

function keyOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
