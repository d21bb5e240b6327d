import { expect, test } from "vitest";
import { until } from "../fixture.ts";
import type { KafkaClient } from "./client.ts";
import type { Member } from "./group.ts";
import { keepMembership } from "./membership.ts";
import { openWorker } from "./worker.ts";

type Asked = { topic: string; partitions: { partition: number }[] };

/** A cluster of topics, each of one partition with this leader, or of several with one each. */
function clusterOf(leaders: Record<string, number | number[]>): KafkaClient {
  const broker = {
    versions: { 3: { maxVersion: 12 } },
    listOffsets: async ({ topics }: { topics: Asked[] }) => ({
      responses: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition }) => ({ partition, offset: "0" })),
      })),
    }),
  };
  const topicOf = ([name, led]: [string, number | number[]]) => {
    const partitions = [led].flat().map((leader, partition) => ({ partition, leader }));
    return [name, { name, id: name, partitions }] as const;
  };
  const client = {
    anyNode: async () => broker,
    node: async () => broker,
    send: async () => ({ topics: new Map(Object.entries(leaders).map(topicOf)), forbidden: [] }),
  };
  // Nothing else of a client is used to be a member.
  return client as unknown as KafkaClient;
}

/** As kafkajs throws it. */
const noCoordinator = (): Error =>
  Object.assign(new Error("The group coordinator is not available"), {
    type: "GROUP_COORDINATOR_NOT_AVAILABLE",
  });

/** Alone in its group: every partition is its own. `joins`: how often the group dealt. */
function loneMember(): Member & { joins(): number } {
  let joins = 0;
  return {
    joins: () => joins,
    join: async (topics, deal) => {
      joins++;
      await deal();
      return topics.map((topic) => ({ topic, partition: 0 }));
    },
    isLeader: () => true,
    beat: async () => "stay",
    committed: async () => [],
    commit: async () => undefined,
    leave: async () => undefined,
  };
}

const OPTIONS = { start: "earliest" as const, heartbeatMs: 1000, metadataMaxAgeMs: 1500 };

test("a partition without a leader keeps no other from being read, and is read once it has one", async () => {
  const leaders: Record<string, number> = { a: -1, b: 1 };
  const worker = openWorker(clusterOf(leaders));
  const member = loneMember();
  const membership = keepMembership(worker, member, { ...OPTIONS, topics: ["a", "b"] });
  const read = (): string[] => [...worker.held.keys()];
  await until("the other is read", () => read().includes("b/0"));
  expect(read()).toEqual(["b/0"]);
  expect([...worker.troubles.values()]).toMatchObject([
    { code: "kafka-unavailable", message: "Kafka: no broker serves a/0 just now." },
  ]);
  leaders["a"] = 1;
  await until("it is read", () => read().includes("a/0"));
  expect(worker.troubles.size).toBe(0);
  expect(worker.events.map(({ kind }) => kind)).toEqual(["assigned", "assigned"]);
  expect(member.joins()).toBe(1);
  worker.closing.abort();
  await membership.stop();
});

test("a worker that deals nothing and hears late of a partition that was added joins again, so that it is told of all and reads its own", async () => {
  const leaders: Record<string, number[]> = { a: [1] };
  const worker = openWorker(clusterOf(leaders));
  const given = [0, 1].map((partition) => ({ topic: "a", partition }));
  const member = { ...loneMember(), isLeader: () => false, join: async () => given };
  const membership = keepMembership(worker, member, { ...OPTIONS, topics: ["a"] });
  const told = (): (number | undefined)[][] =>
    worker.events.flatMap((event) =>
      event.kind === "assigned" ? [event.partitions.map(({ partitions }) => partitions)] : [],
    );
  await until("it reads what it knows of", () => told().length === 1);
  expect(told()).toEqual([[1]]);
  leaders["a"] = [1, 1];
  membership.refresh();
  await until("what it read is revoked", () => worker.events.at(-1)?.kind === "revoked");
  membership.acknowledge();
  await until("it is told again", () => told().length === 2);
  expect(told()).toEqual([[1], [2, 2]]);
  worker.closing.abort();
  await membership.stop();
});

test("a topic of a list that is deleted is not asked for until it is there again, and says so; the others stay", async () => {
  const leaders: Record<string, number> = { a: 1, b: 1 };
  const worker = openWorker(clusterOf(leaders));
  const member = loneMember();
  const membership = keepMembership(worker, member, { ...OPTIONS, topics: ["a", "b"] });
  const absent = (): string[] =>
    [...worker.held.values()].filter(({ isAbsent }) => isAbsent).map(({ topic }) => topic);
  await until("both are read", () => worker.held.size === 2);
  delete leaders["a"];
  membership.refresh();
  await until("it is missed", () => worker.troubles.size > 0);
  expect([...worker.troubles.values()]).toMatchObject([
    { code: "kafka-topic-absent", message: "Topic a does not exist, or not any more." },
  ]);
  expect(absent()).toEqual(["a"]);
  leaders["a"] = 1;
  membership.refresh();
  await until("it is there", () => worker.troubles.size === 0);
  expect(absent()).toEqual([]);
  expect(member.joins()).toBe(1);
  worker.closing.abort();
  await membership.stop();
});

test("a group that has no coordinator for long is told of, until it has one", async () => {
  const worker = openWorker(clusterOf({ a: 1 }));
  const member = loneMember();
  let tries = 0;
  let hasCoordinator = false;
  const join: Member["join"] = async (...asked) => {
    tries++;
    if (!hasCoordinator) throw noCoordinator();
    return member.join(...asked);
  };
  const group = { ...member, join };
  const membership = keepMembership(worker, group, { ...OPTIONS, topics: ["a"] });
  await until("it is told of", () => worker.troubles.size > 0);
  expect(tries).toBeGreaterThan(2);
  expect([...worker.troubles.values()]).toMatchObject([
    { code: "kafka-unavailable", message: expect.stringContaining("coordinator is not available") },
  ]);
  hasCoordinator = true;
  await until("it is read", () => worker.held.has("a/0"));
  await until("it is over", () => worker.troubles.size === 0);
  worker.closing.abort();
  await membership.stop();
});

test("a partition that was dealt and is not there yet is read once it is", async () => {
  const leaders: Record<string, number> = { a: 1, b: 1 };
  const worker = openWorker(clusterOf(leaders));
  const member = loneMember();
  // Between the deal and this worker's own look, which may be at a broker that has not heard of it.
  const join: Member["join"] = async (...asked) => {
    const dealt = await member.join(...asked);
    delete leaders["a"];
    return dealt;
  };
  const membership = keepMembership(
    worker,
    { ...member, join },
    { ...OPTIONS, topics: ["a", "b"] },
  );
  await until("the other is read", () => worker.held.has("b/0"));
  expect(worker.held.has("a/0")).toBe(false);
  leaders["a"] = 1;
  await until("it is read", () => worker.held.has("a/0"));
  await until("nothing is wrong", () => worker.troubles.size === 0);
  expect(member.joins()).toBe(1);
  worker.closing.abort();
  await membership.stop();
});
