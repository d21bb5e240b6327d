import { ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { KafkaConnection, Surroundings } from "../connections.ts";
import { deadLetterRecord } from "./dead-letter-record.ts";
import { openKafkaProducer } from "../kafka/producer.ts";
import { kafkaTopics, type NewTopic } from "../kafka/topics.ts";
import type { Ports } from "../open/open-ports.ts";

export type DeadLetterTopicOptions = {
  topic: string;
  /** Named in the letters. */
  pipeline: string;
  connection: KafkaConnection;
  surroundings: Surroundings;
};

/**
 * One partition, as Kafka Connect makes its own: letters stay in their order. They have their records' own times, which may be long past, so the
 * broker's retention would delete some at once.
 */
const MADE: Omit<NewTopic, "topic"> = {
  partitions: 1,
  config: { "cleanup.policy": "delete", "retention.ms": "-1" },
};

/** The topic that dead letters go to besides the state database. Made where it is missing when the first comes. */
export async function openDeadLetterTopic({
  topic,
  pipeline,
  connection,
  surroundings,
}: DeadLetterTopicOptions): Promise<Result<NonNullable<Ports["deadLetters"]>>> {
  const topics = kafkaTopics(connection, surroundings);
  if (!topics.ok) return topics;
  const producer = await openKafkaProducer({ connection, surroundings });
  if (!producer.ok) return producer;

  return ok({
    async send(letters) {
      const records = letters.map((letter) => deadLetterRecord(letter, pipeline));
      const problem = await producer.value.send(topic, records);
      if (problem?.code !== "kafka-topic-absent") return problem;
      const refused = await topics.value.create({ topic, ...MADE });
      // Another worker may have been quicker.
      if (refused !== undefined && refused.code !== "kafka-topic-exists")
        return notMade(topic, refused);
      return producer.value.send(topic, records);
    },
    async close() {
      await producer.value.close();
      await topics.value.close();
    },
  });
}

function notMade(topic: string, { message }: Problem): Problem {
  return {
    code: "dead-letter-topic-absent",
    message: `Topic ${topic}, which dead letters go to, does not exist, and it could not be made. ${message}`,
    hint: "Make it by hand, or name another as `deadLetters` in the environment's file. The pipeline waits for it and then goes on by itself.",
  };
}
