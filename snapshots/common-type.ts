import type { ScalarName, SqlType } from "./types.ts";
import { formatType, parseType } from "./types.ts";

const text: SqlType = { kind: "scalar", name: "VARCHAR" };

/** `commonType` of types as DuckDB writes them, those included that Penstock does not carry: they meet themselves and VARCHAR. */
export function commonTypeText(left: string, right: string): string | undefined {
  if (left === right) return left;
  if (left === "VARCHAR" || right === "VARCHAR") return "VARCHAR";
  const [a, b] = [parseType(left), parseType(right)];
  const common = a.ok && b.ok ? commonType(a.value, b.value) : undefined;
  return common === undefined ? undefined : formatType(common);
}

/**
 * The type in which values of two types are compared: one of the two that holds the other's values without loss (VARCHAR holds the canonical text
 * of any), or one that holds both. Undefined where there is none.
 */
export function commonType(left: SqlType, right: SqlType): SqlType | undefined {
  if (formatType(left) === formatType(right)) return left;
  if (isText(left) || isText(right) || (left.kind === "enum" && right.kind === "enum")) return text;
  const exact = exactNumbers(left, right);
  if (exact !== undefined) return exact;
  if (left.kind === "scalar" && right.kind === "scalar") {
    const pair = [left.name, right.name];
    const wider = widenings.find(
      ([narrow, wide]) => pair.includes(narrow) && pair.includes(wide) && narrow !== wide,
    );
    return wider === undefined ? undefined : { kind: "scalar", name: wider[1] };
  }
  if (left.kind === "list" && right.kind === "list") {
    const item = commonType(left.item, right.item);
    return item === undefined ? undefined : { kind: "list", item };
  }
  if (left.kind === "struct" && right.kind === "struct") return commonStruct(left, right);
  if (left.kind === "map" && right.kind === "map") {
    const key = commonType(left.key, right.key);
    const value = commonType(left.value, right.value);
    return key === undefined || value === undefined ? undefined : { kind: "map", key, value };
  }
  return undefined;
}

type Struct = Extract<SqlType, { kind: "struct" }>;

/** Of the same fields in the same order. */
function commonStruct(left: Struct, right: Struct): SqlType | undefined {
  if (left.fields.length !== right.fields.length) return undefined;
  const fields: Struct["fields"] = [];
  for (const [i, { name, type }] of left.fields.entries()) {
    const other = right.fields[i];
    const common = other?.name === name ? commonType(type, other.type) : undefined;
    if (common === undefined) return undefined;
    fields.push({ name, type: common });
  }
  return { kind: "struct", fields };
}

function isText(type: SqlType): boolean {
  return type.kind === "scalar" && type.name === "VARCHAR";
}

const unsigned = /^U(TINY|SMALL|BIG)?INT(EGER)?$/;

/** Digits before the point, of the types that are exact numbers. */
const wholeDigits: Partial<Record<ScalarName, number>> = {
  TINYINT: 3,
  UTINYINT: 3,
  SMALLINT: 5,
  USMALLINT: 5,
  INTEGER: 10,
  UINTEGER: 10,
  BIGINT: 19,
  UBIGINT: 20,
};

function exactNumbers(left: SqlType, right: SqlType): SqlType | undefined {
  const a = digitsOf(left);
  const b = digitsOf(right);
  if (a === undefined || b === undefined) {
    const names = [left, right].map((type) => (type.kind === "scalar" ? type.name : ""));
    if (names.includes("UHUGEINT") && names.some((name) => unsigned.test(name)))
      return { kind: "scalar", name: "UHUGEINT" };
    const isHuge =
      names.includes("HUGEINT") &&
      (a !== undefined || b !== undefined) &&
      (a?.scale ?? b?.scale) === 0;
    return isHuge ? { kind: "scalar", name: "HUGEINT" } : undefined;
  }
  const scale = Math.max(a.scale, b.scale);
  const width = Math.max(a.whole, b.whole) + scale;
  if (scale === 0) return { kind: "scalar", name: "HUGEINT" };
  return width <= 38 ? { kind: "decimal", width, scale } : undefined;
}

function digitsOf(type: SqlType): { whole: number; scale: number } | undefined {
  if (type.kind === "decimal") return { whole: type.width - type.scale, scale: type.scale };
  const whole = type.kind === "scalar" ? wholeDigits[type.name] : undefined;
  return whole === undefined ? undefined : { whole, scale: 0 };
}

/** Narrow, wide: every value of the first is a value of the second. */
const widenings: [ScalarName, ScalarName][] = [
  ["FLOAT", "DOUBLE"],
  ...(["TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER", "UINTEGER"] as const).map(
    (name): [ScalarName, ScalarName] => [name, "DOUBLE"],
  ),
  ...(["TINYINT", "UTINYINT", "SMALLINT", "USMALLINT"] as const).map(
    (name): [ScalarName, ScalarName] => [name, "FLOAT"],
  ),
  ["DATE", "TIMESTAMP"],
  ["DATE", "TIMESTAMP_S"],
  ["DATE", "TIMESTAMP_MS"],
  ["TIMESTAMP_S", "TIMESTAMP_MS"],
  ["TIMESTAMP_S", "TIMESTAMP"],
  ["TIMESTAMP_MS", "TIMESTAMP"],
  ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"],
  ["TIMESTAMP_S", "TIMESTAMP WITH TIME ZONE"],
  ["TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE"],
  ["DATE", "TIMESTAMP WITH TIME ZONE"],
];
