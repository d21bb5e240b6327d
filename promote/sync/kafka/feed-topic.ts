import { fail, ok, ProblemError, type Problem, type Result } from "#snapshots/problem.ts";
import type { KafkaConnection, Surroundings } from "../connections.ts";
import type { FeedTopic } from "../embedded/demo-feed.ts";
import type { TopicReader } from "../ports.ts";
import { STOPPED, unlessStopped } from "../unless-stopped.ts";
import { openKafkaProducer } from "./producer.ts";
import { openKafkaReader } from "./reader.ts";
import { kafkaTopics, type KafkaTopics } from "./topics.ts";

/** Says which record of the plan a record is, so that the feed goes on after a stop. */
const SEQUENCE = "penstock.demo.sequence";
const PARTITIONS = 3;
/** Sent again after a stop: what was sent last may have reached some partitions only. */
const AGAIN = 5000;

/** A Kafka topic that the demo feeds, made where it is missing. Who stops does not wait for it to be opened. */
export async function openKafkaFeedTopic(
  topic: string,
  connection: KafkaConnection,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Result<FeedTopic>> {
  const topics = kafkaTopics(connection, surroundings);
  if (!topics.ok) return topics;
  try {
    const refused = await unlessStopped(ensureTopic(topics.value, topic), signal, STOPPED);
    if (refused !== undefined) return fail(refused);
  } finally {
    await topics.value.close();
  }
  const reader = openKafkaReader(connection, surroundings, { signal });
  if (!reader.ok) return reader;
  let end: number;
  try {
    end = Math.max(0, (await nextSequence(reader.value, topic)) - AGAIN);
  } finally {
    await reader.value.close();
  }
  const producer = await openKafkaProducer({ connection, surroundings });
  if (!producer.ok) return producer;
  return ok({
    end: () => end,
    async append(records) {
      const numbered = records.map((record, i) => ({
        ...record,
        headers: [
          ...(record.headers ?? []),
          { key: SEQUENCE, value: Buffer.from(String(end + i)) },
        ],
      }));
      const problem = await producer.value.send(topic, numbered);
      if (problem !== undefined) return fail(problem);
      end += records.length;
      return ok(undefined);
    },
    close: () => producer.value.close(),
  });
}

async function ensureTopic(topics: KafkaTopics, topic: string): Promise<Problem | undefined> {
  const found = await topics.describe(topic);
  if (!found.ok) return found.problem;
  if (found.value !== undefined) return undefined;
  const problem = await topics.create({ topic, partitions: PARTITIONS });
  return problem?.code === "kafka-topic-exists" ? undefined : problem;
}

/** One after the highest that any partition ends with. */
async function nextSequence(reader: TopicReader, topic: string): Promise<number> {
  let next = 0;
  for (const { partition, first, end } of await reader.ranges(topic)) {
    if (end <= first) continue;
    for await (const records of reader.read(topic, partition, end - 1, end)) {
      for (const { headers } of records) {
        const header = headers.find(({ key }) => key === SEQUENCE);
        const sequence = header === undefined ? NaN : Number(Buffer.from(header.value).toString());
        if (!Number.isSafeInteger(sequence)) throw new ProblemError(notOurs(topic));
        next = Math.max(next, sequence + 1);
      }
    }
  }
  return next;
}

function notOurs(topic: string) {
  return {
    code: "demo-topic-taken",
    message: `Topic ${topic} holds records that are not the demo's, so the demo feeds it nothing.`,
    hint: "Delete demo-feed.yaml where the topic has a source of its own, or name another topic in it.",
  };
}
