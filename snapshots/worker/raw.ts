import duckdb from "@duckdb/node-bindings";
import type { Vector } from "@duckdb/node-bindings";
import { scalars, type SqlType } from "../types.ts";
import { readLongTexts } from "./long-text.ts";

/**
 * The values of one DuckDB vector as bytes, canonical: NULL slots are zero and every NaN is the same one. Equal values are
 * equal bytes, so that the hash can run over them; Arrow's buffers are made from them without a call per value.
 */
export type Raw =
  | { shape: "fixed"; rows: number; nulls: Nulls; width: number; data: Uint8Array }
  /** `views` as in Arrow's view layout: length, then 12 bytes inline, or 4 of prefix and 8 of zero; `long` in row order. */
  | { shape: "text"; rows: number; nulls: Nulls; views: Uint8Array; long: Uint8Array }
  | { shape: "list"; rows: number; nulls: Nulls; lengths: Uint32Array; child: Raw }
  | { shape: "struct"; rows: number; nulls: Nulls; children: Raw[] };

/** `bits`: 1 = valid, least significant bit first; null when no row is NULL. */
export type Nulls = { count: number; bits: Uint8Array | null };

const none: Nulls = { count: 0, bits: null };

/**
 * Reads `rows` values of a flat vector; with `pick`, the values at those indices. `parent` marks the rows of an enclosing
 * struct that are NULL. What is returned may be a view of DuckDB's memory: use it before the chunk is let go.
 */
export function readVector(
  vector: Vector,
  type: SqlType,
  rows: number,
  pick: Uint32Array | null = null,
  parent: Nulls = none,
): Raw {
  const count = pick?.length ?? rows;
  const nulls = readNulls(vector, rows, pick, parent);
  if (type.kind === "struct") {
    const children = type.fields.map((field, index) =>
      readVector(duckdb.struct_vector_get_child(vector, index), field.type, rows, pick, nulls),
    );
    return { shape: "struct", rows: count, nulls, children };
  }
  if (type.kind === "list" && type.size !== undefined) {
    return readArray(vector, type.item, type.size, rows, pick, nulls);
  }
  if (type.kind === "list" || type.kind === "map") {
    const item: SqlType =
      type.kind === "list"
        ? type.item
        : {
            kind: "struct",
            fields: [
              { name: "key", type: type.key },
              { name: "value", type: type.value },
            ],
          };
    return readList(vector, item, rows, pick, nulls);
  }
  const width = widthOf(type);
  const data = gather(duckdb.vector_get_data(vector, rows * width), width, pick);
  if (isText(type)) return readText(data, count, nulls);
  return { shape: "fixed", rows: count, nulls, width, data: canonical(data, type, width, nulls) };
}

/** Bytes of one value in a vector. */
export function widthOf(type: SqlType): number {
  if (type.kind === "scalar") return scalars[type.name];
  if (type.kind === "enum")
    return type.values.length <= 255 ? 1 : type.values.length <= 65_535 ? 2 : 4;
  if (type.kind === "decimal")
    return type.width <= 4 ? 2 : type.width <= 9 ? 4 : type.width <= 18 ? 8 : 16;
  return 16;
}

export function isText(type: SqlType): boolean {
  return (
    type.kind === "scalar" &&
    (type.name === "VARCHAR" || type.name === "JSON" || type.name === "BLOB")
  );
}

export function isValid(bits: Uint8Array, row: number): boolean {
  return ((bits[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
}

function readNulls(vector: Vector, rows: number, pick: Uint32Array | null, parent: Nulls): Nulls {
  const own: Uint8Array | null = duckdb.vector_get_validity(vector, Math.ceil(rows / 64) * 8);
  if ((own === null || own.length === 0) && parent.bits === null) return none;
  const count = pick?.length ?? rows;
  const bits = new Uint8Array(Math.ceil(count / 8));
  let nulls = 0;
  for (let i = 0; i < count; i += 1) {
    const ownValid = own === null || own.length === 0 || isValid(own, pick ? (pick[i] ?? 0) : i);
    if (ownValid && (parent.bits === null || isValid(parent.bits, i)))
      bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
    else nulls += 1;
  }
  return nulls === 0 ? none : { count: nulls, bits };
}

function gather(data: Uint8Array, width: number, pick: Uint32Array | null): Uint8Array {
  if (pick === null) return data;
  const picked = new Uint8Array(pick.length * width);
  for (let i = 0; i < pick.length; i += 1) {
    const from = (pick[i] ?? 0) * width;
    for (let b = 0; b < width; b += 1) picked[i * width + b] = data[from + b] ?? 0;
  }
  return picked;
}

/** Zeroes what lies under NULLs and makes every NaN the quiet one; copies only when there is something to change. */
function canonical(data: Uint8Array, type: SqlType, width: number, nulls: Nulls): Uint8Array {
  let own = data;
  if (nulls.bits !== null) {
    own = data.slice();
    for (let i = 0, rows = own.length / width; i < rows; i += 1) {
      if (!isValid(nulls.bits, i)) own.fill(0, i * width, (i + 1) * width);
    }
  }
  if (type.kind !== "scalar" || (type.name !== "DOUBLE" && type.name !== "FLOAT")) return own;
  const floats = (bytes: Uint8Array) =>
    type.name === "DOUBLE"
      ? new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
      : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  if (own.byteOffset % width !== 0) own = own.slice();
  let values = floats(own);
  const first = values.findIndex(Number.isNaN);
  if (first === -1) return own;
  if (own === data) {
    own = data.slice();
    values = floats(own);
  }
  for (let i = first; i < values.length; i += 1) {
    if (Number.isNaN(values[i])) values[i] = Number.NaN;
  }
  return own;
}

function readText(data: Uint8Array, rows: number, nulls: Nulls): Raw {
  const aligned = data.byteOffset % 4 === 0 ? data : data.slice();
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, rows * 4);
  let hasLong = false;
  for (let i = 0; i < words.length; i += 4) {
    if ((words[i] ?? 0) > 12) {
      hasLong = true;
      break;
    }
  }
  if (!hasLong && nulls.bits === null) {
    return { shape: "text", rows, nulls, views: aligned, long: new Uint8Array(0) };
  }
  const views = aligned.slice();
  const own = new Uint32Array(views.buffer, views.byteOffset, rows * 4);
  if (nulls.bits !== null) {
    for (let i = 0; i < rows; i += 1) if (!isValid(nulls.bits, i)) own.fill(0, i * 4, i * 4 + 4);
  }
  return { shape: "text", rows, nulls, views, long: readLongTexts(own) };
}

function readList(
  vector: Vector,
  item: SqlType,
  rows: number,
  pick: Uint32Array | null,
  nulls: Nulls,
): Raw {
  const entries = gather(duckdb.vector_get_data(vector, rows * 16), 16, pick);
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const count = pick?.length ?? rows;
  const lengths = new Uint32Array(count);
  const starts = new Float64Array(count);
  let total = 0;
  for (let i = 0; i < count; i += 1) {
    if (nulls.bits !== null && !isValid(nulls.bits, i)) continue;
    lengths[i] = view.getUint32(i * 16 + 8, true);
    starts[i] = view.getUint32(i * 16, true);
    total += lengths[i] ?? 0;
  }
  const children = new Uint32Array(total);
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    for (let k = 0, n = lengths[i] ?? 0; k < n; k += 1, at += 1)
      children[at] = (starts[i] ?? 0) + k;
  }
  const size = duckdb.list_vector_get_size(vector);
  const child = readVector(duckdb.list_vector_get_child(vector), item, size, children);
  return { shape: "list", rows: count, nulls, lengths, child };
}

function readArray(
  vector: Vector,
  item: SqlType,
  size: number,
  rows: number,
  pick: Uint32Array | null,
  nulls: Nulls,
): Raw {
  const count = pick?.length ?? rows;
  const lengths = new Uint32Array(count);
  const children: number[] = [];
  for (let i = 0; i < count; i += 1) {
    if (nulls.bits !== null && !isValid(nulls.bits, i)) continue;
    lengths[i] = size;
    const start = (pick ? (pick[i] ?? 0) : i) * size;
    for (let k = 0; k < size; k += 1) children.push(start + k);
  }
  const child = readVector(
    duckdb.array_vector_get_child(vector),
    item,
    rows * size,
    Uint32Array.from(children),
  );
  return { shape: "list", rows: count, nulls, lengths, child };
}
