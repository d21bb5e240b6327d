import { createHash, type Hash } from "node:crypto";
import { isValid, type Raw } from "./raw.ts";

/**
 * A table's content hash, as docs/types.md defines it: one SHA-256 a column over its canonical values in row order, one over
 * the numbers of its NULL rows, and one over the lot. Fed in pieces of any size, in row order.
 */
type TableHasher = {
  update(column: number, raw: Raw): void;
  finish(columns: NamedType[], rows: number, hiddenColumns: number): TableDigest;
};
type NamedType = { name: string; type: string };
/** The hash, and for each column whether it holds a NULL. */
type TableDigest = { hash: string; hasNulls: boolean[] };

export function tableHasher(columnCount: number): TableHasher {
  const columns = Array.from({ length: columnCount }, () => columnHasher());
  return {
    update: (column, raw) => columns[column]?.update(raw),
    finish(named, rows, hiddenColumns) {
      const all = createHash("sha256");
      const schema = named.map(({ name, type }) => [name, type]);
      all.update(JSON.stringify({ penstock: 1, schema, rows, hiddenColumns }));
      for (const column of columns) all.update(column.digest());
      return { hash: all.digest("hex"), hasNulls: columns.map((column) => column.nullCount() > 0) };
    },
  };
}

type ColumnHasher = { update(raw: Raw): void; nullCount(): number; digest(): Buffer };

function columnHasher(): ColumnHasher {
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
