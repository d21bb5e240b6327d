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

/** Writes records at an even rate, each with the time at which it is written. */
export async function feed(
  producer: KafkaProducer,
  topic: string,
  { count, perSecond }: { count: number; perSecond: number },
): Promise<void> {
  const startedAt = performance.now();
  let waiting: NewRecord[] = [];
  let sent = 0;

  async function step(): Promise<void> {
    await delay(STEP_MS);
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond) - sent;
    const timestampMs = Date.now();
    const some = waiting.slice(0, due).map((record) => ({ ...record, timestampMs }));
    refuse(await producer.send(topic, some));
    waiting = waiting.slice(some.length);
    sent += some.length;
  }

  for await (const records of flightRecords(count)) {
    waiting = [...waiting, ...records];
    while (waiting.length > perSecond) await step();
  }
  while (waiting.length > 0) await step();
}
