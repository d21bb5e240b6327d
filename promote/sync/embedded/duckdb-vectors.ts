import { DuckDBDataChunk } from "@duckdb/node-api";
import duckdb, { type Vector } from "@duckdb/node-bindings";
import type { SqlType } from "#snapshots/types.ts";
import { itemType, physicalKind, widthOf, type Physical } from "../values/arrow-read.ts";
import { duckdbType } from "./duckdb-types.ts";

/** The values of `column` at `rows` (−1: null), for a staging column of `stagingType(type)`. */
export type Gather = { column: Physical; type: SqlType; rows: Int32Array };

const VECTOR_ROWS = 2048;

/** A range of gathered columns as chunks to append, a vector's rows each: bytes to bytes, no value becomes a JavaScript one. */
export function gatheredChunks(
  columns: readonly Gather[],
  { from, to }: { from: number; to: number },
): DuckDBDataChunk[] {
  const types = columns.map(({ type }) => duckdbType(stagingType(type)));
  const chunks: DuckDBDataChunk[] = [];
  for (let first = from; first < to; first += VECTOR_ROWS) {
    const size = Math.min(VECTOR_ROWS, to - first);
    const chunk = DuckDBDataChunk.create(types, size);
    // Columns share their rows.
    const known = new Map<Int32Array, Rows>();
    columns.forEach(({ column, type, rows: all }, index) => {
      const rows = known.get(all) ?? rowsOf(all.subarray(first, first + size));
      known.set(all, rows);
      writeVector(duckdb.data_chunk_get_vector(chunk.chunk, index), type, column, rows);
    });
    chunks.push(chunk);
  }
  return chunks;
}

/**
 * What a column is staged as. Enums, UUIDs and JSON are staged as text and fixed arrays as lists; DuckDB casts them on the way into
 * the table, and refuses what does not fit.
 */
export function stagingType(type: SqlType): SqlType {
  switch (type.kind) {
    case "enum":
      return { kind: "scalar", name: "VARCHAR" };
    case "list":
      return { kind: "list", item: stagingType(type.item) };
    case "map":
      return { kind: "map", key: stagingType(type.key), value: stagingType(type.value) };
    case "struct":
      return {
        kind: "struct",
        fields: type.fields.map((field) => ({ name: field.name, type: stagingType(field.type) })),
      };
    case "scalar":
      return type.name === "UUID" || type.name === "JSON"
        ? { kind: "scalar", name: "VARCHAR" }
        : type;
    case "decimal":
      return type;
  }
}

/** Rows of a column, and whether they follow each other, none missing. */
type Rows = { at: Int32Array; isRun: boolean };

function rowsOf(at: Int32Array): Rows {
  const first = at[0] ?? -1;
  let isRun = first >= 0;
  for (let i = 1; isRun && i < at.length; i++) isRun = at[i] === first + i;
  return { at, isRun };
}

function writeVector(vector: Vector, type: SqlType, column: Physical, chosen: Rows): void {
  const { at: rows, isRun } = chosen;
  // Bytes of another kind could be more than the vector has room for: nobody would stop the copy.
  if (column.kind !== physicalKind(type))
    throw new RangeError(`a column of ${column.kind} is no ${type.kind}`);
  if (!isRun || column.valid !== undefined) writeValidity(vector, column.valid, rows);
  switch (column.kind) {
    case "fixed":
      copy(vector, gatherFixed(column.data, widthOf(type), storedWidth(type), chosen));
      return;
    case "bits": {
      const bytes = new Uint8Array(rows.length);
      for (let i = 0; i < rows.length; i++) bytes[i] = isSet(column.data, rows[i] ?? -1) ? 1 : 0;
      copy(vector, bytes);
      return;
    }
    case "bytes":
      writeTexts(vector, column.offsets, column.data, column.valid, rows);
      return;
    case "list":
      writeList(vector, type, column, rows);
      return;
    case "struct":
      if (type.kind !== "struct") return;
      type.fields.forEach((field, i) => {
        const inner = column.fields[i];
        if (inner !== undefined)
          writeVector(duckdb.struct_vector_get_child(vector, i), field.type, inner, chosen);
      });
  }
}

function copy(vector: Vector, bytes: Uint8Array<ArrayBuffer>): void {
  duckdb.copy_data_to_vector(vector, 0, bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isSet(bitmap: Uint8Array, row: number): boolean {
  return row >= 0 && (((bitmap[row >> 3] ?? 0) >> (row & 7)) & 1) === 1;
}

function writeValidity(vector: Vector, valid: Uint8Array | undefined, rows: Int32Array): void {
  const words = new Uint8Array(((rows.length + 63) >> 6) * 8).fill(255);
  let nulls = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? -1;
    if (row >= 0 && (valid === undefined || isSet(valid, row))) continue;
    words[i >> 3] = (words[i >> 3] ?? 0) & ~(1 << (i & 7));
    nulls++;
  }
  if (nulls === 0) return;
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, words.buffer, 0, words.byteLength);
}

/** Arrow's decimals are 16 bytes wide, DuckDB's as wide as their digits need; little-endian, so the low bytes are the value. */
function storedWidth(type: SqlType): number {
  if (type.kind !== "decimal") return widthOf(type);
  return type.width <= 4 ? 2 : type.width <= 9 ? 4 : type.width <= 18 ? 8 : 16;
}

function gatherFixed(
  data: Uint8Array,
  from: number,
  to: number,
  { at: rows, isRun }: Rows,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(rows.length * to);
  if (from === to && isRun) {
    const first = (rows[0] ?? 0) * from;
    out.set(data.subarray(first, first + out.length));
    return out;
  }
  if (from === 8 && to === 8 && data.byteOffset % 4 === 0) {
    const source = new Uint32Array(data.buffer, data.byteOffset, data.byteLength >> 2);
    const target = new Uint32Array(out.buffer);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? -1;
      if (row < 0) continue;
      target[i * 2] = source[row * 2] ?? 0;
      target[i * 2 + 1] = source[row * 2 + 1] ?? 0;
    }
    return out;
  }
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? -1;
    if (row < 0) continue;
    for (let b = 0; b < to; b++) out[i * to + b] = data[row * from + b] ?? 0;
  }
  return out;
}

/** DuckDB keeps texts of up to 12 bytes in their 16-byte slot, laid out as Arrow's views are: length, then the bytes. */
function writeTexts(
  vector: Vector,
  offsets: Int32Array,
  data: Uint8Array,
  valid: Uint8Array | undefined,
  rows: Int32Array,
): void {
  const slots = new Uint8Array(rows.length * 16);
  const lengths = new Uint32Array(slots.buffer);
  const long: number[] = [];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? -1;
    if (row < 0 || (valid !== undefined && !isSet(valid, row))) continue;
    const start = offsets[row] ?? 0;
    const length = (offsets[row + 1] ?? 0) - start;
    if (start < 0 || length < 0 || start + length > data.length)
      throw new RangeError("an Arrow text lies outside its buffer");
    if (length > 12) {
      long.push(i);
      continue;
    }
    lengths[i * 4] = length;
    for (let b = 0; b < length; b++) slots[i * 16 + 4 + b] = data[start + b] ?? 0;
  }
  copy(vector, slots);
  for (const i of long) {
    const row = rows[i] ?? 0;
    duckdb.vector_assign_string_element_len(
      vector,
      i,
      data.subarray(offsets[row], offsets[row + 1]),
    );
  }
}

function writeList(
  vector: Vector,
  type: SqlType,
  column: Physical & { kind: "list" },
  rows: Int32Array,
): void {
  const entries = new BigUint64Array(rows.length * 2);
  const items: number[] = [];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? -1;
    entries[i * 2] = BigInt(items.length);
    if (row < 0 || (column.valid !== undefined && !isSet(column.valid, row))) continue;
    const from = column.offsets[row] ?? 0;
    const to = column.offsets[row + 1] ?? 0;
    if (from < 0 || to > column.item.length)
      throw new RangeError("an Arrow list lies outside its items");
    for (let item = from; item < to; item++) items.push(item);
    entries[i * 2 + 1] = BigInt(Math.max(0, to - from));
  }
  duckdb.list_vector_reserve(vector, items.length);
  duckdb.list_vector_set_size(vector, items.length);
  copy(vector, new Uint8Array(entries.buffer));
  if (items.length > 0)
    writeVector(
      duckdb.list_vector_get_child(vector),
      itemType(type),
      column.item,
      rowsOf(Int32Array.from(items)),
    );
}
