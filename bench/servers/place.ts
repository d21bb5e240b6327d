import { randomBytes } from "node:crypto";
import { Client as Cassandra } from "cassandra-driver";
import { Client as Elasticsearch } from "@elastic/elasticsearch";
import {
  cassandraSchema,
  elasticsearchSchema,
  kafkaSchema,
  type Surroundings,
} from "#promote/sync/connections.ts";
import { openKafkaProducer, type KafkaProducer } from "#promote/sync/kafka/producer.ts";
import { kafkaTopics } from "#promote/sync/kafka/topics.ts";
import { unwrap, type Problem } from "#snapshots/problem.ts";
import {
  startStack,
  stackStatus,
  stopStack,
  whyNoStack,
  type ServerName,
} from "../../deploy/stack/stack.mjs";
import type { Task } from "./task.ts";

const NEEDED: readonly ServerName[] = ["kafka", "cassandra", "elasticsearch"];
const surroundings: Surroundings = { root: ".", variables: {} };

/** Real servers, and names on them that nobody else has. */
export type ServersPlace = {
  connections: Pick<Task, "kafka" | "cassandra" | "elasticsearch">;
  producer: KafkaProducer;
  freshName(): string;
  createTopic(topic: string, partitions: number, policy?: "compact"): Promise<void>;
  /** Takes away what a run left under its name, so that the servers carry the same weight in each. */
  drop(name: string): Promise<void>;
  remove(): Promise<void>;
};

/** The stack's servers, started where they do not run. A text: why this machine cannot have them. */
export async function openServersPlace(): Promise<ServersPlace | string> {
  const running = await stackStatus(NEEDED);
  const areReady = running.every(({ state }) => state === "ready");
  const why = areReady ? undefined : whyNoStack(NEEDED);
  if (why !== undefined) return why;
  // As Cassandra is by default; a node that runs already stays as it is.
  process.env["PENSTOCK_STACK_CASSANDRA_COMMITLOG"] ??= "periodic";
  const { started, addresses } = await startStack(NEEDED);
  const id = randomBytes(4).toString("hex");
  const kafka = kafkaSchema.parse({ brokers: [addresses.kafka] });
  const cassandra = cassandraSchema.parse({
    contactPoints: [addresses.cassandra],
    localDataCenter: "datacenter1",
    keyspace: `bench_${id}`,
    replicas: 1,
    consistency: "localOne",
  });
  const elasticsearch = elasticsearchSchema.parse({
    nodes: [`http://${addresses.elasticsearch}`],
    prefix: `bench-${id}-`,
    replicas: 0,
  });
  const topics = unwrap(kafkaTopics(kafka, surroundings));
  const producer = unwrap(await openKafkaProducer({ connection: kafka, surroundings }));
  const tables = new Cassandra({
    contactPoints: cassandra.contactPoints,
    localDataCenter: cassandra.localDataCenter,
    socketOptions: { readTimeout: 60_000 },
  });
  const indices = new Elasticsearch({ node: elasticsearch.nodes[0] ?? "" });
  const created: string[] = [];
  let names = 0;
  await tables.execute(
    `create keyspace ${cassandra.keyspace} with replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}`,
  );

  async function removeIndices(): Promise<void> {
    const found = await indices.indices.get({
      index: `${elasticsearch.prefix}*`,
      expand_wildcards: "all",
    });
    const index = Object.keys(found);
    if (index.length > 0) await indices.indices.delete({ index });
  }

  return {
    connections: { kafka, cassandra, elasticsearch },
    producer,
    freshName: () => `run_${id}_${names++}`,
    async createTopic(topic, partitions, policy) {
      // The records' times are of 2001: Kafka would delete them as it first looks for what is over a week old, 30 s after it started.
      const config: Record<string, string> =
        policy === undefined ? { "retention.ms": "-1" } : { "cleanup.policy": policy };
      refuse(await topics.create({ topic, partitions, config }));
      created.push(topic);
    },
    async drop(name) {
      await tables.execute(`drop table if exists ${cassandra.keyspace}.${name}`);
      await removeIndices();
    },
    async remove() {
      await tables.execute(`drop keyspace if exists ${cassandra.keyspace}`);
      await removeIndices();
      await indices.indices.deleteIndexTemplate(
        { name: `${elasticsearch.prefix}*` },
        { ignore: [404] },
      );
      for (const topic of created) refuse(await topics.remove(topic));
      await tables.shutdown();
      await indices.close();
      await producer.close();
      await topics.close();
      if (started.length > 0) await stopStack(started);
    },
  };
}

export function refuse(problem: Problem | undefined): void {
  if (problem !== undefined) throw new Error(problem.message);
}
