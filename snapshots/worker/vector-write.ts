import duckdb from "@duckdb/node-bindings";
import type { Connection, Vector } from "@duckdb/node-bindings";
import { ProblemError } from "../problem.ts";
import { formatType, type SqlType } from "../types.ts";
import type { ArrowColumn } from "./arrow-check.ts";
import { isText, isValid, widthOf } from "./raw.ts";

/** Rows of a DuckDB vector. */
const chunkRows = 2048;

export type ChunkWriter = {
  /** Appends `rows` rows of checked columns. */
  append(columns: ArrowColumn[], rows: number): void;
  close(): void;
};

/** Writes checked Arrow columns into a table by copying whole buffers into DuckDB's vectors. */
export function chunkWriter(
  connection: Connection,
  catalog: string,
  table: string,
  types: SqlType[],
): ChunkWriter {
  const appender = duckdb.appender_create_ext(connection, catalog, "main", table);
  const logical = types.map((_, index) => duckdb.appender_column_type(appender, index));
  return {
    append(columns, rows) {
      for (let start = 0; start < rows; start += chunkRows) {
        const count = Math.min(chunkRows, rows - start);
        const chunk = duckdb.create_data_chunk(logical);
        duckdb.data_chunk_set_size(chunk, count);
        types.forEach((type, index) => {
          const column = columns[index];
          if (column)
            writeVector(duckdb.data_chunk_get_vector(chunk, index), type, column, start, count);
        });
        duckdb.append_data_chunk(appender, chunk);
      }
    },
    close() {
      duckdb.appender_close_sync(appender);
    },
  };
}

function writeVector(
  vector: Vector,
  type: SqlType,
  column: ArrowColumn,
  start: number,
  count: number,
): void {
  if (column.nullCount > 0) writeValidity(vector, column.validity, start, count);
  if (type.kind === "struct") {
    type.fields.forEach((field, index) => {
      const child = column.children?.[index];
      if (child)
        writeVector(duckdb.struct_vector_get_child(vector, index), field.type, child, start, count);
    });
    return;
  }
  if (type.kind === "list" || type.kind === "map") {
    writeList(vector, type, column, start, count);
    return;
  }
  const values = column.values ?? new Uint8Array(0);
  if (isText(type)) {
    writeText(vector, values, column.offsets ?? new Int32Array(1), start, count);
  } else if (type.kind === "decimal") {
    write(vector, narrow(values, type, column, start, count));
  } else if (type.kind === "scalar" && type.name === "BOOLEAN") {
    write(
      vector,
      Uint8Array.from({ length: count }, (_, i) => (isValid(values, start + i) ? 1 : 0)),
    );
  } else {
    const width = widthOf(type);
    write(vector, values.subarray(start * width, (start + count) * width));
  }
}

function write(vector: Vector, bytes: Uint8Array): void {
  duckdb.copy_data_to_vector(
    vector,
    0,
    bytes.buffer as ArrayBuffer,
    bytes.byteOffset,
    bytes.byteLength,
  );
}

function writeValidity(vector: Vector, validity: Uint8Array, start: number, count: number): void {
  const bytes = new Uint8Array(Math.ceil(count / 64) * 8);
  for (let i = 0; i < count; i += 1) {
    if (isValid(validity, start + i)) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  }
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, bytes.buffer, 0, bytes.byteLength);
}

/**
 * Up to 12 bytes a text lies in its 16-byte view; the longer ones are given to DuckDB joined, in one call, and the views point into that. (The
 * joined text is assigned to the vector's first place, which makes it the vector's own memory, and then overwritten by the views.)
 */
function writeText(
  vector: Vector,
  values: Uint8Array,
  offsets: Int32Array,
  start: number,
  count: number,
): void {
  const views = new Uint8Array(count * 16);
  const words = new Uint32Array(views.buffer);
  let longBytes = 0;
  for (let i = 0; i < count; i += 1) {
    const from = offsets[start + i] ?? 0;
    const length = (offsets[start + i + 1] ?? 0) - from;
    words[i * 4] = length;
    const inline = length <= 12 ? length : 4;
    for (let b = 0; b < inline; b += 1) views[i * 16 + 4 + b] = values[from + b] ?? 0;
    if (length > 12) longBytes += length;
  }
  if (longBytes > 0) point(vector, values, offsets, start, count, words);
  write(vector, views);
}

function point(
  vector: Vector,
  values: Uint8Array,
  offsets: Int32Array,
  start: number,
  count: number,
  words: Uint32Array,
): void {
  const first = offsets[start] ?? 0;
  const joined = values.subarray(first, offsets[start + count]);
  duckdb.vector_assign_string_element_len(vector, 0, joined);
  const view = duckdb.vector_get_data(vector, 16);
  const at = new DataView(view.buffer, view.byteOffset, 16);
  const base = at.getUint32(12, true) * 2 ** 32 + at.getUint32(8, true);
  for (let i = 0; i < count; i += 1) {
    if ((words[i * 4] ?? 0) <= 12) continue;
    const address = base + (offsets[start + i] ?? 0) - first;
    words[i * 4 + 2] = address % 2 ** 32;
    words[i * 4 + 3] = Math.floor(address / 2 ** 32);
  }
}

function writeList(
  vector: Vector,
  type: Extract<SqlType, { kind: "list" | "map" }>,
  column: ArrowColumn,
  start: number,
  count: number,
): void {
  const offsets = column.offsets ?? new Int32Array(1);
  const first = offsets[start] ?? 0;
  const total = (offsets[start + count] ?? 0) - first;
  const entries = new Uint32Array(count * 4);
  for (let i = 0; i < count; i += 1) {
    const from = offsets[start + i] ?? 0;
    entries[i * 4] = from - first;
    entries[i * 4 + 2] = (offsets[start + i + 1] ?? 0) - from;
  }
  duckdb.list_vector_reserve(vector, total);
  duckdb.list_vector_set_size(vector, total);
  write(vector, new Uint8Array(entries.buffer));
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
  const child = column.children?.[0];
  if (child && total > 0)
    writeVector(duckdb.list_vector_get_child(vector), item, child, first, total);
}

/** Arrow's 16-byte decimals into the width DuckDB keeps, each within its precision. */
function narrow(
  values: Uint8Array,
  type: Extract<SqlType, { kind: "decimal" }>,
  column: ArrowColumn,
  start: number,
  count: number,
): Uint8Array {
  const width = widthOf(type);
  const limit = 10n ** BigInt(type.width);
  const from = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const bytes = new Uint8Array(count * width);
  const to = new DataView(bytes.buffer);
  for (let i = 0; i < count; i += 1) {
    if (column.nullCount > 0 && !isValid(column.validity, start + i)) continue;
    const at = (start + i) * 16;
    const low = from.getBigUint64(at, true);
    const high = from.getBigInt64(at + 8, true);
    const value = (high << 64n) | low;
    if (value >= limit || value <= -limit) {
      throw new ProblemError({
        code: "bad-batch",
        message: `The value ${value} of row ${start + i} does not fit ${formatType(type)}.`,
        hint: "Declare a wider DECIMAL, or round the value.",
      });
    }
    if (width === 2) to.setInt16(i * 2, Number(value), true);
    else if (width === 4) to.setInt32(i * 4, Number(value), true);
    else to.setBigUint64(i * width, low, true);
    if (width === 16) to.setBigInt64(i * 16 + 8, high, true);
  }
  return bytes;
}
