import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { Client } from "cassandra-driver";
import kafkajs from "kafkajs";
import { cassandraSchema, elasticsearchSchema, kafkaSchema } from "#promote/sync/connections.ts";
import { freshPlace, specOf, type FixturePlace, type SpecOptions } from "#promote/sync/fixture.ts";
import { openKafkaProducer, type KafkaRecord } from "#promote/sync/kafka/producer.ts";
import { openKafkaReader } from "#promote/sync/kafka/reader.ts";
import { kafkaTopics, type KafkaTopics } from "#promote/sync/kafka/topics.ts";
import type { PortsPlace } from "#promote/sync/open/open-ports.ts";
import type { Where } from "#promote/sync/pipeline-spec.ts";
import type { TopicReader } from "#promote/sync/ports.ts";
import { openSyncState } from "#promote/sync/state.ts";
import type { PipelineSpec } from "#promote/sync/sync.ts";
import { unwrap, type Problem } from "#snapshots/problem.ts";
import { servers } from "../addresses.ts";
import { openWorker, type FaultWorker, type WorkerOptions } from "./worker.ts";

/** Of a test that may be repeated by its seed. */
export const SEED = Number(process.env["PENSTOCK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

export type Addresses = Record<"kafka" | "cassandra" | "elasticsearch", string>;

/** A pipeline on the real servers with nothing of anyone else's: topic, keyspace, indices, group, state database. */
export type Stage = {
  place: FixturePlace;
  ports: PortsPlace;
  topic: string;
  topics: KafkaTopics;
  reader: TopicReader;
  spec(options?: SpecOptions): Promise<PipelineSpec>;
  /** Where the servers are, past what `through` named. */
  straight: Where;
  /** The pipeline's state, as its workers write it. */
  state(): DatabaseSync;
  /** Sum of the committed offsets. */
  committed(): number;
  /** Waits out a broker that is away: each record is written once all the same. To the stage's topic by default. */
  send(records: readonly KafkaRecord[], to?: string): Promise<void>;
  /** Makes another topic, whose name begins as the stage's own does. */
  addTopic(name: string, partitions: number): Promise<string>;
  worker(options?: Omit<WorkerOptions, "root">): FaultWorker;
  kafka: kafkajs.Admin;
  remove(): Promise<void>;
};

/** Corrections below −20 minutes are filtered, so that updates retract as well as replace. */
export const DELAYS = "(f) => f.delay < -20 ? null : { ...f, late: f.delay > 15 }";
const BATCH = 1000;
const KEPT = { "retention.ms": "-1" };
/** Small batches: a fault finds more places to strike. */
const TUNING = { maxRecords: 1500, lingerMs: 0 };

/** `through`: other ways to the servers for the workers, say proxies. The test itself goes straight. */
export async function openStage(
  partitions: number,
  through: Partial<Addresses> = {},
): Promise<Stage> {
  const id = randomBytes(6).toString("hex");
  const place = freshPlace();
  const surroundings = { root: place.root, variables: process.env };
  const connection = kafkaSchema.parse({ brokers: [servers.kafka] });
  const topic = `faults-${id}`;
  const topics = unwrap(kafkaTopics(connection, surroundings));
  const producer = unwrap(await openKafkaProducer({ connection, surroundings }));
  const reader = unwrap(openKafkaReader(connection, surroundings));
  const kafka = new kafkajs.Kafka({
    brokers: [servers.kafka],
    logLevel: kafkajs.logLevel.NOTHING,
  }).admin();
  await kafka.connect();
  const state = openSyncState(place.statePath);
  const workers: FaultWorker[] = [];
  const name = `flights_${id}`;
  const others: string[] = [];
  refuse(await topics.create({ topic, partitions, config: KEPT }));

  const whereBy = (at: Addresses): Where => ({
    kind: "servers",
    // The shortest that a busy machine keeps: a killed worker's partitions come free soon.
    kafka: kafkaSchema.parse({ brokers: [at.kafka], sessionTimeoutMs: 3000 }),
    cassandra: cassandraSchema.parse({
      contactPoints: [at.cassandra],
      localDataCenter: "datacenter1",
      keyspace: `faults_${id}`,
      replicas: 1,
    }),
    elasticsearch: elasticsearchSchema.parse({
      nodes: [`http://${at.elasticsearch}`],
      prefix: `faults-${id}-`,
      replicas: 0,
    }),
  });
  const straight = whereBy(servers);
  const where = whereBy({ ...servers, ...through });

  async function dropTables(): Promise<void> {
    const client = new Client({
      contactPoints: [servers.cassandra],
      localDataCenter: "datacenter1",
      socketOptions: { readTimeout: 60_000 },
    });
    await client.execute(`drop keyspace if exists faults_${id}`);
    await client.shutdown();
  }

  async function dropIndices(): Promise<void> {
    const at = `http://${servers.elasticsearch}`;
    const listed = await fetch(`${at}/faults-${id}-*?expand_wildcards=all&ignore_unavailable=true`);
    const names = Object.keys((await listed.json()) as object); // of indices, by name
    for (const index of names) await fetch(`${at}/${index}`, { method: "DELETE" });
  }

  return {
    place,
    ports: { root: place.root, folders: place.workspace.paths },
    topic,
    topics,
    reader,
    straight,
    spec: (options = {}) =>
      specOf(place, { where, topic, environment: "faults", name, apply: DELAYS, ...options }),
    state: () => state,
    committed() {
      const found = state.prepare("select sum(next_offset) as n from sync_offsets").get();
      return Number(found?.["n"] ?? 0);
    },
    async send(records, to = topic) {
      for (let from = 0; from < records.length; from += BATCH) {
        const some = records.slice(from, from + BATCH);
        refuse(await producer.send(to, some));
      }
    },
    async addTopic(suffix, count) {
      const other = `${topic}-${suffix}`;
      refuse(await topics.create({ topic: other, partitions: count, config: KEPT }));
      others.push(other);
      return other;
    },
    worker(options = {}) {
      const worker = openWorker({ tuning: TUNING, root: place.root, ...options });
      workers.push(worker);
      return worker;
    },
    kafka,
    async remove() {
      for (const worker of workers) await worker.kill();
      for (const one of [topic, ...others]) await topics.remove(one);
      await kafka.deleteGroups([`penstock.faults.${name}`]).catch(() => undefined);
      await kafka.disconnect();
      await producer.close();
      await reader.close();
      await topics.close();
      state.close();
      await dropTables();
      await dropIndices();
      place.remove();
    },
  };
}

export function refuse(problem: Problem | undefined): void {
  if (problem !== undefined) throw new Error(`${problem.code}: ${problem.message}`);
}
