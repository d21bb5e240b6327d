import type { Kept } from "../json-values.ts";

/** Fills `row`, by column of the contract; a reason when the bytes do not hold to it. */
export type RowReader = (value: Uint8Array, row: Kept[]) => string | undefined;

/** The identity in a tombstone's key, by key column. */
export type KeyReader = (key: Uint8Array) => { values: Kept[] } | { reason: string };

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

export function missingNull(name: string): string {
  return `column \`${name}\` is null, which the contract does not allow`;
}
