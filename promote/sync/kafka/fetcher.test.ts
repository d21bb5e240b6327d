import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { until } from "../fixture.ts";
import type { KafkaClient } from "./client.ts";
import type { Fetched } from "./fetch.ts";
import { fetchFromLeaders } from "./fetcher.ts";
import { heldOf } from "./held-fixture.ts";
import { openWorker } from "./worker.ts";

const NOT_LEADER = 6;
const UNKNOWN_TOPIC_ID = 100;
const topicId = "1";
const LIMITS = { maxBytes: 1, maxBytesPerPartition: 1, maxWaitMs: 1, minBytes: 1 };

/** A source that reads one partition, of which the broker that is asked says `error`. */
function readingOf(error: (broker: number) => number) {
  const answer = (broker: number): Fetched[] => [
    { topicId, partition: 0, error: error(broker), batches: Buffer.alloc(0), aborted: [], first: 0, stable: 0 }, // prettier-ignore
  ];
  const client = {
    node: async (broker: number) => broker,
    send: (broker: number) => turn(answer(broker)),
  };
  // Nothing else of a client is used to fetch.
  const worker = openWorker(client as unknown as KafkaClient);
  worker.held.set("t/0", heldOf(topicId));
  return worker;
}

test("a partition that its broker does not serve is told of for as long as it is so", async () => {
  let error = NOT_LEADER;
  const worker = readingOf(() => error);
  const fetching = fetchFromLeaders(worker, LIMITS, () => undefined);
  await until("it is told of", () => worker.troubles.size > 0);
  expect([...worker.troubles.values()]).toMatchObject([
    { code: "kafka-unavailable", message: expect.stringContaining("t/0: NOT_LEADER_OR_FOLLOWER") },
  ]);
  error = 0;
  await until("it is over", () => worker.troubles.size === 0);
  worker.closing.abort();
  await fetching;
});

test("a partition is fetched from the broker that has come to lead it", async () => {
  const asked = new Set<number>();
  const worker = readingOf((broker) => {
    asked.add(broker);
    return broker === worker.held.get("t/0")?.leader ? 0 : NOT_LEADER;
  });
  const fetching = fetchFromLeaders(worker, LIMITS, () => undefined);
  await until("it is fetched from its leader", () => asked.has(1));
  for (const held of worker.held.values()) held.leader = 2;
  await until("it is fetched from its new leader", () => asked.has(2));
  await until("nothing is wrong", () => worker.troubles.size === 0);
  expect([...asked]).toEqual([1, 2]);
  worker.closing.abort();
  await fetching;
});

test("a partition whose topic is gone is not asked for, and is no trouble of the broker that led it", async () => {
  let asks = 0;
  const worker = readingOf(() => {
    asks++;
    return UNKNOWN_TOPIC_ID;
  });
  const held = worker.held.get("t/0");
  const noticed = (isAbsent: boolean) => () => Object.assign(held ?? {}, { isAbsent });
  const fetching = fetchFromLeaders(worker, LIMITS, noticed(true));
  await until("nothing is wrong with the broker", () => asks > 0 && worker.troubles.size === 0);
  expect(asks).toBe(1);
  noticed(false)();
  await until("it is asked for again", () => asks > 1);
  worker.closing.abort();
  await fetching;
});
