import type { DeadLetter } from "./dead-letters.ts";
import type { KafkaRecord } from "./kafka/producer.ts";

/**
 * A dead letter as a record of a topic, with Kafka Connect's headers (KIP-298), so that tools that know those read ours. Its own headers come
 * first, as they were; key, value and time are the record's.
 */
export function deadLetterRecord(letter: DeadLetter, pipeline: string): KafkaRecord {
  const text = (key: string, value: string | number) => ({
    key,
    value: Buffer.from(String(value)),
  });
  return {
    key: letter.key,
    value: letter.value,
    timestampMs: letter.timestampMs,
    headers: [
      ...letter.headers,
      text("__connect.errors.topic", letter.topic),
      text("__connect.errors.partition", letter.partition),
      text("__connect.errors.offset", letter.offset),
      text("__connect.errors.connector.name", pipeline),
      text("__connect.errors.stage", letter.stage),
      text("__connect.errors.exception.class.name", "Penstock"),
      text("__connect.errors.exception.message", letter.reason),
      text("penstock.release", letter.release),
      text("penstock.failed.at", letter.at),
    ],
  };
}
