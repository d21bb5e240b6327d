import type { Header } from "../ports.ts";
import { codecNumber, compress, type Compression } from "./codecs.ts";
import { crc32c } from "./crc32c.ts";
import { BATCH_HEAD } from "./records.ts";

/** Who writes, for the broker to drop what it has already: ids from InitProducerId, and where the batch stands in the partition's sequence. */
export type Producing = { producerId: bigint; epoch: number; sequence: number };

/** Collects records into one record batch (format 2, see records.ts). */
export type BatchBuilder = {
  add(record: {
    timestampMs: number;
    key: Uint8Array | null;
    value: Uint8Array | null;
    headers: readonly Header[];
  }): void;
  count(): number;
  /** Before compression. */
  sizeBytes(): number;
  build(by: Producing, compression: Compression): Buffer;
};

/** Varints of one record beyond its headers: length, attributes, time, offset, key length, value length, header count. */
const MOST_VARINTS = 50;

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

  function varint(value: number): void {
    let rest = value < 0 ? -2 * value - 1 : 2 * value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
    bytes[at++] = rest;
  }

  function data(value: Uint8Array | null): void {
    if (value === null) return varint(-1);
    varint(value.length);
    bytes.set(value, at);
    at += value.length;
  }

  return {
    add({ timestampMs, key, value, headers }) {
      if (count === 0) base = greatest = timestampMs;
      greatest = Math.max(greatest, timestampMs);
      const names = headers.map((header) => Buffer.from(header.key));
      let length = 1 + sizeOf(timestampMs - base) + sizeOf(count) + sizeOfData(key);
      length += sizeOfData(value) + sizeOf(headers.length);
      headers.forEach((header, i) => {
        length += sizeOfData(names[i] ?? null) + sizeOfData(header.value);
      });
      grow(length + MOST_VARINTS);
      varint(length);
      bytes[at++] = 0;
      varint(timestampMs - base);
      varint(count++);
      data(key);
      data(value);
      varint(headers.length);
      headers.forEach((header, i) => {
        data(names[i] ?? null);
        data(header.value);
      });
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

function sizeOf(value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let size = 1;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
  return size;
}

function sizeOfData(value: Uint8Array | null): number {
  return value === null ? 1 : sizeOf(value.length) + value.length;
}
