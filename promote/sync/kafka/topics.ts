import { setTimeout as delay } from "node:timers/promises";
import kafkajs, { type Admin } from "kafkajs";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { KafkaConnection, Surroundings } from "../connections.ts";
import type { PartitionRange } from "../ports.ts";
import { kafkaConfig, openKafkaClient, type KafkaLog } from "./client.ts";
import { failureOf, typeOf } from "./errors.ts";
import { EARLIEST, LATEST, listOffsets, placeKey } from "./list-offsets.ts";
import { fetchMetadata, type TopicMetadata } from "./metadata.ts";

export type NewTopic = {
  topic: string;
  partitions: number;
  /** Absent: the broker's default. */
  replicas?: number;
  config?: Readonly<Record<string, string>>;
};

/** Topics themselves: for the CLI, the demo, a sink's plan, and tests. */
export type KafkaTopics = {
  /** Resolves when every partition has a leader. Making what is there already is a problem, `kafka-topic-exists`. */
  create(topic: NewTopic): Promise<Problem | undefined>;
  /** Resolves when it is gone. */
  remove(topic: string): Promise<Problem | undefined>;
  addPartitions(topic: string, total: number): Promise<Problem | undefined>;
  /** undefined: there is no such topic. */
  describe(topic: string): Promise<Result<TopicMetadata | undefined>>;
  list(): Promise<Result<string[]>>;
  /** One of a topic's settings. undefined: there is no such topic. */
  config(topic: string, name: string): Promise<Result<string | undefined>>;
  /** From the first record at or after a time (the log's beginning by default) to the end. */
  ranges(topic: string, fromMs?: number): Promise<Result<PartitionRange[]>>;
  close(): Promise<void>;
};

const SETTLED_MS = 10_000;
const LOOK_MS = 50;

export function kafkaTopics(
  connection: KafkaConnection,
  surroundings: Surroundings,
  log?: KafkaLog,
): Result<KafkaTopics> {
  const config = kafkaConfig(connection, surroundings, log);
  if (!config.ok) return config;
  const opened = openKafkaClient(connection, surroundings, log);
  if (!opened.ok) return opened;
  const client = opened.value;
  const admin = new kafkajs.Kafka(config.value).admin();

  async function find(topic: string): Promise<TopicMetadata | undefined> {
    return (await fetchMetadata(client, [topic])).topics.get(topic);
  }

  /** Brokers answer before all of them know. */
  async function until(holds: () => Promise<boolean>): Promise<void> {
    const until = performance.now() + SETTLED_MS;
    while (!(await holds()) && performance.now() < until) await delay(LOOK_MS);
  }

  async function done(
    doing: string,
    act: (admin: Admin) => Promise<unknown>,
    settled: () => Promise<boolean>,
  ): Promise<Problem | undefined> {
    try {
      await admin.connect();
      await act(admin);
      await until(settled);
      return undefined;
    } catch (cause) {
      return failureOf(cause, doing).problem;
    }
  }

  async function hasLeaders(topic: string, partitions: number): Promise<boolean> {
    const found = await find(topic);
    const led = found?.partitions.filter(({ leader }) => leader >= 0) ?? [];
    return led.length >= partitions;
  }

  return ok({
    async create({ topic, partitions, replicas = -1, config: entries = {} }) {
      const configEntries = Object.entries(entries).map(([name, value]) => ({ name, value }));
      try {
        await admin.connect();
        const made = await admin.createTopics({
          topics: [
            { topic, numPartitions: partitions, replicationFactor: replicas, configEntries },
          ],
          waitForLeaders: false,
        });
        if (!made) return exists(topic);
        await until(() => hasLeaders(topic, partitions));
        return undefined;
      } catch (cause) {
        return failureOf(causeOf(cause), `making topic ${topic}`).problem;
      }
    },
    remove: (topic) =>
      done(
        `deleting topic ${topic}`,
        (connected) => connected.deleteTopics({ topics: [topic] }),
        async () => (await find(topic)) === undefined,
      ),
    addPartitions: (topic, count) =>
      done(
        `adding partitions to topic ${topic}`,
        (connected) => connected.createPartitions({ topicPartitions: [{ topic, count }] }),
        () => hasLeaders(topic, count),
      ),
    async describe(topic) {
      try {
        return ok(await find(topic));
      } catch (cause) {
        return fail(failureOf(cause, `looking for topic ${topic}`).problem);
      }
    },
    async list() {
      try {
        return ok([...(await fetchMetadata(client, undefined)).topics.keys()].toSorted());
      } catch (cause) {
        return fail(failureOf(cause, "listing topics").problem);
      }
    },
    async config(topic, name) {
      try {
        if ((await find(topic)) === undefined) return ok(undefined);
        await admin.connect();
        const { resources } = await admin.describeConfigs({
          includeSynonyms: false,
          resources: [
            { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [name] },
          ],
        });
        const entries = resources[0]?.configEntries ?? [];
        return ok(entries.find(({ configName }) => configName === name)?.configValue ?? "");
      } catch (cause) {
        return fail(failureOf(cause, `reading the settings of topic ${topic}`).problem);
      }
    },
    async ranges(topic, fromMs) {
      try {
        const { topics } = await fetchMetadata(client, [topic]);
        const places = (topics.get(topic)?.partitions ?? []).map(({ partition }) => ({
          topic,
          partition,
        }));
        const firsts = await listOffsets(client, topics, places, fromMs ?? EARLIEST);
        const ends = await listOffsets(client, topics, places, LATEST);
        return ok(
          places.map((place) => {
            const end = ends.get(placeKey(place)) ?? 0;
            const first = firsts.get(placeKey(place)) ?? -1;
            return { ...place, first: first < 0 ? end : first, end };
          }),
        );
      } catch (cause) {
        return fail(failureOf(cause, `asking how far topic ${topic} reaches`).problem);
      }
    },
    async close() {
      await client.close();
      await admin.disconnect();
    },
  });
}

/** kafkajs gathers a request's topics' errors in one. */
function causeOf(cause: unknown): unknown {
  if (typeOf(cause) !== "KafkaJSAggregateError") return cause;
  const errors: unknown = cause instanceof Error && "errors" in cause ? cause.errors : undefined;
  return Array.isArray(errors) ? (errors[0] as unknown) : cause;
}

function exists(topic: string): Problem {
  return {
    code: "kafka-topic-exists",
    message: `Topic ${topic} is there already.`,
    hint: "Use it as it is, or take another name.",
  };
}
