import { ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { KafkaConnection, Surroundings } from "../connections.ts";
import type { Header } from "../ports.ts";
import { encodeHeaders, openBatch, type BatchBuilder } from "./batch-builder.ts";
import { openKafkaClient, type KafkaLog } from "./client.ts";
import type { Compression } from "./codecs.ts";
import { failureOf } from "./errors.ts";
import { partitionOf } from "./partitioner.ts";
import { openBatchWriter } from "./writer.ts";

export type KafkaProducerOptions = {
  connection: KafkaConnection;
  surroundings: Surroundings;
  compression?: Compression;
  log?: KafkaLog;
};

export type KafkaRecord = {
  key: Uint8Array | null;
  /** null: a tombstone. */
  value: Uint8Array | null;
  timestampMs: number;
  headers?: readonly Header[];
  /** Chosen from the key where it is not said; without a key, records go round in turn. */
  partition?: number;
};

/** Writes records of any kind to topics: the demo's feed, dead letters. Acknowledged by all replicas in sync, each written once. */
export type KafkaProducer = {
  /** Records of one partition keep their order. One `send` at a time. A problem: some may be written, all may be sent again. */
  send(topic: string, records: readonly KafkaRecord[]): Promise<Problem | undefined>;
  close(): Promise<void>;
};

/** A batch must stay below the topic's `max.message.bytes` (1 MiB by default). */
export const BATCH_BYTES = 900_000;

export async function openKafkaProducer(
  options: KafkaProducerOptions,
): Promise<Result<KafkaProducer>> {
  const opened = openKafkaClient(options.connection, options.surroundings, options.log);
  if (!opened.ok) return opened;
  const client = opened.value;
  const writer = openBatchWriter(client, options.compression ?? "none");
  let turn = 0;

  return ok({
    async send(topic, records) {
      let partitions: number | undefined;
      try {
        partitions = await writer.partitionsOf(topic);
      } catch (cause) {
        return failureOf(cause, `looking for topic ${topic}`).problem;
      }
      if (partitions === undefined) return noTopic(topic);
      const waiting = new Map<number, BatchBuilder[]>();
      for (const record of records) {
        const { key, value, timestampMs, headers = [] } = record;
        const partition =
          record.partition ?? (key === null ? turn++ % partitions : partitionOf(key, partitions));
        const batches = waiting.get(partition) ?? [];
        waiting.set(partition, batches);
        let batch = batches.at(-1);
        if (batch === undefined || batch.sizeBytes() >= BATCH_BYTES) {
          batch = openBatch();
          batches.push(batch);
        }
        batch.add({ key, value, timestampMs, headers: encodeHeaders(headers) });
      }
      while (waiting.size > 0) {
        const round = [...waiting].flatMap(([partition, batches]) => {
          const batch = batches.shift();
          if (batches.length === 0) waiting.delete(partition);
          return batch === undefined ? [] : [{ topic, partition, batch }];
        });
        for (const outcome of await writer.write(round)) {
          if (outcome.kind === "tooLarge") return tooLarge(topic);
          if (outcome.kind !== "written") return outcome.problem;
        }
      }
      return undefined;
    },
    close: () => client.close(),
  });
}

function noTopic(topic: string): Problem {
  return {
    code: "kafka-topic-absent",
    message: `Topic ${topic} does not exist.`,
    hint: "Make it, or correct the name.",
  };
}

function tooLarge(topic: string): Problem {
  return {
    code: "kafka-record-too-large",
    message: `A record is larger than topic ${topic} takes.`,
    hint: "Raise the topic's max.message.bytes, or send less in one record.",
  };
}
