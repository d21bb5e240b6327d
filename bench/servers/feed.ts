import { setTimeout as delay } from "node:timers/promises";
import type { NewRecord } from "#promote/sync/embedded/frames.ts";
import type { KafkaProducer } from "#promote/sync/kafka/producer.ts";
import { flightRecords } from "../flights.ts";
import { refuse } from "./place.ts";

/** Fills a topic, as fast as it goes. */
export async function fill(producer: KafkaProducer, topic: string, count: number): Promise<void> {
  for await (const records of flightRecords(count)) refuse(await producer.send(topic, records));
}

/** As a producer with a linger: smaller steps cost the broker what is to be measured. */
const STEP_MS = 50;

/** Writes records at an even rate, each with the time at which it is written. They are read beforehand: who feeds is not to be measured. */
export async function feed(
  producer: KafkaProducer,
  topic: string,
  { count, perSecond }: { count: number; perSecond: number },
): Promise<void> {
  const next = await readAhead(count);
  const startedAt = performance.now();
  for (let sent = 0; sent < count;) {
    await delay(STEP_MS);
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
    const timestampMs = Date.now();
    const records = Array.from({ length: Math.min(due, count) - sent }, () => next(timestampMs));
    refuse(await producer.send(topic, records));
    sent += records.length;
  }
}

/** Records one after another, from memory where they are few objects: the collector would go through hundreds of thousands while they wait. */
async function readAhead(count: number): Promise<(timestampMs: number) => NewRecord> {
  const chunks: Uint8Array[] = [];
  const lengths = new Int32Array(count * 2);
  let read = 0;
  for await (const records of flightRecords(count))
    for (const { key, value } of records) {
      chunks.push(key ?? EMPTY, value ?? EMPTY);
      lengths[read++] = key?.length ?? -1;
      lengths[read++] = value?.length ?? -1;
    }
  const bytes = Buffer.concat(chunks);
  let at = 0;
  let from = 0;
  const take = (): Buffer | null => {
    const length = lengths[at++] ?? -1;
    if (length < 0) return null;
    from += length;
    return bytes.subarray(from - length, from);
  };
  return (timestampMs) => ({ key: take(), value: take(), timestampMs });
}

const EMPTY = Buffer.alloc(0);
