import { formatType, type ScalarName, type SqlType } from "#snapshots/types.ts";
import { repeatedKey } from "./identity.ts";
import { parseMoment, type Moment } from "./temporal.ts";

/** Why a column cannot keep a value. `reason` continues the words "column `x` …". */
export class Refusal {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** A JSON value as a column keeps it, or why it cannot: nothing is made but for a refusal, since every value of every record comes by here. */
export type Converted = Kept | Refusal;

/** What the column builders take: numbers, bigints for what is wider, text, bytes, and nested shapes. */
export type Kept = number | bigint | string | boolean | Uint8Array | Kept[] | [Kept, Kept][] | null;

export type Convert = (value: unknown) => Converted;

export const INTEGERS: Partial<Record<ScalarName, [min: bigint, max: bigint]>> = {
  TINYINT: [-(2n ** 7n), 2n ** 7n - 1n],
  SMALLINT: [-(2n ** 15n), 2n ** 15n - 1n],
  INTEGER: [-(2n ** 31n), 2n ** 31n - 1n],
  BIGINT: [-(2n ** 53n) + 1n, 2n ** 53n - 1n],
  UTINYINT: [0n, 2n ** 8n - 1n],
  USMALLINT: [0n, 2n ** 16n - 1n],
  UINTEGER: [0n, 2n ** 32n - 1n],
  UBIGINT: [0n, 2n ** 64n - 1n],
  HUGEINT: [-(2n ** 127n), 2n ** 127n - 1n],
  UHUGEINT: [0n, 2n ** 128n - 1n],
};
export const WIDE = new Set<ScalarName>(["UBIGINT", "HUGEINT", "UHUGEINT"]);

/** The check and conversion of one column's JSON values (docs/types.md, column JSON). */
export function converterFor(type: SqlType): Convert {
  switch (type.kind) {
    case "decimal":
      return (value) => decimal(value, type.width, type.scale);
    case "enum": {
      const values = new Set(type.values);
      return (value) =>
        typeof value === "string" && values.has(value)
          ? value
          : wrong(value, `one of ${type.values.join(", ")}`);
    }
    case "list":
      return list(type);
    case "struct":
      return struct(type);
    case "map":
      return map(type);
    case "scalar":
      return scalar(type.name);
  }
}

/** A value as a person should see it in a reason: short, in JSON. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  if (!isWithinDepth(value, MOST_DEPTH)) return NESTED;
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** `JSON.parse` takes any depth; what calls itself for each level, as `JSON.stringify` does, overflows the stack. */
const MOST_DEPTH = 500;
const NESTED = `a value nested deeper than ${MOST_DEPTH} levels`;

function isWithinDepth(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (levels === 0) return false;
  for (const inner of Object.values(value)) if (!isWithinDepth(inner, levels - 1)) return false;
  return true;
}

function wrong(value: unknown, wanted: string): Converted {
  return new Refusal(`is ${show(value)}, which is not ${wanted}`);
}

function scalar(name: ScalarName): Convert {
  const range = INTEGERS[name];
  if (range !== undefined) return integer(name, range);
  switch (name) {
    case "BOOLEAN":
      return (value) => (typeof value === "boolean" ? value : wrong(value, "true or false"));
    case "FLOAT":
    case "DOUBLE":
      return float(name);
    case "JSON":
      return (value) =>
        typeof value === "string"
          ? jsonText(value)
          : isWithinDepth(value, MOST_DEPTH)
            ? JSON.stringify(value)
            : new Refusal(`is ${NESTED}`);
    case "UUID":
      return (value) =>
        typeof value === "string" && UUID.test(value)
          ? value.toLowerCase()
          : wrong(value, "a UUID");
    case "BLOB":
      return (value) =>
        typeof value === "string" && HEXADECIMAL.test(value)
          ? Buffer.from(value, "hex")
          : wrong(value, "hexadecimal pairs");
    case "TIME":
      return time;
    case "DATE":
    case "TIMESTAMP":
    case "TIMESTAMP_S":
    case "TIMESTAMP_MS":
    case "TIMESTAMP_NS":
    case "TIMESTAMP WITH TIME ZONE":
      return moment(name);
    default:
      return text;
  }
}

/** Half of a surrogate pair has no UTF-8: written, it would become another character. */
function jsonText(value: string): Converted {
  const converted = text(value);
  if (converted instanceof Refusal || isJson(value)) return converted;
  return wrong(value, "JSON");
}

export function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

function text(value: unknown): Converted {
  if (typeof value !== "string") return wrong(value, "text");
  return value.isWellFormed() ? value : wrong(value, "Unicode text: half of a surrogate pair");
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEXADECIMAL = /^(?:[0-9a-f]{2})*$/i;

function integer(name: ScalarName, [min, max]: [bigint, bigint]): Convert {
  const isWide = WIDE.has(name);
  const low = Number(min);
  const high = Number(max);
  const outside = (value: unknown): Converted =>
    new Refusal(`is ${show(value)}, which is outside what ${name} holds here (${min}..${max})`);
  return (value) => {
    if (typeof value === "number") {
      if (!Number.isInteger(value)) return wrong(value, name);
      // Beyond 2^53 JSON.parse has already rounded: the number read may not be the number sent.
      if (!Number.isSafeInteger(value))
        return isWide
          ? new Refusal(`is ${value}, beyond ±2^53: send its digits as text`)
          : outside(value);
      if (value < low || value > high) return outside(value);
      return isWide ? BigInt(value) : value;
    }
    if (!isWide || typeof value !== "string" || !/^-?\d{1,39}$/.test(value))
      return wrong(value, name);
    const exact = BigInt(value);
    return exact < min || exact > max ? outside(value) : exact;
  };
}

const SPECIAL: Record<string, number> = {
  NaN: Number.NaN,
  Infinity: Infinity,
  "-Infinity": -Infinity,
};

/** A FLOAT is kept as the nearest of its numbers, which is the one that all who read it have. */
function float(name: "FLOAT" | "DOUBLE"): Convert {
  return (value) => {
    if (typeof value === "number") {
      // JSON has no infinity: it is what a number too large was read as.
      const held = name === "FLOAT" ? Math.fround(value) : value;
      return Number.isFinite(held) ? held : wrong(value, `within ${name}'s range`);
    }
    const special = typeof value === "string" ? SPECIAL[value] : undefined;
    return special === undefined ? wrong(value, "a number") : special;
  };
}

/** Kept as the unscaled integer. A JSON number passes when its shortest text is exact (15 digits or fewer). */
function decimal(value: unknown, width: number, scale: number): Converted {
  const text = typeof value === "number" ? plainText(value) : value;
  const found = typeof text === "string" ? /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) : null;
  if (found === null) return wrong(value, `DECIMAL(${width},${scale})`);
  const [, sign, whole = "", fraction = ""] = found;
  const significant = (whole + fraction).replace(/^0+/, "");
  if (typeof value === "number" && significant.length > 15)
    return new Refusal(`is ${show(value)}: send a decimal this long as text`);
  const kept = fraction.replace(/0+$/, "");
  if (kept.length > scale)
    return new Refusal(`is ${show(value)}, which has more than ${scale} digits after the point`);
  const unscaled = BigInt(whole + kept.padEnd(scale, "0"));
  if (unscaled >= 10n ** BigInt(width))
    return new Refusal(`is ${show(value)}, which DECIMAL(${width},${scale}) cannot hold`);
  return sign === "-" ? -unscaled : unscaled;
}

/** As `String` writes it, without the exponent it has below 10^-6; below what a DECIMAL holds, with it. */
function plainText(value: number): string {
  const text = String(value);
  const [, fraction = "", exponent] = /^-?\d(?:\.(\d+))?e-(\d+)$/.exec(text) ?? [];
  const digits = Number(exponent) + fraction.length;
  return digits <= 38 ? value.toFixed(digits) : text;
}

function time(value: unknown): Converted {
  const found =
    typeof value === "string" ? /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?$/.exec(value) : null;
  if (found === null) return wrong(value, "a time");
  const [, hours, minutes, seconds = "0", fraction = ""] = found;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59)
    return wrong(value, "a time");
  return (
    ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1e6 +
    Number(fraction.padEnd(6, "0"))
  );
}

const UNIT_NS: Partial<Record<ScalarName, number>> = {
  TIMESTAMP_S: 1e9,
  TIMESTAMP_MS: 1e6,
  TIMESTAMP_NS: 1,
};

/** DATE is kept in days, timestamps in their own unit since 1970. */
function moment(name: ScalarName): Convert {
  const unit = UNIT_NS[name] ?? 1000;
  const perDay = 86_400e9 / unit;
  const needsZone = name === "TIMESTAMP WITH TIME ZONE";
  const wanted =
    name === "DATE"
      ? "a date"
      : needsZone
        ? "a date and time with its zone"
        : "a date and time without an offset";
  const isWanted = (m: Moment): boolean => (needsZone ? m.zone !== "none" : m.zone !== "offset");
  return (value) => {
    const parsed = typeof value === "string" ? parseMoment(value) : undefined;
    if (parsed === undefined || !isWanted(parsed)) return wrong(value, wanted);
    if (name === "DATE") return parsed.nanoseconds === 0 ? parsed.days : wrong(value, wanted);
    const rest = parsed.nanoseconds / unit;
    if (!Number.isInteger(rest))
      return new Refusal(`is ${show(value)}, which has more digits than ${name} holds`);
    const total = parsed.days * perDay + rest;
    if (Number.isSafeInteger(total)) return total;
    const exact = BigInt(parsed.days) * BigInt(perDay) + BigInt(rest);
    return BigInt.asIntN(64, exact) === exact ? exact : wrong(value, `within ${name}'s range`);
  };
}

/** The converter of what stands within a list, struct or map. Where there is JSON in it, all numbers that would be rounded come as they were written. */
function innerConverter(type: SqlType): Convert {
  const convert = converterFor(type);
  if (type.kind === "scalar" && type.name === "JSON") return convert;
  return (value) => convert(JSON.isRawJSON(value) ? Number(value.rawJSON) : value);
}

function list(type: SqlType & { kind: "list" }): Convert {
  const item = innerConverter(type.item);
  return (value) => {
    if (!Array.isArray(value)) return wrong(value, formatType(type));
    if (type.size !== undefined && value.length !== type.size)
      return wrong(value, `a list of ${type.size}`);
    return all(value, (element) => (element === null ? null : item(element)));
  };
}

function struct(type: SqlType & { kind: "struct" }): Convert {
  const fields = type.fields.map((field) => ({
    name: field.name,
    convert: innerConverter(field.type),
  }));
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return wrong(value, formatType(type));
    return all(fields, ({ name, convert }) => {
      const inner: unknown = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
      if (inner === undefined) return new Refusal(`has no field ${name}`);
      return inner === null ? null : convert(inner);
    });
  };
}

function map(type: SqlType & { kind: "map" }): Convert {
  const keyOf = innerConverter(type.key);
  const valueOf = innerConverter(type.value);
  return (value) => {
    if (!Array.isArray(value)) return wrong(value, `${formatType(type)} as [key, value] pairs`);
    const pairs: [Kept, Kept][] = [];
    for (const pair of value) {
      if (!Array.isArray(pair) || pair.length !== 2) return wrong(pair, "a [key, value] pair");
      const key = keyOf(pair[0]);
      if (key instanceof Refusal) return key;
      const inner: Converted = pair[1] === null ? null : valueOf(pair[1]);
      if (inner instanceof Refusal) return inner;
      pairs.push([key, inner]);
    }
    const twice = repeatedKey(pairs);
    return twice < 0 ? pairs : new Refusal(`has the key ${show(value[twice][0])} twice`);
  };
}

function all<T>(items: readonly T[], convert: (item: T) => Converted): Converted {
  const values: Kept[] = [];
  for (const item of items) {
    const converted = convert(item);
    if (converted instanceof Refusal) return converted;
    values.push(converted);
  }
  return values;
}
