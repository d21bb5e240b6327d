import type { ScalarName, SqlType } from "#snapshots/types.ts";
import type { Physical } from "../values/arrow-read.ts";
import { JsonText } from "../values/json-text.ts";
import { isSet, valueWriter } from "../values/row-json.ts";
import { bigEndian, decimals, moments, varints, widened, type At } from "./encode-numbers.ts";
import { cellsOf } from "./storage.ts";

/** A column's values in Cassandra's wire format, a buffer a cell. `refused`: why the value at a row cannot be written. */
export type Encoded = { cells: At[]; refused?: ReadonlyMap<number, string> };

/**
 * Encodes a column once for its whole batch: the driver passes buffers through as they are, whatever the parameter's type, so that no
 * value becomes a JavaScript one. What stands at a row that is null is undefined; see `isNullAt`.
 */
export function encodeColumn(type: SqlType, column: Physical): Encoded {
  switch (column.kind) {
    case "bits":
      return { cells: [(row) => (isSet(column.data, row) ? TRUE : FALSE)] };
    case "bytes":
      return type.kind === "scalar" && type.name === "UUID"
        ? uuids(column)
        : { cells: [bytesAt(column)] };
    case "list":
    case "struct":
      return { cells: [nested(type, column)] };
    case "fixed":
      if (type.kind === "decimal") return { cells: [decimals(column, type.scale)] };
      if (type.kind !== "scalar") throw new RangeError(`${type.kind} has no fixed width`);
      return { cells: fixed(type.name, column) };
  }
}

/**
 * As `encodeColumn`, for a partition key, where equal bytes make the identity: −0.0 becomes 0.0, which it equals. An Arrow double has no
 * other two forms: every NaN is the one (docs/types.md).
 */
export function encodeKey(type: SqlType, column: Physical): Encoded {
  if (type.kind !== "scalar" || column.kind !== "fixed") return encodeColumn(type, column);
  if (type.name !== "DOUBLE" && type.name !== "FLOAT") return encodeColumn(type, column);
  const data = column.data.slice();
  const values =
    type.name === "DOUBLE" ? new Float64Array(data.buffer) : new Float32Array(data.buffer);
  for (let i = 0; i < values.length; i++) if (values[i] === 0) values[i] = 0;
  return encodeColumn(type, { ...column, data });
}

const TRUE = Buffer.from([1]);
const FALSE = Buffer.from([0]);

export function isNullAt(column: Physical, row: number): boolean {
  return column.valid !== undefined && !isSet(column.valid, row);
}

/** Views of Arrow's own bytes: UTF-8 is UTF-8. */
function bytesAt({ offsets, data }: Physical & { kind: "bytes" }): At {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return (row) => bytes.subarray(offsets[row] ?? 0, offsets[row + 1] ?? 0);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function uuids(column: Physical & { kind: "bytes" }): Encoded {
  const text = bytesAt(column);
  const bytes = Buffer.alloc(column.length * 16);
  const refused = new Map<number, string>();
  for (let row = 0; row < column.length; row++) {
    if (isNullAt(column, row)) continue;
    const shown = text(row).toString("latin1");
    if (UUID.test(shown)) bytes.write(shown.replaceAll("-", ""), row * 16, "hex");
    else refused.set(row, `is ${JSON.stringify(shown.slice(0, 60))}, which is not a UUID`);
  }
  return { cells: [(row) => bytes.subarray(row * 16, row * 16 + 16)], refused };
}

/** JSON text, as docs/types.md maps values to JSON. */
function nested(type: SqlType, column: Physical): At {
  const text = new JsonText(1 << 10);
  const write = valueWriter(type, column);
  return (row) => {
    text.reset();
    write(text, row);
    return Buffer.from(text.bytes);
  };
}

function fixed(name: ScalarName, column: Physical & { kind: "fixed" }): At[] {
  switch (name) {
    case "TINYINT":
      return [bigEndian(column.data, 1)];
    case "SMALLINT":
      return [bigEndian(column.data, 2)];
    case "INTEGER":
    case "FLOAT":
      return [bigEndian(column.data, 4)];
    case "BIGINT":
    case "DOUBLE":
      return [bigEndian(column.data, 8)];
    case "UTINYINT":
    case "USMALLINT":
    case "UINTEGER":
    case "DATE":
    case "TIME":
      return [widened(name, column)];
    case "UBIGINT":
    case "HUGEINT":
    case "UHUGEINT":
      return [varints(column, name === "UBIGINT" ? 8 : 16, name === "HUGEINT")];
    case "TIMESTAMP_S":
      return moments(column, 0.001, cellsOf({ kind: "scalar", name }));
    case "TIMESTAMP_MS":
      return moments(column, 1, cellsOf({ kind: "scalar", name }));
    case "TIMESTAMP":
    case "TIMESTAMP WITH TIME ZONE":
      return moments(column, 1000, cellsOf({ kind: "scalar", name }));
    case "TIMESTAMP_NS":
      return moments(column, 1_000_000, cellsOf({ kind: "scalar", name }));
    default:
      throw new RangeError(`${name} has no fixed width`);
  }
}
