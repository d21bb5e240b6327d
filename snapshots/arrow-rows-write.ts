import { ByteBuilder, type ArrowBuffers } from "./arrow-buffers.ts";
import { dateNanoseconds } from "./dates.ts";
import { ProblemError } from "./problem.ts";
import { formatType, type ScalarName, type SqlType } from "./types.ts";

/** JavaScript values of one column (docs/types.md) as Arrow buffers. Throws a `ProblemError` naming the column and row that does not fit. */
export function columnFromValues(
  name: string,
  type: SqlType,
  values: readonly unknown[],
): ArrowBuffers {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  let nullCount = 0;
  values.forEach((value, i) => {
    if (value === null || value === undefined) nullCount += 1;
    else bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
  });
  const base = {
    length: values.length,
    nullCount,
    validity: nullCount > 0 ? bits : new Uint8Array(0),
  };
  const refuse = (row: number): never => {
    throw new ProblemError({
      code: "bad-value",
      message: `Row ${row + 1}, column \`${name}\`: ${show(values[row])} is not a ${formatType(type)}.`,
      hint: "docs/types.md lists what each type takes.",
    });
  };
  switch (type.kind) {
    case "struct":
      return { ...base, children: structChildren(name, type, values, refuse) };
    case "list":
    case "map":
      return { ...base, ...listParts(name, type, values, refuse) };
    case "enum":
      return { ...base, ...texts(values, refuse, (text) => type.values.includes(text)) };
    case "decimal":
      return {
        ...base,
        values: wide(values, refuse, (value) => decimalBits(value, type.width, type.scale)),
      };
    case "scalar":
      return { ...base, ...scalar(type.name, values, refuse) };
  }
}

type Refuse = (row: number) => never;
type Parts = { values?: Uint8Array; offsets?: Uint8Array; children?: ArrowBuffers[] };

function structChildren(
  name: string,
  type: Extract<SqlType, { kind: "struct" }>,
  values: readonly unknown[],
  refuse: Refuse,
) {
  const records = values.map((value, row) => {
    if (value === null || value === undefined) return undefined;
    return isRecord(value) ? value : refuse(row);
  });
  return type.fields.map((field) =>
    columnFromValues(
      `${name}.${field.name}`,
      field.type,
      records.map((record) => record?.[field.name] ?? null),
    ),
  );
}

function listParts(
  name: string,
  type: Extract<SqlType, { kind: "list" | "map" }>,
  values: readonly unknown[],
  refuse: Refuse,
): Parts {
  const ends = new Int32Array(values.length + 1);
  const items: unknown[] = [];
  values.forEach((value, row) => {
    if (value !== null && value !== undefined) {
      const isWanted =
        type.kind === "map"
          ? value instanceof Map
          : Array.isArray(value) && (type.size ?? value.length) === value.length;
      if (!isWanted) refuse(row);
      for (const item of value as Iterable<unknown>) items.push(item);
    }
    ends[row + 1] = items.length;
  });
  const offsets = new Uint8Array(ends.buffer);
  if (type.kind === "list")
    return { offsets, children: [columnFromValues(`${name}[]`, type.item, items)] };
  const entries = items as [unknown, unknown][];
  const children = [
    columnFromValues(
      `${name} key`,
      type.key,
      entries.map(([key]) => key),
    ),
    columnFromValues(
      `${name} value`,
      type.value,
      entries.map(([, value]) => value),
    ),
  ];
  return {
    offsets,
    children: [{ length: entries.length, nullCount: 0, validity: new Uint8Array(0), children }],
  };
}

function texts(
  values: readonly unknown[],
  refuse: Refuse,
  isFit: (text: string) => boolean,
): Parts {
  return bytes(values, (value, row) =>
    typeof value === "string" && isFit(value) ? Buffer.from(value) : refuse(row),
  );
}

function bytes(
  values: readonly unknown[],
  encode: (value: unknown, row: number) => Uint8Array,
): Parts {
  const out = new ByteBuilder(values.length * 8);
  const ends = new Int32Array(values.length + 1);
  values.forEach((value, row) => {
    if (value !== null && value !== undefined) out.append(encode(value, row));
    ends[row + 1] = out.length;
  });
  return { values: out.finish(), offsets: new Uint8Array(ends.buffer) };
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function scalar(type: ScalarName, values: readonly unknown[], refuse: Refuse): Parts {
  const integer = integers[type];
  if (integer !== undefined) return { values: integersOf(values, refuse, integer) };
  const timestamp = nanosPerUnit[type];
  if (timestamp !== undefined) return { values: timestamps(values, refuse, timestamp) };
  switch (type) {
    case "BOOLEAN":
      return { values: booleans(values, refuse) };
    case "FLOAT":
      return { values: bytesOf(Float32Array.from(values, (v, row) => numberOf(v, row, refuse))) };
    case "DOUBLE":
      return { values: bytesOf(Float64Array.from(values, (v, row) => numberOf(v, row, refuse))) };
    case "HUGEINT":
    case "UHUGEINT":
      return { values: wide(values, refuse, (value) => hugeBits(value, type)) };
    case "BLOB":
      return bytes(values, (value, row) => (value instanceof Uint8Array ? value : refuse(row)));
    case "UUID":
      return texts(values, refuse, (text) => uuid.test(text));
    case "DATE":
      return { values: bytesOf(Int32Array.from(values, (v, row) => dayOf(v, row, refuse))) };
    case "TIME":
      return { values: bytesOf(BigInt64Array.from(values, (v, row) => timeOf(v, row, refuse))) };
    default:
      return texts(values, refuse, () => true);
  }
}

type Integer = { width: 1 | 2 | 4 | 8; low: bigint; high: bigint };
const signed = (width: Integer["width"]): Integer => {
  const half = 1n << BigInt(width * 8 - 1);
  return { width, low: -half, high: half - 1n };
};
const unsigned = (width: Integer["width"]): Integer => ({
  width,
  low: 0n,
  high: (1n << BigInt(width * 8)) - 1n,
});
const integers: Partial<Record<ScalarName, Integer>> = {
  TINYINT: signed(1),
  SMALLINT: signed(2),
  INTEGER: signed(4),
  BIGINT: signed(8),
  UTINYINT: unsigned(1),
  USMALLINT: unsigned(2),
  UINTEGER: unsigned(4),
  UBIGINT: unsigned(8),
};

function integersOf(
  values: readonly unknown[],
  refuse: Refuse,
  { width, low, high }: Integer,
): Uint8Array {
  const out = new Uint8Array(values.length * width);
  const view = new DataView(out.buffer);
  values.forEach((value, row) => {
    if (value === null || value === undefined) return;
    const isWhole =
      typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
    if (!isWhole) refuse(row);
    const whole = BigInt(value);
    if (whole < low || whole > high) refuse(row);
    if (width === 1) view.setInt8(row, Number(BigInt.asIntN(8, whole)));
    else if (width === 2) view.setInt16(row * 2, Number(BigInt.asIntN(16, whole)), true);
    else if (width === 4) view.setInt32(row * 4, Number(BigInt.asIntN(32, whole)), true);
    else view.setBigInt64(row * 8, BigInt.asIntN(64, whole), true);
  });
  return out;
}

const nanosPerUnit: Partial<Record<ScalarName, bigint>> = {
  TIMESTAMP: 1000n,
  "TIMESTAMP WITH TIME ZONE": 1000n,
  TIMESTAMP_S: 1_000_000_000n,
  TIMESTAMP_MS: 1_000_000n,
  TIMESTAMP_NS: 1n,
};

function timestamps(values: readonly unknown[], refuse: Refuse, nanos: bigint): Uint8Array {
  return bytesOf(
    BigInt64Array.from(values, (value, row) => {
      if (value === null || value === undefined) return 0n;
      const time = value instanceof Date ? dateNanoseconds(value) : undefined;
      if (time === undefined) return refuse(row);
      return floorDivide(time, nanos);
    }),
  );
}

function floorDivide(value: bigint, by: bigint): bigint {
  const rest = ((value % by) + by) % by;
  return (value - rest) / by;
}

function booleans(values: readonly unknown[], refuse: Refuse): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, i) => {
    if (value === true) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
    else if (value !== false && value !== null && value !== undefined) refuse(i);
  });
  return bits;
}

function numberOf(value: unknown, row: number, refuse: Refuse): number {
  if (value === null || value === undefined) return 0;
  return typeof value === "number" ? value : refuse(row);
}

function dayOf(value: unknown, row: number, refuse: Refuse): number {
  if (value === null || value === undefined) return 0;
  const isDate = value instanceof Date && !Number.isNaN(value.getTime());
  return isDate ? Math.floor(value.getTime() / 86_400_000) : refuse(row);
}

const timeOfDay = /^(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?$/;

function timeOf(value: unknown, row: number, refuse: Refuse): bigint {
  if (value === null || value === undefined) return 0n;
  const found = typeof value === "string" ? timeOfDay.exec(value) : null;
  if (found === null) return refuse(row);
  const [, hours = "", minutes = "", seconds = "", fraction = ""] = found;
  const whole = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  if (Number(minutes) > 59 || Number(seconds) > 59 || whole > 86_400) return refuse(row);
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
}

function wide(
  values: readonly unknown[],
  refuse: Refuse,
  encode: (value: unknown) => bigint | undefined,
): Uint8Array {
  const out = new Uint8Array(values.length * 16);
  const view = new DataView(out.buffer);
  values.forEach((value, row) => {
    if (value === null || value === undefined) return;
    const bits = encode(value) ?? refuse(row);
    view.setBigUint64(row * 16, BigInt.asUintN(64, bits), true);
    view.setBigUint64(row * 16 + 8, BigInt.asUintN(64, bits >> 64n), true);
  });
  return out;
}

function hugeBits(value: unknown, type: "HUGEINT" | "UHUGEINT"): bigint | undefined {
  const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
  if (!isWhole) return undefined;
  const whole = BigInt(value as number | bigint);
  const [low, high] = type === "HUGEINT" ? [-(2n ** 127n), 2n ** 127n] : [0n, 2n ** 128n];
  return whole >= low && whole < high ? whole : undefined;
}

/** A decimal's text must not have more digits after the point than its type: nothing is rounded in silence. */
function decimalBits(value: unknown, width: number, scale: number): bigint | undefined {
  const found = typeof value === "string" ? /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(value.trim()) : null;
  const [, sign = "", whole = "", fraction = ""] = found ?? [];
  if (found === null || whole + fraction === "" || fraction.slice(scale).replaceAll("0", "") !== "")
    return undefined;
  const digits = BigInt(whole + fraction.slice(0, scale).padEnd(scale, "0"));
  if (digits >= 10n ** BigInt(width)) return undefined;
  return sign === "-" ? -digits : digits;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bytesOf(array: Float32Array | Float64Array | Int32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function show(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
