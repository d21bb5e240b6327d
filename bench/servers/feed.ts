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
  const records: NewRecord[] = [];
  for await (const some of flightRecords(count)) for (const record of some) records.push(record);
  const startedAt = performance.now();
  for (let sent = 0; sent < records.length;) {
    await delay(STEP_MS);
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
    const timestampMs = Date.now();
    const some = records.slice(sent, due).map((record) => ({ ...record, timestampMs }));
    refuse(await producer.send(topic, some));
    sent += some.length;
  }
}
