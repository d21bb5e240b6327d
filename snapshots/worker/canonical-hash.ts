import { createHash, type Hash } from "node:crypto";
import { isValid, type Raw } from "./raw.ts";

/**
 * One column's part of a table's content hash, as docs/types.md defines it: SHA-256 over its canonical values in row order, over the texts longer
 * than 12 bytes, and over the numbers of its NULL rows. Fed in pieces of any size, in row order.
 */
export type ColumnHasher = { update(raw: Raw): void; nullCount(): number; digest(): Buffer };

export function columnHasher(): ColumnHasher {
  const values = createHash("sha256");
  const long = createHash("sha256");
  const nulls = createHash("sha256");
  const children: ColumnHasher[] = [];
  let row = 0;
  let nullCount = 0;
  const child = (index: number) => (children[index] ??= columnHasher());
  return {
    update(raw) {
      if (raw.nulls.bits !== null) hashNullRows(nulls, raw.nulls.bits, raw.rows, row);
      nullCount += raw.nulls.count;
      row += raw.rows;
      switch (raw.shape) {
        case "fixed":
          values.update(raw.data);
          break;
        case "text":
          values.update(raw.views);
          if (raw.long.length > 0) long.update(raw.long);
          break;
        case "list":
          values.update(bytesOf(raw.lengths));
          child(0).update(raw.child);
          break;
        case "struct":
          raw.children.forEach((piece, index) => child(index).update(piece));
          break;
      }
    },
    nullCount: () => nullCount,
    digest() {
      const all = createHash("sha256");
      for (const part of [values, long, nulls]) all.update(part.digest());
      for (const part of children) all.update(part.digest());
      return all.digest();
    },
  };
}

function hashNullRows(hash: Hash, bits: Uint8Array, rows: number, firstRow: number): void {
  const found: number[] = [];
  for (let i = 0; i < rows; i += 1) if (!isValid(bits, i)) found.push(firstRow + i);
  hash.update(bytesOf(Float64Array.from(found)));
}

function bytesOf(array: Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
