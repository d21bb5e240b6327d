import type { ScalarName } from "#snapshots/types.ts";
import { INTEGERS, isJson, show, WIDE, type Kept } from "../../values/json-values.ts";
import { isUtf8 } from "node:buffer";
import type { Tap } from "./tap.ts";
import type { Logical } from "./writer-schema.ts";

/** Reads one value of the writer's type as the contract's column keeps it; what it cannot hold is refused in the tap. */
export type Read = (tap: Tap) => Kept;

/** What the writer's type is: its Avro name, its logical type, and the size of a `fixed`. */
export type Writer = { name: string; logical?: Logical; size?: number };

/**
 * The reader of a scalar column, or undefined where Avro's resolution rules do not let it read the writer's type: int → long → float →
 * double, string ↔ bytes, enum → text. A logical type is read as what it means, and a date or time also as its number, by a column of numbers.
 */
export function readScalar(column: ScalarName, writer: Writer): Read | undefined {
  const { name, logical } = writer;
  if (logical !== undefined && logical.name !== "uuid")
    return readLogical(column, writer, logical) ?? readNumber(column, name);
  return readNumber(column, name) ?? readPlain(column, writer);
}

function readNumber(column: ScalarName, name: string): Read | undefined {
  if (INTEGERS[column] !== undefined) return readInteger(column, name);
  switch (column) {
    case "FLOAT":
      return readFloat(name, Math.fround);
    case "DOUBLE":
      return name === "double" ? (tap) => tap.double() : readFloat(name, Number);
    default:
      return undefined;
  }
}

function readPlain(column: ScalarName, { name, logical, size }: Writer): Read | undefined {
  switch (column) {
    case "BOOLEAN":
      return name === "boolean" ? (tap) => tap.boolean() : undefined;
    case "VARCHAR":
      return readText(name);
    case "JSON": {
      const read = readText(name);
      return read === undefined ? undefined : (tap) => jsonOf(tap, read(tap));
    }
    case "BLOB":
      if (name === "fixed") return (tap) => tap.fixed(size ?? 0);
      return name === "bytes" || name === "string" ? (tap) => tap.sized() : undefined;
    case "UUID":
      if (name === "string") return uuidText;
      return name === "fixed" && logical !== undefined ? uuidBytes : undefined;
    default:
      return undefined;
  }
}

function readLogical(
  column: ScalarName,
  { name, size }: Writer,
  logical: Logical,
): Read | undefined {
  switch (logical.name) {
    case "decimal":
      return WIDE.has(column) && (logical.scale ?? 0) === 0
        ? wholeDecimal(column, size)
        : undefined;
    case "date":
      return column === "DATE" ? readInteger("INTEGER", name) : undefined;
    case "time-millis":
    case "time-micros": {
      const factor = logical.name === "time-millis" ? 1000 : 1;
      return column === "TIME" ? (tap) => timeOfDay(tap, factor) : undefined;
    }
    default: {
      const [, local, unit = ""] =
        /^(local-)?timestamp-(millis|micros|nanos)$/.exec(logical.name) ?? [];
      const from = UNIT_NS[unit];
      const to = COLUMN_NS[column];
      if (from === undefined || to === undefined) return undefined;
      // A local timestamp says nothing of its zone.
      if (column === "TIMESTAMP WITH TIME ZONE" && local !== undefined) return undefined;
      return (tap) => rescaled(tap, from, to, column);
    }
  }
}

const UNIT_NS: Record<string, number> = { millis: 1_000_000, micros: 1000, nanos: 1 };
const COLUMN_NS: Partial<Record<ScalarName, number>> = {
  TIMESTAMP_S: 1_000_000_000,
  TIMESTAMP_MS: 1_000_000,
  TIMESTAMP: 1000,
  "TIMESTAMP WITH TIME ZONE": 1000,
  TIMESTAMP_NS: 1,
};

function rescaled(tap: Tap, from: number, to: number, column: ScalarName): Kept {
  const value = tap.long();
  if (from === to) return value;
  if (from < to) {
    const step = to / from;
    const isWhole = typeof value === "number" ? value % step === 0 : value % BigInt(step) === 0n;
    if (!isWhole)
      return tap.refuse(
        `is ${value} (units of ${from} ns), which has more digits than ${column} holds`,
      );
    return typeof value === "number" ? value / step : near(value / BigInt(step));
  }
  const step = from / to;
  const quick = typeof value === "number" ? value * step : Infinity;
  if (Number.isSafeInteger(quick)) return quick;
  const exact = BigInt(value) * BigInt(step);
  return BigInt.asIntN(64, exact) === exact
    ? near(exact)
    : tap.refuse(`is ${value}, which is not within ${column}'s range`);
}

function near(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function timeOfDay(tap: Tap, factor: number): Kept {
  const micros = Number(tap.long()) * factor;
  return micros >= 0 && micros < 86_400e6
    ? micros
    : tap.refuse(`is ${micros} µs, which is not a time of day`);
}

/** A writer's long is not narrowed to a column of Avro's int; within one width the column's own range is looked at. */
function readInteger(column: ScalarName, name: string): Read | undefined {
  const isWide = WIDE.has(column);
  const takesLong = isWide || column === "BIGINT" || column === "UINTEGER";
  if (name !== "int" && !(name === "long" && takesLong)) return undefined;
  const [min, max] = INTEGERS[column] ?? [0n, 0n];
  if (isWide)
    return (tap) => {
      const value = BigInt(tap.long());
      return value < min || value > max ? outside(tap, column, value) : value;
    };
  const low = Number(min);
  const high = Number(max);
  return (tap) => {
    const value = tap.long();
    return value < low || value > high ? outside(tap, column, value) : value;
  };
}

function outside(tap: Tap, column: ScalarName, value: number | bigint): null {
  const [min, max] = INTEGERS[column] ?? [];
  return tap.refuse(`is ${value}, which is outside what ${column} holds here (${min}..${max})`);
}

function wholeDecimal(column: ScalarName, size: number | undefined): Read {
  const [min, max] = INTEGERS[column] ?? [0n, 0n];
  return (tap) => {
    const value = unscaled(size === undefined ? tap.sized() : tap.fixed(size));
    return value < min || value > max ? outside(tap, column, near(value)) : value;
  };
}

/** A whole number that floating point cannot hold is refused rather than rounded. */
function readFloat(name: string, held: (value: number) => number): Read | undefined {
  if (name === "float") return (tap) => tap.float();
  if (name !== "int" && name !== "long") return undefined;
  return (tap) => {
    const value = tap.long();
    if (typeof value === "number" && held(value) === value) return value;
    if (typeof value === "bigint" && BigInt(held(Number(value))) === value) return Number(value);
    return tap.refuse(`is ${value}, which floating point would round`);
  };
}

function readText(name: string): ((tap: Tap) => string | null) | undefined {
  return name === "string" ? (tap) => tap.text() : name === "bytes" ? bytesAsText : undefined;
}

function jsonOf(tap: Tap, text: string | null): Kept {
  return text === null || isJson(text) ? text : tap.refuse(`is ${show(text)}, which is not JSON`);
}

function bytesAsText(tap: Tap): string | null {
  const bytes = tap.sized();
  return isUtf8(bytes) ? bytes.toString("utf8") : tap.refuse("is bytes that are not UTF-8 text");
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function uuidText(tap: Tap): Kept {
  const text = tap.text();
  return UUID.test(text)
    ? text.toLowerCase()
    : tap.refuse(`is ${JSON.stringify(text.slice(0, 60))}, which is not a UUID`);
}

function uuidBytes(tap: Tap): Kept {
  const hex = tap.fixed(16).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Two's complement, most significant byte first, of any length: exact. */
export function unscaled(bytes: Buffer): bigint {
  if (bytes.length === 0) return 0n;
  if (bytes.length <= 6) return BigInt(bytes.readIntBE(0, bytes.length));
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString("hex")}`));
}
