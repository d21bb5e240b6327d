import type { ArrowBuffers } from "./arrow-buffers.ts";
import { decimalText, timeText } from "./arrow-rows-read.ts";
import type { ScalarName, SqlType } from "./types.ts";

/** Reads a column's values as JSON carries them (docs/types.md): nothing is rounded, what a JSON number cannot hold is text. */
export function jsonReader(type: SqlType, column: ArrowBuffers): (row: number) => unknown {
  const read = plain(type, column);
  if (column.nullCount === 0) return read;
  const { validity } = column;
  return (row) => ((validity[row >> 3] ?? 0) & (1 << (row & 7)) ? read(row) : null);
}

function plain(type: SqlType, column: ArrowBuffers): (row: number) => unknown {
  switch (type.kind) {
    case "struct": {
      const fields = type.fields.map((field, i) => ({
        name: field.name,
        read: child(field.type, column, i),
      }));
      return (row) => Object.fromEntries(fields.map((field) => [field.name, field.read(row)]));
    }
    case "list": {
      const read = child(type.item, column, 0);
      return ranges(column, (from, to) =>
        Array.from({ length: to - from }, (_, i) => read(from + i)),
      );
    }
    case "map": {
      const [entries] = column.children ?? [];
      if (entries === undefined) throw new Error("a map lacks its entries");
      const key = child(type.key, entries, 0);
      const value = child(type.value, entries, 1);
      return ranges(column, (from, to) =>
        Array.from({ length: to - from }, (_, i) => [key(from + i), value(from + i)]),
      );
    }
    case "enum":
      return text(column);
    case "decimal": {
      const digits = wide(viewOf(column));
      return (row) => decimalText(digits(row), type.scale);
    }
    case "scalar":
      return scalar(type.name, column);
  }
}

function scalar(type: ScalarName, column: ArrowBuffers): (row: number) => unknown {
  const view = viewOf(column);
  switch (type) {
    case "BOOLEAN":
      return (row) => (view.getUint8(row >> 3) & (1 << (row & 7))) !== 0;
    case "TINYINT":
      return (row) => view.getInt8(row);
    case "UTINYINT":
      return (row) => view.getUint8(row);
    case "SMALLINT":
      return (row) => view.getInt16(row * 2, true);
    case "USMALLINT":
      return (row) => view.getUint16(row * 2, true);
    case "INTEGER":
      return (row) => view.getInt32(row * 4, true);
    case "UINTEGER":
      return (row) => view.getUint32(row * 4, true);
    case "BIGINT":
      return (row) => whole(view.getBigInt64(row * 8, true));
    case "UBIGINT":
      return (row) => whole(view.getBigUint64(row * 8, true));
    case "HUGEINT":
    case "UHUGEINT": {
      const digits = wide(view);
      return (row) => whole(type === "HUGEINT" ? digits(row) : BigInt.asUintN(128, digits(row)));
    }
    case "FLOAT":
      return (row) => float(view.getFloat32(row * 4, true));
    case "DOUBLE":
      return (row) => float(view.getFloat64(row * 8, true));
    case "BLOB":
      return ranges(column, (from, to) =>
        Buffer.from(column.values?.subarray(from, to) ?? []).toString("hex"),
      );
    case "DATE":
      return (row) => dateText(BigInt(view.getInt32(row * 4, true)) * 86_400_000n);
    case "TIME":
      return (row) => timeText(view.getBigInt64(row * 8, true));
    case "TIMESTAMP_S":
      return (row) => timestampText(view.getBigInt64(row * 8, true), 1n, 0);
    case "TIMESTAMP_MS":
      return (row) => timestampText(view.getBigInt64(row * 8, true), 1000n, 3);
    case "TIMESTAMP_NS":
      return (row) => timestampText(view.getBigInt64(row * 8, true), 1_000_000_000n, 9);
    case "TIMESTAMP":
      return (row) => timestampText(view.getBigInt64(row * 8, true), 1_000_000n, 6);
    case "TIMESTAMP WITH TIME ZONE":
      return (row) => `${timestampText(view.getBigInt64(row * 8, true), 1_000_000n, 6)}Z`;
    case "VARCHAR":
    case "JSON":
    case "UUID":
      return text(column);
  }
}

/** `2001-03-14T15:09:26.535897`, without trailing zeros; infinities as DuckDB writes them. */
export function timestampText(value: bigint, unitsPerSecond: bigint, digits: number): string {
  if (value === 2n ** 63n - 1n) return "infinity";
  if (value === -(2n ** 63n) + 1n) return "-infinity";
  const below = ((value % unitsPerSecond) + unitsPerSecond) % unitsPerSecond;
  const seconds = (value - below) / unitsPerSecond;
  const fraction = digits === 0 ? "" : below.toString().padStart(digits, "0").replace(/0+$/, "");
  const ofDay = ((seconds % 86_400n) + 86_400n) % 86_400n;
  return `${dateText((seconds - ofDay) * 1000n)}T${timeText(ofDay * 1_000_000n)}${fraction === "" ? "" : `.${fraction}`}`;
}

function dateText(milliseconds: bigint): string {
  const date = new Date(Number(milliseconds));
  return Number.isNaN(date.getTime())
    ? `${milliseconds / 86_400_000n} days`
    : date.toISOString().replace(/T.*$/, "");
}

function whole(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function float(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function text(column: ArrowBuffers): (row: number) => string {
  return ranges(column, (from, to) =>
    Buffer.from(column.values?.subarray(from, to) ?? []).toString("utf8"),
  );
}

function wide(view: DataView): (row: number) => bigint {
  return (row) => (view.getBigInt64(row * 16 + 8, true) << 64n) | view.getBigUint64(row * 16, true);
}

function child(type: SqlType, column: ArrowBuffers, index: number): (row: number) => unknown {
  const own = column.children?.[index];
  if (own === undefined) throw new Error("a nested column lacks its child");
  return jsonReader(type, own);
}

function ranges<T>(
  column: ArrowBuffers,
  make: (from: number, to: number) => T,
): (row: number) => T {
  const offsets = column.offsets ?? new Uint8Array(0);
  const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.byteLength);
  return (row) => make(view.getInt32(row * 4, true), view.getInt32(row * 4 + 4, true));
}

function viewOf(column: ArrowBuffers): DataView {
  const values = column.values ?? new Uint8Array(0);
  return new DataView(values.buffer, values.byteOffset, values.byteLength);
}
