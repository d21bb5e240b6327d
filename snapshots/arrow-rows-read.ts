import { Type } from "@uwdata/flechette";
import { dateFromNanoseconds } from "./dates.ts";
import { ProblemError } from "./problem.ts";
import type { ScalarName, SqlType } from "./types.ts";

/** flechette's batch, as far as its buffers go. */
type Buffers = {
  length: number;
  nullCount: number;
  type?: unknown;
  validity?: unknown;
  values?: unknown;
  offsets?: unknown;
  children?: unknown;
  dictionary?: unknown;
};

/** Reads a value of a decoded batch as docs/types.md says. */
export function valueReader(name: string, type: SqlType, batch: Buffers): (row: number) => unknown {
  const read = plainReader(name, type, batch);
  if (batch.nullCount === 0) return read;
  const validity = batch.validity as Uint8Array;
  return (row) => ((validity[row >> 3] ?? 0) & (1 << (row & 7)) ? read(row) : null);
}

function plainReader(name: string, type: SqlType, batch: Buffers): (row: number) => unknown {
  if ((batch.type as { typeId?: number } | undefined)?.typeId === Type.Dictionary)
    return dictionaryReader(name, type, batch);
  switch (type.kind) {
    case "struct": {
      const readers = type.fields.map((field, index) => ({
        name: field.name,
        read: valueReader(`${name}.${field.name}`, field.type, childOf(batch, index)),
      }));
      return (row) => Object.fromEntries(readers.map((field) => [field.name, field.read(row)]));
    }
    case "list": {
      const read = valueReader(`${name}[]`, type.item, childOf(batch, 0));
      return ranges(batch, (from, to) =>
        Array.from({ length: to - from }, (_, i) => read(from + i)),
      );
    }
    case "map": {
      const entries = childOf(batch, 0);
      const key = valueReader(`${name} key`, type.key, childOf(entries, 0));
      const value = valueReader(`${name} value`, type.value, childOf(entries, 1));
      return ranges(
        batch,
        (from, to) =>
          new Map(Array.from({ length: to - from }, (_, i) => [key(from + i), value(from + i)])),
      );
    }
    case "enum":
      return texts(batch);
    case "decimal":
      return decimals(batch, type.scale);
    case "scalar":
      return scalar(name, type.name, batch);
  }
}

function scalar(name: string, type: ScalarName, batch: Buffers): (row: number) => unknown {
  const values = batch.values as ArrayLike<number> & ArrayLike<bigint> & ArrayBufferView;
  switch (type) {
    case "BOOLEAN":
      return (row) => (Number(values[row >> 3]) & (1 << (row & 7))) !== 0;
    case "BIGINT":
      return (row) => {
        const value = Number(values[row]);
        return Number.isSafeInteger(value)
          ? value
          : refuse(name, row, `${BigInt(values[row] ?? 0)} is beyond ±2^53`);
      };
    case "HUGEINT":
    case "UHUGEINT": {
      const wide = wideReader(batch);
      return type === "HUGEINT" ? wide : (row) => BigInt.asUintN(128, wide(row));
    }
    case "VARCHAR":
    case "JSON":
    case "UUID":
      return texts(batch);
    case "BLOB": {
      const bytes = bytesOf(values);
      return ranges(batch, (from, to) => bytes.slice(from, to));
    }
    case "DATE":
      return (row) => date(name, row, BigInt(values[row] ?? 0) * 86_400_000_000_000n);
    case "TIMESTAMP":
    case "TIMESTAMP WITH TIME ZONE":
      return (row) => date(name, row, BigInt(values[row] ?? 0) * 1000n);
    case "TIMESTAMP_S":
      return (row) => date(name, row, BigInt(values[row] ?? 0) * 1_000_000_000n);
    case "TIMESTAMP_MS":
      return (row) => date(name, row, BigInt(values[row] ?? 0) * 1_000_000n);
    case "TIMESTAMP_NS":
      return (row) => date(name, row, BigInt(values[row] ?? 0));
    case "TIME":
      return (row) => timeText(BigInt(values[row] ?? 0));
    default:
      return (row) => values[row];
  }
}

function date(name: string, row: number, nanoseconds: bigint): Date {
  return (
    dateFromNanoseconds(nanoseconds) ?? refuse(name, row, "the date is beyond what a Date can hold")
  );
}

/** `15:09:26.535897`, without trailing zeros. */
export function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  const two = (value: number) => String(value).padStart(2, "0");
  const fraction = String(micros % 1_000_000n)
    .padStart(6, "0")
    .replace(/0+$/, "");
  const whole = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

/** A decimal's text with all its digits after the point. */
export function decimalText(digits: bigint, scale: number): string {
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, "0");
  const sign = digits < 0n ? "-" : "";
  return scale === 0 ? sign + text : `${sign}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}

function decimals(batch: Buffers, scale: number): (row: number) => string {
  const wide = wideReader(batch);
  return (row) => decimalText(wide(row), scale);
}

function wideReader(batch: Buffers): (row: number) => bigint {
  const bytes = bytesOf(batch.values as ArrayBufferView);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (row) => (view.getBigInt64(row * 16 + 8, true) << 64n) | view.getBigUint64(row * 16, true);
}

function texts(batch: Buffers): (row: number) => string {
  const bytes = bytesOf(batch.values as ArrayBufferView);
  const decoder = new TextDecoder();
  return ranges(batch, (from, to) => decoder.decode(bytes.subarray(from, to)));
}

function dictionaryReader(name: string, type: SqlType, batch: Buffers): (row: number) => unknown {
  const { data } = batch.dictionary as { data: Buffers[] };
  const words = data.flatMap((part) => {
    const read = valueReader(name, type, part);
    return Array.from({ length: part.length }, (_, i) => read(i));
  });
  const keys = batch.values as ArrayLike<number>;
  return (row) => words[Number(keys[row])];
}

function ranges<T>(batch: Buffers, make: (from: number, to: number) => T): (row: number) => T {
  const offsets = batch.offsets as ArrayLike<number>;
  return (row) => make(Number(offsets[row]), Number(offsets[row + 1]));
}

function childOf(batch: Buffers, index: number): Buffers {
  const child = (batch.children as Buffers[] | undefined)?.[index];
  if (child === undefined) throw new Error("a nested column lacks its child");
  return child;
}

function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function refuse(name: string, row: number, what: string): never {
  throw new ProblemError({
    code: "out-of-range",
    message: `Row ${row + 1}, column \`${name}\`: ${what}.`,
    hint: "Cast the column in the source or query, for example to VARCHAR.",
  });
}
