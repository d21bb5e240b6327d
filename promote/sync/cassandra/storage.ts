import type { ScalarName, SqlType } from "#snapshots/types.ts";

export type CqlType =
  | "bigint"
  | "blob"
  | "boolean"
  | "date"
  | "decimal"
  | "double"
  | "float"
  | "int"
  | "smallint"
  | "text"
  | "time"
  | "timestamp"
  | "tinyint"
  | "uuid"
  | "varint";

/** One physical column. A contract column is one of these, or two: see `cellsOf`. */
export type Cell = { cql: CqlType; suffix: "" | "_us" | "_ns" };

/** docs/types.md, column Cassandra. */
const SCALARS: Record<ScalarName, CqlType> = {
  BOOLEAN: "boolean",
  TINYINT: "tinyint",
  SMALLINT: "smallint",
  INTEGER: "int",
  BIGINT: "bigint",
  UTINYINT: "smallint",
  USMALLINT: "int",
  UINTEGER: "bigint",
  UBIGINT: "varint",
  HUGEINT: "varint",
  UHUGEINT: "varint",
  FLOAT: "float",
  DOUBLE: "double",
  VARCHAR: "text",
  JSON: "text",
  BLOB: "blob",
  UUID: "uuid",
  DATE: "date",
  TIME: "time",
  TIMESTAMP: "timestamp",
  TIMESTAMP_S: "timestamp",
  TIMESTAMP_MS: "timestamp",
  TIMESTAMP_NS: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamp",
};

const MICROSECONDS: Cell = { cql: "smallint", suffix: "_us" };
const NANOSECONDS: Cell = { cql: "int", suffix: "_ns" };

/** What stands below the millisecond, which is all a Cassandra timestamp holds. */
const BELOW_MILLISECOND: Partial<Record<ScalarName, Cell>> = {
  TIMESTAMP: MICROSECONDS,
  "TIMESTAMP WITH TIME ZONE": MICROSECONDS,
  TIMESTAMP_NS: NANOSECONDS,
};

/**
 * The physical columns that hold a type without loss. A timestamp finer than milliseconds is a `timestamp`, which every client reads as
 * one, and beside it the microseconds (or nanoseconds) within that millisecond. Nested types are JSON text: Cassandra's collections
 * hold no nulls.
 */
export function cellsOf(type: SqlType): Cell[] {
  if (type.kind === "decimal") return [{ cql: "decimal", suffix: "" }];
  if (type.kind !== "scalar") return [{ cql: "text", suffix: "" }];
  const below = BELOW_MILLISECOND[type.name];
  const cell: Cell = { cql: SCALARS[type.name], suffix: "" };
  return below === undefined ? [cell] : [cell, below];
}

/** Whether values of the one type are stored as, and read back from, a column of the other. */
export function isStoredAlike(one: string, other: string): boolean {
  return one === other || (isText(one) && isText(other));
}

function isText(type: string): boolean {
  return /^(VARCHAR|JSON|ENUM\((?:'(?:[^']|'')*'(?:, )?)*\))$/.test(type);
}
