import { setTimeout as delay } from "node:timers/promises";
import type { Problem } from "#snapshots/problem.ts";
import type { BatchBuilder } from "./batch-builder.ts";
import type { KafkaClient } from "./client.ts";
import type { Compression } from "./codecs.ts";
import { CODES, failureOf, KafkaError, type Failure } from "./errors.ts";
import { fetchMetadata, type TopicMetadata } from "./metadata.ts";
import { produce } from "./produce.ts";

export type PartitionBatch = { topic: string; partition: number; batch: BatchBuilder };

/** What became of a batch. `wrongTime`: a record's time is further from now than the topic takes. */
export type Written =
  | { kind: "written" }
  | { kind: "tooLarge" }
  | { kind: "wrongTime"; problem: Problem }
  | Failure;

/**
 * Writes record batches, each once (an idempotent producer): a batch whose answer was lost is sent again with the same sequence numbers, and the
 * broker drops it if it has it. One `write` at a time.
 */
export type BatchWriter = {
  /** undefined: there is no such topic. */
  partitionsOf(topic: string): Promise<number | undefined>;
  /** At most one batch a partition. Outcomes in the order of the batches. */
  write(batches: readonly PartitionBatch[]): Promise<Written[]>;
};

const ATTEMPTS = 4;
const BACKOFF_MS = 150;
const WRITTEN: Written = { kind: "written" };
const LARGEST_SEQUENCE = 0x7fffffff;
/** The producer's sequence is lost on one side or the other: begin as a new one. */
const BEGIN_ANEW = new Set([
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "INVALID_PRODUCER_EPOCH",
  "UNKNOWN_PRODUCER_ID",
]);

type Pending = { index: number; topic: string; partition: number; bytes: Buffer; count: number };

export function openBatchWriter(client: KafkaClient, compression: Compression): BatchWriter {
  const topics = new Map<string, TopicMetadata>();
  const sequences = new Map<string, number>();
  let producer: { producerId: bigint; epoch: number } | undefined;

  async function look(names: readonly string[]): Promise<void> {
    const found = await fetchMetadata(client, names);
    for (const name of names) {
      const topic = found.topics.get(name);
      if (topic === undefined) topics.delete(name);
      else topics.set(name, topic);
    }
    if (found.forbidden.length > 0) throw new KafkaError(29, `topic ${found.forbidden.join(", ")}`);
  }

  async function begin(): Promise<{ producerId: bigint; epoch: number }> {
    if (producer !== undefined) return producer;
    const node = await client.anyNode();
    const { producerId, producerEpoch } = await node.initProducerId({ transactionTimeout: 60_000 });
    sequences.clear();
    producer = { producerId: BigInt(producerId), epoch: producerEpoch };
    return producer;
  }

  function keyOf({ topic, partition }: { topic: string; partition: number }): string {
    return `${topic}/${partition}`;
  }

  async function encode(batches: readonly PartitionBatch[], which: number[]): Promise<Pending[]> {
    const by = await begin();
    return which.flatMap((index) => {
      const entry = batches[index];
      if (entry === undefined) return [];
      const { topic, partition, batch } = entry;
      const sequence = sequences.get(keyOf(entry)) ?? 0;
      const bytes = batch.build({ ...by, sequence }, compression);
      return [{ index, topic, partition, bytes, count: batch.count() }];
    });
  }

  function leader({ topic, partition }: Pending): number {
    const known = topics.get(topic)?.partitions.find((found) => found.partition === partition);
    return known?.leader ?? -1;
  }

  async function sendTo(nodeId: number, pending: readonly Pending[], outcomes: Written[]) {
    const again: Pending[] = [];
    try {
      if (nodeId < 0) throw new KafkaError(CODES.UNKNOWN_TOPIC_OR_PARTITION, "writing");
      const node = await client.node(nodeId);
      const produced = await produce(
        client,
        node,
        pending.map(({ topic, partition, bytes: batch }) => ({ topic, partition, batch })),
      );
      for (const entry of pending) {
        const answer = produced.find((one) => keyOf(one) === keyOf(entry));
        const error = answer?.error ?? CODES.UNKNOWN_TOPIC_OR_PARTITION;
        outcomes[entry.index] = outcomeOf(error, answer?.message ?? "", keyOf(entry));
        if (outcomes[entry.index] === WRITTEN) advance(entry);
        else if (outcomes[entry.index]?.kind === "transient") again.push(entry);
      }
    } catch (cause) {
      const failure = failureOf(cause, "writing");
      for (const entry of pending) outcomes[entry.index] = failure;
      if (failure.kind === "transient") again.push(...pending);
    }
    return again;
  }

  function advance(entry: Pending): void {
    const next = (sequences.get(keyOf(entry)) ?? 0) + entry.count;
    sequences.set(keyOf(entry), next > LARGEST_SEQUENCE ? next - LARGEST_SEQUENCE - 1 : next);
  }

  /** Sends what is not yet written, once; what may be tried again is left in the result, encoded as it was. */
  async function attempt(
    batches: readonly PartitionBatch[],
    pending: readonly Pending[],
    outcomes: Written[],
  ): Promise<Pending[]> {
    const byLeader = [...Map.groupBy(pending, leader)];
    const sent = byLeader.map(([nodeId, some]) => sendTo(nodeId, some, outcomes));
    const again = (await Promise.all(sent)).flat();
    if (!again.some(({ index }) => isLost(outcomes[index]))) return again;
    producer = undefined;
    const which = again.map(({ index }) => index);
    return encode(batches, which);
  }

  async function writeAll(batches: readonly PartitionBatch[], outcomes: Written[]): Promise<void> {
    const names = [...new Set(batches.map(({ topic }) => topic))];
    let pending: Pending[] | undefined;
    for (let tried = 0; tried < ATTEMPTS && pending?.length !== 0; tried++) {
      if (tried > 0) await delay(BACKOFF_MS * tried);
      try {
        if (tried > 0 || names.some((name) => !topics.has(name))) await look(names);
        pending ??= await encode(batches, [...batches.keys()]);
        pending = await attempt(batches, pending, outcomes);
      } catch (cause) {
        const failure = failureOf(cause, "writing");
        for (const i of batches.keys()) if (isOpen(outcomes[i])) outcomes[i] = failure;
        if (failure.kind === "halt") break;
      }
    }
    // Whether these were written is not known. Sent again in other company they would have other sequence numbers.
    if (pending?.length !== 0) producer = undefined;
  }

  return {
    async partitionsOf(topic) {
      if (!topics.has(topic)) await look([topic]);
      return topics.get(topic)?.partitions.length;
    },
    async write(batches) {
      const outcomes: Written[] = [];
      await writeAll(batches, outcomes);
      return outcomes;
    },
  };
}

function isOpen(outcome: Written | undefined): boolean {
  return outcome === undefined || outcome.kind === "transient";
}

function isLost(outcome: Written | undefined): boolean {
  return outcome?.kind === "transient" && BEGIN_ANEW.has(outcome.type);
}

function outcomeOf(error: number, message: string, place: string): Written {
  if (error === 0 || error === CODES.DUPLICATE_SEQUENCE_NUMBER) return WRITTEN;
  if (error === CODES.MESSAGE_TOO_LARGE || error === CODES.RECORD_LIST_TOO_LARGE)
    return { kind: "tooLarge" };
  const cause = new KafkaError(error, message === "" ? place : `${place}: ${message}`);
  const failure = failureOf(cause, "writing");
  if (error !== CODES.INVALID_TIMESTAMP) return failure;
  return { kind: "wrongTime", problem: failure.problem };
}
