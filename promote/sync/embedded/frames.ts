import { crc32 } from "node:zlib";
import type { Header, SourceRecord } from "../ports.ts";

/**
 * Wire format of the file log, little-endian. A frame holds the records of one append, so that an append is there whole or not at all:
 *
 *     u32 length of body · u32 CRC-32 of body · body
 *     body   = f64 offset of the first record · u32 count · record…
 *     record = f64 timestamp (ms) · i32 key length · i32 value length · i32 headers length · key · value · headers
 *
 * A length of −1 is null (a null value is a tombstone). Headers are JSON: [[name, base64 of value], …].
 */
export const FRAME_HEAD = 8;
const BODY_HEAD = 12;
const RECORD_HEAD = 20;
/** An append is cut into frames of about this size; one larger record gets a frame of its own. */
export const FRAME_BYTES = 1 << 20;
export const MAX_BODY = 1 << 28;

export type NewRecord = Omit<SourceRecord, "offset" | "headers"> & { headers?: readonly Header[] };

export function encodeFrame(baseOffset: number, records: readonly NewRecord[]): Buffer {
  const headers = records.map((record) => encodeHeaders(record.headers ?? []));
  let size = BODY_HEAD;
  records.forEach((record, i) => {
    size +=
      RECORD_HEAD +
      (record.key?.length ?? 0) +
      (record.value?.length ?? 0) +
      (headers[i]?.length ?? 0);
  });
  const frame = Buffer.allocUnsafe(FRAME_HEAD + size);
  frame.writeUInt32LE(size, 0);
  frame.writeDoubleLE(baseOffset, FRAME_HEAD);
  frame.writeUInt32LE(records.length, FRAME_HEAD + 8);
  let at = FRAME_HEAD + BODY_HEAD;
  records.forEach((record, i) => {
    const parts = [record.key, record.value, headers[i] ?? null];
    frame.writeDoubleLE(record.timestampMs, at);
    parts.forEach((part, n) =>
      frame.writeInt32LE(part === null ? -1 : part.length, at + 8 + n * 4),
    );
    at += RECORD_HEAD;
    for (const part of parts) {
      if (part === null) continue;
      frame.set(part, at);
      at += part.length;
    }
  });
  frame.writeUInt32LE(crc32(frame.subarray(FRAME_HEAD)), 4);
  return frame;
}

/** What stands at `at`: a whole frame, the beginning of one (more bytes may come), or something that is no frame. */
export type FrameHead =
  | { kind: "frame"; end: number; baseOffset: number; count: number }
  | { kind: "partial"; needed: number }
  | { kind: "damaged" };

/** Reads a frame's head; with `verify`, its checksum too. */
export function frameAt(bytes: Buffer, at: number, verify: boolean): FrameHead {
  if (bytes.length - at < FRAME_HEAD) return { kind: "partial", needed: FRAME_HEAD };
  const size = bytes.readUInt32LE(at);
  if (size < BODY_HEAD || size > MAX_BODY) return { kind: "damaged" };
  const end = at + FRAME_HEAD + size;
  if (end > bytes.length) return { kind: "partial", needed: FRAME_HEAD + size };
  if (verify && crc32(bytes.subarray(at + FRAME_HEAD, end)) !== bytes.readUInt32LE(at + 4))
    return { kind: "damaged" };
  return {
    kind: "frame",
    end,
    baseOffset: bytes.readDoubleLE(at + FRAME_HEAD),
    count: bytes.readUInt32LE(at + FRAME_HEAD + 8),
  };
}

/** The records of a whole frame whose offset is at least `from`. Keys and values are views into `bytes`. */
export function recordsOf(bytes: Buffer, at: number, from: number, into: SourceRecord[]): void {
  const baseOffset = bytes.readDoubleLE(at + FRAME_HEAD);
  const count = bytes.readUInt32LE(at + FRAME_HEAD + 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let p = at + FRAME_HEAD + BODY_HEAD;
  const take = (length: number): Uint8Array | null => {
    if (length < 0) return null;
    const part = bytes.subarray(p, p + length);
    p += length;
    return part;
  };
  for (let i = 0; i < count; i++) {
    const timestampMs = view.getFloat64(p, true);
    const keyLength = view.getInt32(p + 8, true);
    const valueLength = view.getInt32(p + 12, true);
    const headersLength = view.getInt32(p + 16, true);
    p += RECORD_HEAD;
    if (baseOffset + i < from) {
      p += Math.max(0, keyLength) + Math.max(0, valueLength) + Math.max(0, headersLength);
      continue;
    }
    const key = take(keyLength);
    const value = take(valueLength);
    const headers = take(headersLength);
    into.push({
      offset: baseOffset + i,
      timestampMs,
      key,
      value,
      headers: headers === null ? NO_HEADERS : decodeHeaders(headers),
    });
  }
}

const NO_HEADERS: readonly Header[] = [];

function encodeHeaders(headers: readonly Header[]): Buffer | null {
  if (headers.length === 0) return null;
  return Buffer.from(
    JSON.stringify(headers.map(({ key, value }) => [key, Buffer.from(value).toString("base64")])),
  );
}

function decodeHeaders(bytes: Uint8Array): Header[] {
  const pairs = JSON.parse(Buffer.from(bytes).toString()) as [string, string][]; // written by encodeHeaders, under the checksum
  return pairs.map(([key, value]) => ({ key, value: Buffer.from(value, "base64") }));
}
