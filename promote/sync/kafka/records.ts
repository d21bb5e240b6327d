import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Header, SourceRecord } from "../ports.ts";
import { decompress } from "./codecs.ts";
import { crc32c } from "./crc32c.ts";
import type { Aborted } from "./fetch.ts";

/**
 * Record batches, format 2 (https://kafka.apache.org/documentation/#recordbatch), big-endian:
 *
 *     i64 base offset · i32 length of what follows · i32 leader epoch · i8 magic · u32 CRC-32C of what follows · i16 attributes ·
 *     i32 last offset delta · i64 base time · i64 greatest time · i64 producer id · i16 producer epoch · i32 base sequence · i32 count · records
 */
export const BATCH_HEAD = 61;
const LENGTH = 8;
const MAGIC = 16;
const FORMAT_TOLD = MAGIC + 1;
const CRC = 17;
const ATTRIBUTES = 21;
const LAST_OFFSET_DELTA = 23;
const BASE_TIME = 27;
const MAX_TIME = 35;
const PRODUCER_ID = 43;
const COUNT = 57;

const CODEC_BITS = 0x07;
const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** Where reading goes on after the whole batches in `bytes`: compaction and transaction markers leave gaps that hold no record. */
export function endOfBatches(bytes: Buffer, from: number): number {
  let next = from;
  for (let at = 0; at + FORMAT_TOLD <= bytes.length;) {
    const end = endOfBatch(bytes, at);
    if (end > bytes.length) break;
    const base = Number(bytes.readBigInt64BE(at));
    const more = isReadable(bytes, at) ? bytes.readInt32BE(at + LAST_OFFSET_DELTA) : 0;
    next = Math.max(next, base + more + 1);
    at = end;
  }
  return next;
}

/** What is older than format 2 may be as short as 34 bytes; only its offset, length and format lie where they do now. */
function isReadable(bytes: Buffer, at: number): boolean {
  return bytes.readInt8(at + MAGIC) === 2;
}

function endOfBatch(bytes: Buffer, at: number): number {
  return at + LENGTH + 4 + bytes.readInt32BE(at + LENGTH);
}

/** The records of whole batches at offset `from` and later, less those of aborted transactions. Keys and values are views into `bytes`. */
export function decodeBatches(
  bytes: Buffer,
  from: number,
  aborted: readonly Aborted[],
): Result<SourceRecord[]> {
  const records: SourceRecord[] = [];
  const calledOff = openAborted(aborted);
  for (let at = 0; at + FORMAT_TOLD <= bytes.length;) {
    const end = endOfBatch(bytes, at);
    if (end > bytes.length) break;
    const problem = decodeBatch(bytes.subarray(at, end), from, calledOff, records);
    if (problem !== undefined) return fail(problem);
    at = end;
  }
  return ok(records);
}

function decodeBatch(
  batch: Buffer,
  from: number,
  calledOff: CalledOff,
  into: SourceRecord[],
): Problem | undefined {
  const base = Number(batch.readBigInt64BE(0));
  if (!isReadable(batch, 0)) return tooOld(base);
  if (crc32c(batch, ATTRIBUTES, batch.length) !== batch.readUInt32BE(CRC)) return damaged(base);
  const attributes = batch.readInt16BE(ATTRIBUTES);
  const producerId = batch.readBigInt64BE(PRODUCER_ID);
  if ((attributes & CONTROL) !== 0) {
    calledOff.end(producerId, base);
    return undefined;
  }
  if ((attributes & TRANSACTIONAL) !== 0 && calledOff.has(producerId, base)) return undefined;
  let body: Buffer | undefined;
  try {
    body = decompress(attributes & CODEC_BITS, batch.subarray(BATCH_HEAD));
  } catch {
    return damaged(base);
  }
  if (body === undefined) return unknownCodec(base, attributes & CODEC_BITS);
  const hasAppendTime = (attributes & LOG_APPEND_TIME) !== 0;
  const time = Number(batch.readBigInt64BE(hasAppendTime ? MAX_TIME : BASE_TIME));
  readRecords(body, batch.readInt32BE(COUNT), { base, time, hasAppendTime, from }, into);
  return undefined;
}

/** Which transactions are called off at an offset. Control batches end them. */
type CalledOff = {
  has(producerId: bigint, offset: number): boolean;
  end(producerId: bigint, offset: number): void;
};

function openAborted(aborted: readonly Aborted[]): CalledOff {
  const pending = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const open = new Set<bigint>();
  const reach = (offset: number): void => {
    while ((pending[0]?.firstOffset ?? Infinity) <= offset) {
      const transaction = pending.shift();
      if (transaction !== undefined) open.add(transaction.producerId);
    }
  };
  return {
    has(producerId, offset) {
      reach(offset);
      return open.has(producerId);
    },
    end(producerId, offset) {
      reach(offset);
      open.delete(producerId);
    },
  };
}

type Base = { base: number; time: number; hasAppendTime: boolean; from: number };

const NO_HEADERS: readonly Header[] = [];

/** record = length · i8 attributes · time delta · offset delta · key length · key · value length · value · count · headers; all but one zigzag varints. */
function readRecords(body: Buffer, count: number, batch: Base, into: SourceRecord[]): void {
  let at = 0;

  function varint(): number {
    let byte = body[at++] ?? 0;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    for (let scale = 128; byte >= 0x80; scale *= 128) {
      byte = body[at++] ?? 0;
      value += (byte & 0x7f) * scale;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  function data(): Buffer | null {
    const length = varint();
    if (length < 0) return null;
    at += length;
    return body.subarray(at - length, at);
  }

  function headers(): readonly Header[] {
    const found = varint();
    if (found === 0) return NO_HEADERS;
    return Array.from({ length: found }, () => ({
      key: data()?.toString("utf8") ?? "",
      value: data() ?? EMPTY,
    }));
  }

  for (let i = 0; i < count; i++) {
    const length = varint();
    const end = at + length;
    at += 1;
    const timeDelta = varint();
    const offset = batch.base + varint();
    if (offset >= batch.from) {
      const timestampMs = batch.hasAppendTime ? batch.time : batch.time + timeDelta;
      into.push({ offset, timestampMs, key: data(), value: data(), headers: headers() });
    }
    at = end;
  }
}

const EMPTY = Buffer.alloc(0);

function damaged(offset: number): Problem {
  return {
    code: "kafka-log-damaged",
    message: `The record batch at offset ${offset} is damaged: its checksum or compression does not hold.`,
    hint: "Have the broker's log checked or restored from a replica, then resume the pipeline.",
    at: { offset },
  };
}

function tooOld(offset: number): Problem {
  return {
    code: "kafka-format-too-old",
    message: `The records at offset ${offset} are in a message format from before Kafka 0.11.`,
    hint: "Copy the topic into a new one with a current client, and read that.",
    at: { offset },
  };
}

function unknownCodec(offset: number, codec: number): Problem {
  return {
    code: "kafka-codec-unknown",
    message: `The record batch at offset ${offset} is compressed with codec ${codec}, which Kafka does not define.`,
    hint: "Have its producer use gzip, snappy, lz4, zstd or none.",
    at: { offset },
  };
}
