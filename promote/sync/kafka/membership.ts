import { setTimeout as delay } from "node:timers/promises";
import type { Assignment } from "../ports.ts";
import { unlessStopped } from "../unless-stopped.ts";
import { takePartitions } from "./assign.ts";
import { openBell } from "./bell.ts";
import { typeOf } from "./errors.ts";
import type { Member, TopicPartition } from "./group.ts";
import { leaderOf, placeKey } from "./list-offsets.ts";
import { fetchMetadata, type TopicMetadata } from "./metadata.ts";
import { changesOf } from "./watch.ts";
import { halt, isClosing, report, ringRoom, trouble, type Start, type Worker } from "./worker.ts";

export type MembershipOptions = {
  /** Names, or a pattern over the names of all topics. */
  topics: readonly string[] | RegExp;
  start: Start;
  heartbeatMs: number;
  metadataMaxAgeMs: number;
};

export type Membership = {
  /** The caller has seen the last events: what it was told is revoked is given up. */
  acknowledge(): void;
  /** Look at the topics again soon. */
  refresh(): void;
  stop(): Promise<void>;
};

const BACKOFF_MS = 300;
/** So many tries in a row are the ordinary course of a rebalance, or of a coordinator that moves. */
const ORDINARY_TRIES = 10;
const SOON_MS = 100;

/**
 * Keeps this worker in its group: joins, tells the caller what it reads, gives up before it joins again, and watches the topics for new
 * partitions, new topics of a pattern, and topics made again (by their ids).
 */
export function keepMembership(
  worker: Worker,
  member: Member,
  options: MembershipOptions,
): Membership {
  const { signal } = worker.closing;
  const change = openBell();
  const look = openBell();
  let dealt: ReadonlyMap<string, number> = new Map();
  let subscribed: string[] = [];
  let isJoined = false;
  let wantsRejoin = false;
  let remade = new Set<string>();
  /** Topics of the first look: of one made since, everything is later than `start: latest`. */
  let atFirst: ReadonlySet<string> | undefined;
  let seen: (() => void) | undefined;
  /** Of this worker, and without a leader yet, or not there yet as far as it can see: they keep it from none of the others. */
  let leaderless: TopicPartition[] = [];

  async function lookAtTopics(): Promise<void> {
    const names = options.topics instanceof RegExp ? undefined : options.topics;
    const { topics, forbidden } = await fetchMetadata(worker.client, names);
    if (forbidden.length > 0 && names !== undefined) return halt(worker, notAllowed(forbidden));
    const { topics: wanted } = options;
    worker.topics =
      wanted instanceof RegExp
        ? new Map([...topics].filter(([name]) => new RegExp(wanted).test(name)))
        : topics;
    atFirst ??= new Set(worker.topics.keys());
    const missing = (names ?? []).filter((name) => !topics.has(name));
    if (worker.topics.size === 0 && wanted instanceof RegExp) trouble(worker, "topics", UNMATCHED);
    else if (missing.length === 0) worker.troubles.delete("topics");
    else trouble(worker, "topics", absent(missing));
    for (const held of worker.held.values()) {
      held.isAbsent = worker.topics.get(held.topic)?.id !== held.topicId;
      const leader = leaderOf(worker.topics, held);
      if (leader >= 0 && !held.isAbsent) held.leader = leader;
    }
  }

  function decide(): void {
    const ids = new Map([...worker.held.values()].map((held) => [held.topic, held.topicId]));
    const changes = changesOf(dealt, ids, worker.topics);
    remade = new Set(changes.remade);
    const isPattern = options.topics instanceof RegExp;
    const names = [...worker.topics.keys()].toSorted();
    if (isPattern && names.join("\n") !== subscribed.join("\n")) wantsRejoin = true;
    if (changes.isRedealt) wantsRejoin = true;
    if (remade.size > 0 || wantsRejoin) change.ring();
    ringRoom(worker);
  }

  async function watchTopics(): Promise<void> {
    while (!signal.aborted && worker.halted === undefined) {
      await look.wait(options.metadataMaxAgeMs, signal);
      if (!isJoined || signal.aborted) continue;
      try {
        await lookAtTopics();
        worker.troubles.delete("metadata");
        if (isJoined) decide();
      } catch (cause) {
        report(worker, "metadata", cause, "looking at the topics");
      }
      await delay(SOON_MS);
    }
  }

  async function heartbeats(): Promise<void> {
    while (!signal.aborted) {
      await delay(options.heartbeatMs, undefined, { signal }).catch(() => undefined);
      if (!isJoined || signal.aborted) continue;
      try {
        if ((await member.beat()) === "rejoin") {
          wantsRejoin = true;
          change.ring();
        }
        worker.troubles.delete("heartbeat");
      } catch (cause) {
        report(worker, "heartbeat", cause, "a heartbeat to the group's coordinator");
      }
    }
  }

  /** Resolves when the caller has finished what it holds of these, or dropped it. */
  async function giveUp(places: readonly TopicPartition[]): Promise<void> {
    if (places.length === 0) return;
    for (const place of places) {
      const held = worker.held.get(placeKey(place));
      if (held === undefined) continue;
      held.isLeaving = true;
      held.queue = [];
    }
    const given = places.map(({ topic, partition }) => ({ topic, partition }));
    worker.events.push({ kind: "revoked", partitions: given });
    const isSeen = new Promise<void>((resolve) => (seen = resolve));
    worker.news.ring();
    await unlessStopped(isSeen, signal, undefined);
    for (const place of places) worker.held.delete(placeKey(place));
  }

  async function take(places: readonly TopicPartition[]): Promise<void> {
    const isNew = (topic: string): boolean => atFirst?.has(topic) === false;
    leaderless = places.filter((place) => leaderOf(worker.topics, place) < 0);
    if (leaderless.length === 0) worker.troubles.delete("leaders");
    else trouble(worker, "leaders", withoutLeader(leaderless));
    const led = places.filter((place) => !leaderless.includes(place));
    const taken = await takePartitions(worker, member, led, options.start, isNew);
    const partitions: Assignment[] = taken.map(({ assignment }) => assignment);
    for (const { held } of taken) worker.held.set(placeKey(held), held);
    if (partitions.length > 0) worker.events.push({ kind: "assigned", partitions });
    worker.news.ring();
  }

  async function join(): Promise<void> {
    await lookAtTopics();
    const { topics } = options;
    subscribed = topics instanceof RegExp ? [...worker.topics.keys()].toSorted() : [...topics];
    const before = countsOf(worker.topics);
    const places = await member.join(subscribed, async () => before);
    wantsRejoin = false;
    isJoined = true;
    await lookAtTopics();
    // Who does not deal may hear of what was added later than who does, from another broker: its partitions are then told with what it knows by now.
    dealt = member.isLeader() ? before : countsOf(worker.topics);
    await take(places);
  }

  /** While this worker is in the group. */
  async function stay(): Promise<void> {
    for (;;) {
      if (isClosing(worker) || wantsRejoin || worker.halted !== undefined) return;
      const again = [...worker.held.values()].filter(({ topic }) => remade.has(topic));
      if (again.length > 0) {
        await giveUp(again);
        remade.clear();
        await take([...again, ...leaderless]);
      } else if (leaderless.some((place) => leaderOf(worker.topics, place) >= 0)) {
        await take(leaderless);
      } else if (leaderless.length > 0) {
        look.ring();
        await change.wait(BACKOFF_MS, signal);
      } else {
        await change.wait(options.metadataMaxAgeMs, signal);
      }
    }
  }

  async function run(): Promise<void> {
    let moves = 0;
    while (!isClosing(worker) && worker.halted === undefined) {
      try {
        await join();
        moves = 0;
        worker.troubles.delete("group");
        await stay();
      } catch (cause) {
        const isOrdinary = GROUP_MOVES.has(typeOf(cause)) && ++moves <= ORDINARY_TRIES;
        if (!isOrdinary) report(worker, "group", cause, "joining the group");
        await delay(BACKOFF_MS, undefined, { signal }).catch(() => undefined);
      }
      if (isClosing(worker)) return;
      await giveUp([...worker.held.values()]);
      isJoined = false;
    }
  }

  const tasks = Promise.all([run(), watchTopics(), heartbeats()]);
  return {
    acknowledge() {
      seen?.();
      seen = undefined;
    },
    refresh: () => look.ring(),
    async stop() {
      await tasks;
    },
  };
}

/** Not worth a word, unless it goes on. */
const GROUP_MOVES = new Set([
  "REBALANCE_IN_PROGRESS",
  "ILLEGAL_GENERATION",
  "UNKNOWN_MEMBER_ID",
  "NOT_COORDINATOR_FOR_GROUP",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "GROUP_LOAD_IN_PROGRESS",
]);

function countsOf(topics: ReadonlyMap<string, TopicMetadata>): Map<string, number> {
  return new Map([...topics].map(([name, topic]) => [name, topic.partitions.length]));
}

function absent(topics: readonly string[]) {
  return {
    code: "kafka-topic-absent",
    message: `Topic ${topics.join(", ")} does not exist, or not any more.`,
    hint: "Make it, or correct the name in the environment's file. Reading starts by itself once it is there.",
  };
}

function withoutLeader(places: readonly TopicPartition[]) {
  return {
    code: "kafka-unavailable",
    message: `Kafka: no broker serves ${places.map(placeKey).join(", ")} just now.`,
    hint: "See that the brokers run. All other partitions are read meanwhile.",
  };
}

const UNMATCHED = {
  code: "kafka-topic-absent",
  message: "No topic that this user may see fits the pipeline's pattern.",
  hint: "Make one, or correct the pattern in the environment's file. Reading starts by itself once one is there.",
};

function notAllowed(topics: readonly string[]) {
  return {
    code: "kafka-not-authorised",
    message: `Kafka: this user may not read topic ${topics.join(", ")}.`,
    hint: "Have the topic's Describe and Read access (ACL) given to this user, then resume the pipeline.",
  };
}
