import { readPhysical, type Physical } from "../values/arrow-read.ts";
import type { TypedColumn } from "../values/identity.ts";
import { JsonText } from "../values/json-text.ts";
import { writeLongDigits } from "../values/number-json.ts";
import { byPlace } from "../pipeline/operations.ts";
import { WRITE, type SinkBatch } from "../ports.ts";
import { fieldsWriter, valueWriter } from "../values/row-json.ts";
import { putVarint, type BatchRecord, type EncodedHeaders } from "./batch-builder.ts";
import { partitionOf } from "./partitioner.ts";

export const VERSION = "penstock.version";
export const TOPIC = "penstock.topic";
export const PARTITION = "penstock.partition";
export const OFFSET = "penstock.offset";
export const PART = "penstock.part";

export type RecordShape = { key: readonly TypedColumn[]; columns: readonly TypedColumn[] };

/**
 * A batch's operations as records. The key is the identity as JSON: the value itself of a single column, an array of several; a part beyond the first is
 * `{"key":identity,"part":n}`, so that keys stay as they are when a release begins to make several rows of one. The value is the row as JSON; a clear is a tombstone.
 */
export type RecordWriter = {
  partition(operation: number, partitions: number): number;
  /** Of the operation `partition` was last asked for; valid until the next. */
  record(operation: number, timestampMs: number): BatchRecord;
};

export function recordWriter(batch: SinkBatch, { key, columns }: RecordShape): RecordWriter {
  const keys = onlyBatch(batch.keys, key);
  const rows = onlyBatch(batch.rows, columns);
  const writeKeys = key.map(({ type }, i) => valueWriter(type, keys.columns[i]));
  const writeFields = fieldsWriter(columns, rows.columns);
  const keyText = new JsonText(256);
  const valueText = new JsonText(1024);
  const writeHeaders = headersWriter(batch);

  function writeIdentity(row: number): void {
    if (writeKeys.length !== 1) keyText.byte(OPEN_LIST);
    writeKeys.forEach((write, i) => {
      if (i > 0) keyText.byte(COMMA);
      write(keyText, row);
    });
    if (writeKeys.length !== 1) keyText.byte(CLOSE_LIST);
  }

  return {
    partition(i, partitions) {
      const part = batch.part[i] ?? 0;
      const row = batch.keyRow[i] ?? -1;
      if (row < 0 || row >= keys.length) throw new RangeError("an operation names no key");
      keyText.reset();
      if (part > 0) keyText.raw(PART_OPEN);
      writeIdentity(row);
      if (part > 0) {
        keyText.raw(PART_NUMBER);
        keyText.integer(part);
        keyText.byte(CLOSE);
      }
      return partitionOf(keyText.bytes, partitions);
    },
    record(i, timestampMs) {
      const row = batch.row[i] ?? -1;
      const isWrite = batch.kind[i] === WRITE;
      if (isWrite && (row < 0 || row >= rows.length))
        throw new RangeError("an operation names no row");
      valueText.reset();
      if (isWrite) {
        valueText.byte(OPEN);
        writeFields(valueText, row);
        valueText.byte(CLOSE);
      }
      const value = isWrite ? valueText.bytes : null;
      return { timestampMs, key: keyText.bytes, value, headers: writeHeaders(i) };
    },
  };
}

/** The headers of an operation, encoded; valid until the next. */
function headersWriter(batch: SinkBatch): (operation: number) => EncodedHeaders {
  const out = new JsonText(512);
  const digits = new JsonText(32);
  const versions = new DataView(
    batch.version.buffer,
    batch.version.byteOffset,
    batch.version.byteLength,
  );
  const place = byPlace(batch, ({ topic, partition }) =>
    Buffer.concat([
      header(TOPIC, Buffer.from(topic)),
      header(PARTITION, Buffer.from(String(partition))),
    ]),
  );
  const [version, offset, part] = [VERSION, OFFSET, PART].map(sized);

  function number(name: Uint8Array | undefined, write: () => void): void {
    digits.reset();
    write();
    if (name !== undefined) out.raw(name);
    out.byte(digits.length * 2);
    out.raw(digits.bytes);
  }

  return (i) => {
    const partNumber = batch.part[i] ?? 0;
    out.reset();
    const carried = batch.headers?.(i) ?? [];
    // A varint of one byte: a trace has a traceparent and at most some tracestates.
    out.byte(((partNumber > 0 ? 5 : 4) + Math.min(carried.length, MOST_CARRIED)) * 2);
    number(version, () => writeLongDigits(digits, versions, i * 8));
    out.raw(place(i));
    number(offset, () => digits.integer(batch.offset[i] ?? 0));
    if (partNumber > 0) number(part, () => digits.integer(partNumber));
    for (const { key, value } of carried.slice(0, MOST_CARRIED)) out.raw(header(key, value));
    return out.bytes;
  };
}

const MOST_CARRIED = 32;
/** Bytes of a length as a zigzag varint. */
const LONGEST_VARINT = 5;

/** A length, then the text or bytes. */
function sized(text: string | Uint8Array): Buffer {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  const length = Buffer.alloc(LONGEST_VARINT);
  return Buffer.concat([length.subarray(0, putVarint(length, 0, bytes.length)), bytes]);
}

function header(name: string, value: Uint8Array): Buffer {
  return Buffer.concat([sized(name), sized(value)]);
}

function onlyBatch(
  stream: Uint8Array,
  columns: readonly TypedColumn[],
): { length: number; columns: Physical[] } {
  const types = columns.map((column) => column.type);
  const [first, ...rest] = readPhysical(stream, types).filter((batch) => batch.length > 0);
  if (rest.length > 0) throw new RangeError("a sink batch holds one Arrow record batch");
  return first ?? { length: 0, columns: [] };
}

const PART_OPEN = Buffer.from('{"key":');
const PART_NUMBER = Buffer.from(',"part":');
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const COMMA = 0x2c;
