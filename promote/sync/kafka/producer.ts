import { ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { KafkaConnection, Surroundings } from "../connections.ts";
import type { Header } from "../ports.ts";
import { encodeHeaders } from "./batch-builder.ts";
import { openKafkaClient, type KafkaLog } from "./client.ts";
import type { Compression } from "./codecs.ts";
import { failureOf } from "./errors.ts";
import { partitionOf } from "./partitioner.ts";
import { BATCH_BYTES, writeRecords, type NotWritten } from "./write-records.ts";
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
  /** What goes in its place, to the same partition, where the topic does not take it. undefined: nothing. */
  instead?: (refusedFor: "size" | "time") => KafkaRecord | undefined;
};

/** Writes records of any kind to topics: the demo's feed, dead letters. Acknowledged by all replicas in sync, each written once. */
export type KafkaProducer = {
  /** Records of one partition keep their order. One `send` at a time. A problem: some may be written, all may be sent again. */
  send(topic: string, records: readonly KafkaRecord[]): Promise<Problem | undefined>;
  close(): Promise<void>;
};

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
      const count = partitions;
      const sending = records.map((record) => ({
        record,
        partition:
          record.partition ??
          (record.key === null ? turn++ % count : partitionOf(record.key, count)),
      }));
      const entryOf = (i: number) => {
        const entry = sending[i];
        if (entry === undefined) throw new RangeError(`there is no record ${i}`);
        return entry;
      };
      let problem: Problem | undefined;
      await writeRecords(
        {
          topic,
          writer,
          batchBytes: BATCH_BYTES,
          partition: (i) => entryOf(i).partition,
          encoded(i) {
            const { key, value, timestampMs, headers = [] } = entryOf(i).record;
            return { key, value, timestampMs, headers: encodeHeaders(headers) };
          },
          refused([first = 0], why) {
            const entry = entryOf(first);
            const instead = insteadOf(entry.record, why);
            if (instead === undefined) {
              problem = why.kind === "tooLarge" ? tooLarge(topic) : why.problem;
              return "stop";
            }
            entry.record = instead;
            return "again";
          },
        },
        sending.keys(),
      );
      return problem;
    },
    close: () => client.close(),
  });
}

function insteadOf({ instead }: KafkaRecord, why: NotWritten): KafkaRecord | undefined {
  switch (why.kind) {
    case "tooLarge":
      return instead?.("size");
    case "wrongTime":
      return instead?.("time");
    case "transient":
    case "halt":
      return undefined;
  }
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
