import { setTimeout as delay } from "node:timers/promises";
import kafkajs, { type KafkaMessage } from "kafkajs";
import { flightOf } from "./bare-flight.ts";
import { openBareIndex } from "./bare-index.ts";
import { openBareTable } from "./bare-table.ts";
import { openMeter, type Measured } from "./meter.ts";
import { serveSide } from "./side.ts";
import type { Task } from "./task.ts";

/** kafkajs makes one record batch a partition of what it is given, and the broker takes 1 MiB. */
const COPIED_AT_ONCE = 5000;

type Target = { write(messages: readonly KafkaMessage[]): Promise<void>; close(): Promise<void> };

/** The loop one writes by hand: kafkajs's `eachBatch`, the clients, and nothing in between. */
async function run(task: Task, onFirst: () => void): Promise<Measured> {
  const kafka = new kafkajs.Kafka({
    clientId: "bare-loop",
    brokers: task.kafka.brokers,
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const meter = openMeter(task.warm, task.total, onFirst);
  const target = await (task.to === "topic" ? topic(kafka, task) : tableAndIndex(task));
  const consumer = kafka.consumer({ groupId: task.name, maxWaitTimeInMs: 500 });
  // A consumer that gave up says nothing more: without this the bench would wait for ever.
  consumer.on(consumer.events.CRASH, ({ payload }) => meter.fail(payload.error));
  try {
    await consumer.connect();
    await consumer.subscribe({ topic: task.topic, fromBeginning: true });
    await consumer.run({
      // All of the topic's, as many batches as the pipeline has on their way.
      partitionsConsumedConcurrently: 4,
      async eachBatch(payload) {
        try {
          const { batch } = payload;
          await target.write(batch.messages);
          payload.resolveOffset(batch.lastOffset());
          await payload.commitOffsetsIfNecessary();
          meter.finished(batch.messages.map(({ timestamp }) => Number(timestamp)));
        } catch (cause) {
          meter.fail(cause instanceof Error ? cause : new Error(String(cause)));
        }
      },
    });
    return await meter.done;
  } finally {
    // One that stands still may never come to its end.
    await Promise.race([consumer.disconnect(), delay(10_000)]);
    await target.close();
  }
}

async function tableAndIndex({ cassandra, elasticsearch, name }: Task): Promise<Target> {
  const table = await openBareTable(cassandra, name);
  const index = await openBareIndex(elasticsearch, name);
  return {
    async write(messages) {
      const flights = messages.map(flightOf);
      await Promise.all([table.write(flights), index.write(flights)]);
    },
    async close() {
      await table.close();
      await index.close();
    },
  };
}

async function topic(kafka: kafkajs.Kafka, { name }: Task): Promise<Target> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  return {
    async write(messages) {
      for (let from = 0; from < messages.length; from += COPIED_AT_ONCE)
        await producer.send({
          topic: name,
          acks: -1,
          messages: messages
            .slice(from, from + COPIED_AT_ONCE)
            .map(({ key, value, timestamp }) => ({ key, value, timestamp })),
        });
    },
    close: () => producer.disconnect(),
  };
}

serveSide(run);
