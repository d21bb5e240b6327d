import type { Header } from "../ports.ts";
import { codecNumber, compress, type Compression } from "./codecs.ts";
import { crc32c } from "./crc32c.ts";
import { BATCH_HEAD } from "./records.ts";

/** Who writes, for the broker to drop what it has already: ids from InitProducerId, and where the batch stands in the partition's sequence. */
export type Producing = { producerId: bigint; epoch: number; sequence: number };

/** A record about to be written. */
export type BatchRecord = {
  timestampMs: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: EncodedHeaders;
};

/** The headers of a record as they stand in it: their number, then name and value of each. */
export type EncodedHeaders = Uint8Array;

/** Collects records into one record batch (format 2, see records.ts). */
export type BatchBuilder = {
  add(record: BatchRecord): void;
  count(): number;
  /** Before compression. */
  sizeBytes(): number;
  build(by: Producing, compression: Compression): Buffer;
};

/** Varints of one record beyond its headers: length, attributes, time, offset, key length, value length. */
const MOST_VARINTS = 48;

/** How much a batch grows by a record, at most. */
export function mostBytesOf({ key, value, headers }: BatchRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0) + headers.length + MOST_VARINTS;
}

export function openBatch(roomBytes = 4096): BatchBuilder {
  let bytes = Buffer.allocUnsafe(Math.max(roomBytes, 256));
  let at = 0;
  let count = 0;
  let base = 0;
  let greatest = 0;

  function grow(size: number): void {
    if (at + size <= bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, at + size));
    bytes.copy(larger, 0, 0, at);
    bytes = larger;
  }

  function data(value: Uint8Array | null): void {
    at = putVarint(bytes, at, value === null ? -1 : value.length);
    if (value !== null) raw(value);
  }

  function raw(value: Uint8Array): void {
    bytes.set(value, at);
    at += value.length;
  }

  return {
    add({ timestampMs, key, value, headers }) {
      if (count === 0) base = greatest = timestampMs;
      greatest = Math.max(greatest, timestampMs);
      const delta = timestampMs - base;
      const length =
        1 + sizeOf(delta) + sizeOf(count) + sizeOfData(key) + sizeOfData(value) + headers.length;
      grow(length + MOST_VARINTS);
      at = putVarint(bytes, at, length);
      bytes[at++] = 0;
      at = putVarint(bytes, at, delta);
      at = putVarint(bytes, at, count++);
      data(key);
      data(value);
      raw(headers);
    },
    count: () => count,
    sizeBytes: () => at,
    build({ producerId, epoch, sequence }, compression) {
      const body = compress(compression, bytes.subarray(0, at));
      const batch = Buffer.allocUnsafe(BATCH_HEAD + body.length);
      batch.writeBigInt64BE(0n, 0);
      batch.writeInt32BE(batch.length - 12, 8);
      batch.writeInt32BE(-1, 12);
      batch.writeInt8(2, 16);
      batch.writeInt16BE(codecNumber(compression), 21);
      batch.writeInt32BE(count - 1, 23);
      batch.writeBigInt64BE(BigInt(base), 27);
      batch.writeBigInt64BE(BigInt(greatest), 35);
      batch.writeBigInt64BE(producerId, 43);
      batch.writeInt16BE(epoch, 51);
      batch.writeInt32BE(sequence, 53);
      batch.writeInt32BE(count, 57);
      batch.set(body, BATCH_HEAD);
      batch.writeUInt32BE(crc32c(batch, 21), 17);
      return batch;
    },
  };
}

const NO_HEADERS: EncodedHeaders = Buffer.from([0]);

export function encodeHeaders(headers: readonly Header[]): EncodedHeaders {
  if (headers.length === 0) return NO_HEADERS;
  const parts = headers.map(({ key, value }) => ({ name: Buffer.from(key), value }));
  const size = parts.reduce((sum, part) => sum + part.name.length + part.value.length + 10, 5);
  const bytes = Buffer.allocUnsafe(size);
  let at = putVarint(bytes, 0, parts.length);
  for (const part of parts.flatMap(({ name, value }) => [name, value])) {
    at = putVarint(bytes, at, part.length);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes.subarray(0, at);
}

/** Zigzag; answers where it ends. */
export function putVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
  bytes[at++] = rest;
  return at;
}

function sizeOf(value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let size = 1;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
  return size;
}

function sizeOfData(value: Uint8Array | null): number {
  return value === null ? 1 : sizeOf(value.length) + value.length;
}
