import { fail, ok, type Result } from "#snapshots/problem.ts";
import { formatType, type SqlType } from "#snapshots/types.ts";
import type { TypedColumn } from "../values/identity.ts";
import { converterFor, Refusal, type Kept } from "../values/json-values.ts";
import type { Batch, Check, JudgeRow } from "./check.ts";
import { compilePattern } from "./pattern.ts";
import { showKept } from "./show-kept.ts";

type Literal = string | number | boolean;

/** A check of one column's values. NULL meets every rule but `notNull`, as in SQL. */
function ofColumn(
  column: TypedColumn,
  at: number,
  judge: (value: Exclude<Kept, null>) => string | undefined,
): Check {
  return {
    bind({ decoded }) {
      const values = decoded.values[at] ?? [];
      return (row) => {
        const value = values[row] ?? null;
        const reason = value === null ? undefined : judge(value);
        return reason === undefined || value === null
          ? undefined
          : `column \`${column.name}\` is ${showKept(column.type, value)}, ${reason}`;
      };
    },
  };
}

export function notNullCheck(columns: readonly { name: string; at: number }[]): Check {
  return {
    bind({ decoded }) {
      return (row) => {
        for (const { name, at } of columns)
          if ((decoded.values[at]?.[row] ?? null) === null) return `column \`${name}\` is null`;
        return undefined;
      };
    },
  };
}

export function rangeCheck(
  column: TypedColumn,
  at: number,
  limits: { min?: Literal; max?: Literal },
): Result<Check> {
  if (!isOrdered(column.type)) return misfit(column, "has no range");
  const min = limitOf(column, limits.min);
  if (!min.ok) return min;
  const max = limitOf(column, limits.max);
  if (!max.ok) return max;
  const low = min.value;
  const high = max.value;
  return ok(
    ofColumn(column, at, (value) => {
      if (typeof value !== "number" && typeof value !== "bigint") return undefined;
      // NaN is neither: it meets no range.
      if (low !== undefined && !(value >= low)) return `below ${limits.min}`;
      return high !== undefined && !(value <= high) ? `above ${limits.max}` : undefined;
    }),
  );
}

function isOrdered(type: SqlType): boolean {
  if (type.kind === "decimal") return true;
  const unordered = ["BOOLEAN", "VARCHAR", "JSON", "BLOB", "UUID"];
  return type.kind === "scalar" && !unordered.includes(type.name);
}

function limitOf(
  column: TypedColumn,
  literal: Literal | undefined,
): Result<number | bigint | undefined> {
  if (literal === undefined) return ok(undefined);
  const converted = converterFor(column.type)(literal);
  if (converted instanceof Refusal) return misfit(column, `has a limit that ${converted.reason}`);
  return typeof converted === "number" || typeof converted === "bigint"
    ? ok(converted)
    : misfit(column, "has no range");
}

export function setCheck(
  column: TypedColumn,
  at: number,
  literals: readonly Literal[],
): Result<Check> {
  const convert = converterFor(column.type);
  const wanted = new Set<Kept>();
  for (const literal of literals) {
    const converted = convert(literal);
    if (converted instanceof Refusal)
      return misfit(column, `has an expected value that ${converted.reason}`);
    if (typeof converted === "object") return misfit(column, "cannot be looked up in a set");
    wanted.add(converted);
  }
  return ok(
    ofColumn(column, at, (value) =>
      wanted.has(value) ? undefined : "which is not one of the expected values",
    ),
  );
}

export function patternCheck(column: TypedColumn, at: number, regex: string): Result<Check> {
  const isText =
    column.type.kind === "enum" ||
    (column.type.kind === "scalar" && ["VARCHAR", "JSON", "UUID"].includes(column.type.name));
  if (!isText) return misfit(column, "is not text, which a pattern is for");
  const pattern = compilePattern(regex);
  if (!pattern.ok) return pattern;
  const matches = pattern.value;
  return ok(
    ofColumn(column, at, (value) =>
      typeof value !== "string" || matches(value) ? undefined : `which does not match ${regex}`,
    ),
  );
}

/** The record's own time against its arrival. */
export function freshnessCheck(maxAgeMs: number): Check {
  return {
    bind({ decoded, records, nowMs }: Batch): JudgeRow {
      return (row) => {
        const timestampMs = records[decoded.recordOfRow[row] ?? 0]?.timestampMs ?? nowMs;
        const ageMs = nowMs - timestampMs;
        return ageMs <= maxAgeMs
          ? undefined
          : `the record is ${Math.round(ageMs / 1000)} s old, more than ${maxAgeMs / 1000} s`;
      };
    },
  };
}

function misfit(column: TypedColumn, why: string): Result<never> {
  return fail({
    code: "expectation-misfit",
    message: `Column \`${column.name}\` (${formatType(column.type)}) ${why}.`,
    hint: "Correct the expectation under `stream` in the source's file, or its column.",
  });
}
