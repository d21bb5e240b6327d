import type { Problem } from "#snapshots/problem.ts";
import type { KafkaConnection, Surroundings } from "../connections.ts";
import type { Source, SourceEvent } from "../ports.ts";
import { within } from "../within.ts";
import { noteOf } from "./assign.ts";
import { openKafkaClient, type KafkaLog } from "./client.ts";
import { failureOf } from "./errors.ts";
import { fetchFromLeaders } from "./fetcher.ts";
import { openMember } from "./group.ts";
import { seekTo, type Held } from "./held.ts";
import { EARLIEST, LATEST, listOffsets, placeKey } from "./list-offsets.ts";
import { keepMembership } from "./membership.ts";
import { openNextEvent } from "./next-event.ts";
import { isClosing, openWorker, ringRoom, type Start } from "./worker.ts";

export type KafkaSourceOptions = {
  connection: KafkaConnection;
  surroundings: Surroundings;
  /** Names, or a pattern that a topic's whole name should match (anchor it). */
  topics: readonly string[] | RegExp;
  /** Workers of one pipeline share a group. */
  group: string;
  /** Where to begin in partitions of which the group has nothing committed. "earliest" by default. */
  start?: Start;
  log?: KafkaLog;
  /** How soon new partitions, new topics of a pattern and topics made again are seen. */
  metadataMaxAgeMs?: number;
  sessionTimeoutMs?: number;
  rebalanceTimeoutMs?: number;
  heartbeatMs?: number;
  /** Where records come slowly, how long the broker lets them gather: a batch has its cost, whatever its size. 200 by default. */
  gatherMs?: number;
  /** Of one fetch from one broker; up to three times that is held in memory. */
  maxBytes?: number;
  maxBytesPerPartition?: number;
};

const RANGE_AGE_MS = 900;
const LEAVE_MS = 2000;

/**
 * Topics of Kafka 3.1 or later as a `Source`: one worker of a consumer group.
 *
 * A topic is recognised by its id (`incarnation`), which Kafka gives it when it is made: fetches name the id, and commits carry it as
 * their metadata, so that neither records nor offsets of a topic made again are taken for the old one's.
 */
export async function openKafkaSource(options: KafkaSourceOptions): Promise<Source> {
  const opened = openKafkaClient(options.connection, options.surroundings, options.log);
  if (!opened.ok) return haltedSource(opened.problem);
  const client = opened.value;
  const worker = openWorker(client);
  const member = openMember(client, {
    groupId: options.group,
    sessionTimeoutMs: options.sessionTimeoutMs ?? options.connection.sessionTimeoutMs ?? 15_000,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
  });
  const membership = keepMembership(worker, member, {
    topics: options.topics,
    start: options.start ?? "earliest",
    heartbeatMs: options.heartbeatMs ?? 1000,
    metadataMaxAgeMs: options.metadataMaxAgeMs ?? 1500,
  });
  const limits = {
    maxBytes: options.maxBytes ?? 8 << 20,
    maxBytesPerPartition: options.maxBytesPerPartition ?? 1 << 20,
    maxWaitMs: Math.round(options.gatherMs ?? 200),
    minBytes: 1 << 20,
  };
  const fetching = fetchFromLeaders(worker, limits, () => membership.refresh());
  const next = openNextEvent(worker);

  /** What the last poll told has been dealt with: partitions nobody sought begin where the assignment said. */
  function settle(last: SourceEvent | undefined): void {
    if (last?.kind === "revoked") membership.acknowledge();
    if (last?.kind !== "assigned") return;
    for (const assignment of last.partitions) {
      const held = worker.held.get(placeKey(assignment));
      if (held === undefined || held.topicId !== assignment.incarnation) continue;
      held.position ??= assignment.committed ?? assignment.start ?? assignment.first;
    }
    ringRoom(worker);
  }

  async function freshRanges(held: readonly Held[]): Promise<void> {
    const firsts = await listOffsets(client, worker.topics, held, EARLIEST);
    const ends = await listOffsets(client, worker.topics, held, LATEST);
    for (const place of held) {
      place.first = firsts.get(placeKey(place)) ?? place.first;
      place.end = ends.get(placeKey(place)) ?? place.end;
      place.rangeAt = performance.now();
    }
  }

  let last: SourceEvent | undefined;
  return {
    async poll(request) {
      settle(last);
      last = undefined;
      const until = performance.now() + request.waitMs;
      for (;;) {
        const nowMs = performance.now();
        const event = next(request, nowMs);
        last = event;
        const leftMs = until - nowMs;
        if (event !== undefined) return event;
        if (leftMs <= 0 || request.signal?.aborted === true) return { kind: "idle" };
        await worker.news.wait(leftMs, request.signal);
      }
    },
    seek(topic, partition, offset) {
      const held = worker.held.get(placeKey({ topic, partition }));
      if (held !== undefined) seekTo(held, offset);
    },
    async commit(offsets) {
      const marks = offsets.flatMap(({ topic, partition, next: offset, epoch }) => {
        const held = worker.held.get(placeKey({ topic, partition }));
        if (held === undefined) return [];
        const beyond = held.gap.from === offset ? held.gap.to : offset;
        return [{ topic, partition, offset: beyond, note: noteOf(held.topicId, epoch) }];
      });
      try {
        if (marks.length > 0) await member.commit(marks);
        return marks.length < offsets.length ? notOurs(options.group) : undefined;
      } catch (cause) {
        return failureOf(cause, "a commit").problem;
      }
    },
    pause(partitions) {
      for (const place of partitions) {
        const held = worker.held.get(placeKey(place));
        if (held !== undefined) held.isPaused = true;
      }
    },
    resume(partitions) {
      for (const place of partitions) {
        const held = worker.held.get(placeKey(place));
        if (held !== undefined) held.isPaused = false;
      }
      ringRoom(worker);
      worker.news.ring();
    },
    async ranges() {
      const old = performance.now() - RANGE_AGE_MS;
      const stale = [...worker.held.values()].filter((held) => held.rangeAt < old);
      // What cannot be asked now stays as it was last known.
      if (stale.length > 0) await freshRanges(stale).catch(() => undefined);
      return [...worker.held.values()].map(({ topic, partition, first, end, gap }) => ({
        topic,
        partition,
        first,
        end: gap.to >= end ? gap.from : end,
      }));
    },
    async close() {
      if (isClosing(worker)) return;
      worker.closing.abort();
      const left = member.leave().catch(() => undefined);
      await within(LEAVE_MS, left);
      await client.close().catch(() => undefined);
      await Promise.all([membership.stop(), fetching]);
      // What was being connected meanwhile.
      await client.close().catch(() => undefined);
    },
  };
}

function notOurs(group: string): Problem {
  return {
    code: "kafka-not-assigned",
    message: `An offset was not committed: its partition has gone to another worker of the group ${group}.`,
    hint: "Nothing is lost: the other worker handles those records again.",
  };
}

/** A source that cannot begin says why at its first poll. */
function haltedSource(problem: Problem): Source {
  return {
    poll: async () => ({ kind: "halt", problem }),
    seek: () => undefined,
    commit: async () => problem,
    pause: () => undefined,
    resume: () => undefined,
    ranges: async () => [],
    close: async () => undefined,
  };
}
