import { isUtf8 } from "node:buffer";
import type { Kept } from "../json-values.ts";

/** Fills `row`, by column of the contract; a reason when the bytes do not hold to it. */
export type RowReader = (value: Uint8Array, row: Kept[]) => string | undefined;

/** The identity in a tombstone's key, by key column. */
export type KeyReader = (key: Uint8Array) => { values: Kept[] } | { reason: string };

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
