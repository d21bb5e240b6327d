import { isAscii, isUtf8 } from "node:buffer";
import type { Kept } from "../values/json-values.ts";
import type { SourceRecord } from "../ports.ts";

/** Fills `row`, by column of the contract, from a record's value; a reason when it does not hold to it. */
export type RowReader =
  | { of: "text"; read(text: string, row: Kept[]): string | undefined }
  | { of: "bytes"; read(value: Uint8Array, row: Kept[]): string | undefined };

/** The identity in a tombstone's key, by key column. */
export type KeyReader = (key: Uint8Array) => { values: Kept[] } | { reason: string };

const CHUNK_BYTES = 1 << 16;
/** Written and read within one call. */
const joined = Buffer.allocUnsafe(CHUNK_BYTES);

/**
 * The values of records as text, best asked for in turn; undefined for what is not UTF-8, and for a tombstone. Many that are ASCII become one string, of
 * which each is a slice: a string made of each record's own bytes takes half as long again.
 */
export function textsOf(records: readonly SourceRecord[]): (record: number) => string | undefined {
  const starts = new Int32Array(records.length + 1);
  let from = 0;
  let to = 0;
  let text: string | undefined;

  function join(first: number): void {
    from = first;
    to = first;
    let length = 0;
    for (; to < records.length; to++) {
      const value = records[to]?.value ?? NOTHING;
      if (length + value.length > CHUNK_BYTES) break;
      starts[to] = length;
      joined.set(value, length);
      length += value.length;
    }
    starts[to] = length;
    text = isAscii(joined.subarray(0, length)) ? joined.toString("latin1", 0, length) : undefined;
  }

  return (record) => {
    const value = records[record]?.value ?? undefined;
    if (value === undefined) return undefined;
    if (record < from || record >= to) join(record);
    // Too large for a chunk, or in one that is not ASCII.
    if (record >= to || text === undefined) return textOf(value);
    return text.slice(starts[record], starts[record + 1]);
  };
}

const NOTHING = new Uint8Array();

/** Bytes as text; undefined where they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  // What is no UTF-8 is decoded to this character, which may also be meant.
  return text.includes("\uFFFD") && !isUtf8(bytes) ? undefined : text;
}

export function missingNull(name: string): string {
  return `column \`${name}\` is null, which the contract does not allow`;
}
