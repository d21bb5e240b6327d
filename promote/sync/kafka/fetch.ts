import { KafkaError } from "./errors.ts";
import type { KafkaClient } from "./client.ts";
import { rawRequest, type Node } from "./internals.ts";
import { WireReader, WireWriter } from "./wire.ts";

export type FetchRequest = {
  /** The broker answers once it has `minBytes`, or after `maxWaitMs` with less. */
  maxWaitMs: number;
  minBytes: number;
  maxBytes: number;
  maxBytesPerPartition: number;
  partitions: readonly { topicId: string; partition: number; offset: number }[];
};

export type Aborted = { producerId: bigint; firstOffset: number };

export type Fetched = {
  topicId: string;
  partition: number;
  error: number;
  /** Whole record batches, and perhaps the beginning of another. */
  batches: Buffer;
  /** Transactions whose records were called off, by first offset. */
  aborted: readonly Aborted[];
  /** Where the log begins. */
  first: number;
  /** Where what is decided ends: records of open transactions come after it. */
  stable: number;
};

const API = { key: 1, version: 13, name: "Fetch" };
const READ_COMMITTED = 1;

/**
 * Fetch v13 (Kafka 3.1 and later) names topics by id, so that records of a topic made again are never taken for the old one's: the
 * broker answers UNKNOWN_TOPIC_ID. Without fetch sessions.
 */
export async function fetchRecords(
  client: KafkaClient,
  node: Node,
  request: FetchRequest,
): Promise<Fetched[]> {
  const payload = encode(request);
  return client.send(node, rawRequest(API, payload, decode));
}

function encode(request: FetchRequest): Buffer {
  const byTopic = Map.groupBy(request.partitions, ({ topicId }) => topicId);
  const w = new WireWriter();
  w.tags().int32(-1).int32(request.maxWaitMs).int32(request.minBytes).int32(request.maxBytes);
  w.int8(READ_COMMITTED).int32(0).int32(-1);
  w.list([...byTopic], ([topicId, partitions]) => {
    w.uuid(topicId);
    w.list(partitions, ({ partition, offset }) => {
      w.int32(partition).int32(-1).int64(offset).int32(-1).int64(-1);
      w.int32(request.maxBytesPerPartition).tags();
    });
    w.tags();
  });
  return w
    .list([], () => undefined)
    .text("")
    .tags()
    .finished();
}

const NOTHING = Buffer.alloc(0);

function decode(payload: Buffer): Fetched[] {
  const r = new WireReader(payload);
  const fetched: Fetched[] = [];
  r.tags();
  r.int32();
  const error = r.int16();
  if (error !== 0) throw new KafkaError(error, "fetch");
  r.int32();
  r.list(() => {
    const topicId = r.uuid();
    r.list(() => fetched.push(partition(r, topicId)));
    r.tags();
  });
  return fetched;
}

function partition(r: WireReader, topicId: string): Fetched {
  const index = r.int32();
  const error = r.int16();
  r.int64();
  const stable = r.int64();
  const first = r.int64();
  const aborted = r.list(() => abortedTransaction(r));
  r.int32();
  const batches = r.data() ?? NOTHING;
  r.tags();
  return { topicId, partition: index, error, batches, aborted, first, stable };
}

function abortedTransaction(r: WireReader): Aborted {
  const producerId = r.bytes.readBigInt64BE(r.at);
  r.at += 8;
  const firstOffset = r.int64();
  r.tags();
  return { producerId, firstOffset };
}
