import { setTimeout as delay } from "node:timers/promises";
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
  let sent = 0;
  for await (const records of flightRecords(count)) {
    for (let from = 0; from < records.length;) {
      const due = ((performance.now() - startedAt) / 1000) * perSecond - sent;
      if (due < 1) {
        await delay(STEP_MS);
        continue;
      }
      const timestampMs = Date.now();
      const some = records.slice(from, from + Math.floor(due));
      refuse(
        await producer.send(
          topic,
          some.map((record) => ({ ...record, timestampMs })),
        ),
      );
      from += some.length;
      sent += some.length;
    }
  }
}
