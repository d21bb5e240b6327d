import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { KafkaConnection, Surroundings } from "../connections.ts";
import { typedColumns } from "../values/identity.ts";
import type { Outcome, Sink, SinkBatch, SinkContract } from "../ports.ts";
import { GIVEN_UP, STOPPED, unlessStopped } from "../unless-stopped.ts";
import { unopenedSink } from "../unopened-sink.ts";
import { openKafkaClient, type KafkaLog } from "./client.ts";
import type { Compression } from "./codecs.ts";
import { failureOf } from "./errors.ts";
import { readerOver } from "./reader.ts";
import { openRowCounter } from "./sink-count.ts";
import type { RecordShape } from "./sink-records.ts";
import { newestRows } from "./sink-scan.ts";
import { writeOperations, type WriteTarget } from "./sink-write.ts";
import { kafkaTopics } from "./topics.ts";
import { BATCH_BYTES } from "./write-records.ts";
import { openBatchWriter } from "./writer.ts";

export type KafkaSinkOptions = {
  name: string;
  connection: KafkaConnection;
  surroundings: Surroundings;
  topic: string;
  /** Of a topic that is yet to be made. */
  partitions?: number;
  replicas?: number;
  compression?: Compression;
  /** Before compression; below the topic's max.message.bytes. */
  batchBytes?: number;
  log?: KafkaLog;
  nowMs?: () => number;
};

/** How long a tombstone outlives its key's compaction, for those who read the topic now and then. */
const TOMBSTONES_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * A sink in a compacted topic: a table that others read as a stream. Records carry their version and position as headers; the newest version of a key
 * holds, wherever it stands. The sink writes without reading, so it does not say `stale` or `retracted`.
 *
 * Compaction keeps the last record of a key, not the newest version. They differ only between an older write that arrives late and
 * the newer one's coming again: after a replay the two are the same. A repair below live traffic is followed by no such replay.
 */
export async function openKafkaSink(options: KafkaSinkOptions): Promise<Sink> {
  const { connection, surroundings, topic, log } = options;
  const opened = openKafkaClient(connection, surroundings, log);
  const administered = kafkaTopics(connection, surroundings, log);
  if (!opened.ok) return unopenedSink(options.name, opened.problem);
  if (!administered.ok) return unopenedSink(options.name, administered.problem);
  const client = opened.value;
  const topics = administered.value;
  const reader = readerOver(client);
  const writer = openBatchWriter(client, options.compression ?? "none");
  const counter = openRowCounter(reader, topic);
  const { partitions = 6, replicas = -1 } = options;
  const config = {
    "cleanup.policy": "compact",
    "delete.retention.ms": String(TOMBSTONES_MS),
  };
  let prepared: { contract: string; shape: RecordShape } | undefined;

  async function plan(contract: SinkContract): Promise<Result<string[]>> {
    const shape = shapeOf(contract);
    if (!shape.ok) return shape;
    const policy = await topics.config(topic, "cleanup.policy");
    if (!policy.ok) return policy;
    if (policy.value === undefined)
      return ok([
        `create topic ${topic} with ${partitions} partitions, cleanup.policy=compact, delete.retention.ms=${TOMBSTONES_MS}`,
      ]);
    return policy.value.includes("compact") ? ok([]) : fail(notCompacted(topic, policy.value));
  }

  async function prepareNow(contract: SinkContract): Promise<Problem | undefined> {
    const shape = shapeOf(contract);
    if (!shape.ok) return shape.problem;
    const planned = await plan(contract);
    if (!planned.ok) return planned.problem;
    if (planned.value.length > 0) {
      const refused = await topics.create({ topic, partitions, replicas, config });
      // Another worker may have been quicker.
      if (refused !== undefined && refused.code !== "kafka-topic-exists") return refused;
    }
    prepared = { contract: textOf(contract), shape: shape.value };
    return undefined;
  }

  async function write(batch: SinkBatch): Promise<Outcome[]> {
    if (prepared?.contract !== textOf(batch.contract)) throw new Error("write before prepare");
    const found = await partitionsOf(writer, topic);
    if (typeof found !== "number") return Array.from({ length: batch.count }, () => found);
    const target: WriteTarget = {
      topic,
      partitions: found,
      writer,
      batchBytes: options.batchBytes ?? BATCH_BYTES,
      nowMs: options.nowMs ?? Date.now,
    };
    return writeOperations(batch, prepared.shape, target);
  }

  return {
    name: options.name,
    plan,
    prepare: (contract, signal) => unlessStopped(prepareNow(contract), signal, STOPPED),
    write(batch, signal) {
      const all = Array.from({ length: batch.count }, () => GIVEN_UP);
      return unlessStopped(write(batch), signal, all);
    },
    count: async () => (prepared === undefined ? 0 : counter.count()),
    async *scan() {
      if (prepared === undefined) return;
      const { key, columns } = prepared.shape;
      const names = columns.map(({ name }) => name);
      yield* await newestRows(reader, topic, key.length, names);
    },
    async close() {
      await topics.close();
      await reader.close();
    },
  };
}

async function partitionsOf(
  writer: WriteTarget["writer"],
  topic: string,
): Promise<
  | number
  | { kind: "halt"; problem: Problem }
  | { kind: "retryAfter"; afterMs: number; problem: Problem }
> {
  try {
    return (await writer.partitionsOf(topic)) ?? { kind: "halt", problem: gone(topic) };
  } catch (cause) {
    const failure = failureOf(cause, `looking for topic ${topic}`);
    if (failure.kind === "halt") return failure;
    return { kind: "retryAfter", afterMs: 500, problem: failure.problem };
  }
}

function shapeOf(contract: SinkContract): Result<RecordShape> {
  const key = typedColumns(contract.key);
  const columns = typedColumns(contract.columns);
  if (!key.ok) return key;
  if (!columns.ok) return columns;
  return ok({ key: key.value, columns: columns.value });
}

function textOf(contract: SinkContract): string {
  return JSON.stringify([contract.key, contract.columns]);
}

function notCompacted(topic: string, policy: string): Problem {
  return {
    code: "kafka-sink-not-compacted",
    message: `Topic ${topic} has cleanup.policy=${policy}: rows would be lost from it with time.`,
    hint: `Set it to compact, or give the sink a topic of its own: ${topic} is then made as it should be.`,
  };
}

function gone(topic: string): Problem {
  return {
    code: "kafka-topic-absent",
    message: `Topic ${topic}, which a sink writes to, was deleted.`,
    hint: "Stop the pipeline and start it again: the topic is made, and filled as far as the source reaches back.",
  };
}
