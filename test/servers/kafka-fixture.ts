import { randomUUID } from "node:crypto";
import kafkajs from "kafkajs";
import { unwrap } from "#snapshots/problem.ts";
import type { KafkaConnection, Surroundings } from "#promote/sync/connections.ts";
import { openKafkaProducer, type KafkaRecord } from "#promote/sync/kafka/producer.ts";
import { openKafkaSource, type KafkaSourceOptions } from "#promote/sync/kafka/source.ts";
import { kafkaTopics } from "#promote/sync/kafka/topics.ts";
import type { Assignment, Source, SourceEvent, SourceRecord } from "#promote/sync/ports.ts";
import { servers } from "./addresses.ts";

export const SURROUNDINGS: Surroundings = { root: ".", variables: process.env };
export const CONNECTION: KafkaConnection = {
  brokers: [servers.kafka],
  tls: false,
};

export const topics = unwrap(kafkaTopics(CONNECTION, SURROUNDINGS));
export const producer = unwrap(
  await openKafkaProducer({ connection: CONNECTION, surroundings: SURROUNDINGS }),
);

const { Kafka, logLevel } = kafkajs;
const admin = new Kafka({ brokers: [servers.kafka], logLevel: logLevel.NOTHING }).admin();
await admin.connect();

const run = randomUUID().slice(0, 8);

export function freshName(kind: string): string {
  return `test-${kind}-${run}-${randomUUID().slice(0, 8)}`;
}

/** Leaves no topic of this run behind. */
export async function closeFixture(): Promise<void> {
  for (const topic of unwrap(await topics.list()))
    if (topic.includes(`-${run}-`)) await topics.remove(topic);
  await producer.close();
  await topics.close();
  await admin.disconnect();
}

/** The members of a group by their ids, as its coordinator has them. */
export async function membersOf(group: string): Promise<string[]> {
  const { groups } = await admin.describeGroups([group]);
  return groups.flatMap(({ members }) => members.map(({ memberId }) => memberId));
}

/** Whatever the times of its records: Kafka looks for those over a week old 30 s after it started, and then every five minutes. */
export const KEPT = { "retention.ms": "-1" };

export async function freshTopic(
  partitions = 1,
  config: Record<string, string> = KEPT,
): Promise<string> {
  const topic = freshName("topic");
  refuse(await topics.create({ topic, partitions, config }));
  return topic;
}

export function openSource(options: Partial<KafkaSourceOptions>): Promise<Source> {
  return openKafkaSource({
    connection: CONNECTION,
    surroundings: SURROUNDINGS,
    topics: [],
    group: freshName("group"),
    metadataMaxAgeMs: 300,
    heartbeatMs: 200,
    ...options,
  });
}

export async function append(topic: string, records: readonly KafkaRecord[]): Promise<void> {
  refuse(await producer.send(topic, records));
}

export function numbered(from: number, to: number, partitions = 1): KafkaRecord[] {
  return Array.from({ length: to - from }, (_, i) => ({
    key: Buffer.from(`k${from + i}`),
    value: Buffer.from(String(from + i)),
    timestampMs: 1_000_000 + from + i,
    partition: (from + i) % partitions,
  }));
}

export function refuse(problem: { message: string } | undefined): void {
  if (problem !== undefined) throw new Error(problem.message);
}

/** Polls until `done`, and fails after a while with what came. */
export async function pollUntil(
  source: Source,
  done: (event: SourceEvent) => boolean | Promise<boolean>,
  limitMs = 30_000,
): Promise<SourceEvent> {
  const until = performance.now() + limitMs;
  const kinds: string[] = [];
  while (performance.now() < until) {
    const event = await source.poll({ maxRecords: 1000, maxBytes: 1 << 20, waitMs: 100 });
    if (kinds.at(-1) !== event.kind) kinds.push(event.kind);
    if (event.kind === "halt") throw new Error(`${event.problem.code}: ${event.problem.message}`);
    if (await done(event)) return event;
  }
  throw new Error(`it did not come about; the polls gave ${kinds.join(", ")}`);
}

export async function nextAssigned(source: Source): Promise<readonly Assignment[]> {
  const event = await pollUntil(source, ({ kind }) => kind === "assigned");
  return event.kind === "assigned" ? event.partitions : [];
}

export async function take(source: Source, count: number): Promise<SourceRecord[]> {
  const records: SourceRecord[] = [];
  await pollUntil(source, (event) => {
    if (event.kind === "records") records.push(...event.delivery.records);
    return records.length >= count;
  });
  return records;
}

export function valuesOf(records: readonly SourceRecord[]): (string | null)[] {
  return records.map(({ value }) => (value === null ? null : Buffer.from(value).toString()));
}
