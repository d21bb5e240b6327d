import {
  binary,
  bool,
  dateDay,
  decimal128,
  field,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  list,
  map,
  struct,
  time,
  timestamp,
  TimeUnit,
  Type,
  uint16,
  uint32,
  uint64,
  uint8,
  utf8,
  type DataType,
} from "@uwdata/flechette";
import { ProblemError } from "./problem.ts";
import type { ScalarName, SqlType } from "./types.ts";

const scalarTypes: Record<ScalarName, () => DataType> = {
  BOOLEAN: bool,
  TINYINT: int8,
  SMALLINT: int16,
  INTEGER: int32,
  BIGINT: int64,
  HUGEINT: () => decimal128(38, 0),
  UTINYINT: uint8,
  USMALLINT: uint16,
  UINTEGER: uint32,
  UBIGINT: uint64,
  UHUGEINT: () => decimal128(38, 0),
  FLOAT: float32,
  DOUBLE: float64,
  VARCHAR: utf8,
  JSON: utf8,
  BLOB: binary,
  UUID: utf8,
  DATE: dateDay,
  TIME: () => time(TimeUnit.MICROSECOND),
  TIMESTAMP: () => timestamp(TimeUnit.MICROSECOND),
  TIMESTAMP_S: () => timestamp(TimeUnit.SECOND),
  TIMESTAMP_MS: () => timestamp(TimeUnit.MILLISECOND),
  TIMESTAMP_NS: () => timestamp(TimeUnit.NANOSECOND),
  "TIMESTAMP WITH TIME ZONE": () => timestamp(TimeUnit.MICROSECOND, "UTC"),
};

/** The Arrow type a DuckDB type travels as (docs/types.md). */
export function arrowType(type: SqlType): DataType {
  switch (type.kind) {
    case "scalar":
      return scalarTypes[type.name]();
    case "decimal":
      return decimal128(type.width, type.scale);
    case "enum":
      return utf8();
    case "list":
      return list(field("item", arrowType(type.item)));
    case "struct":
      return struct(type.fields.map((child) => field(child.name, arrowType(child.type))));
    case "map":
      return map(field("key", arrowType(type.key), false), field("value", arrowType(type.value)));
  }
}

/** The DuckDB type an Arrow type stands for, for batches that do not say it themselves. */
export function sqlTypeFromArrow(type: DataType): SqlType {
  const children = "children" in type && Array.isArray(type.children) ? type.children : [];
  const [first] = children;
  switch (type.typeId) {
    case Type.Dictionary:
      return sqlTypeFromArrow(type.dictionary);
    case Type.Decimal:
      return { kind: "decimal", width: type.precision, scale: type.scale };
    case Type.List:
      if (first) return { kind: "list", item: sqlTypeFromArrow(first.type) };
      break;
    case Type.Struct:
      return {
        kind: "struct",
        fields: children.map((child) => ({ name: child.name, type: sqlTypeFromArrow(child.type) })),
      };
    case Type.Map: {
      const entries = first ? sqlTypeFromArrow(first.type) : undefined;
      const [key, value] = entries?.kind === "struct" ? entries.fields : [];
      if (key && value) return { kind: "map", key: key.type, value: value.type };
      break;
    }
    default:
      for (const name of inferred) {
        if (isSameArrowType(scalarTypes[name](), type)) return { kind: "scalar", name };
      }
  }
  throw new ProblemError({
    code: "type-not-carried",
    message: `Arrow type ${type.typeId} is not one that Penstock carries.`,
    hint: "docs/types.md lists those it does.",
  });
}

/** In the order tried: where several DuckDB types travel alike, the plainest. */
const inferred: ScalarName[] = [
  "BOOLEAN",
  "TINYINT",
  "SMALLINT",
  "INTEGER",
  "BIGINT",
  "UTINYINT",
  "USMALLINT",
  "UINTEGER",
  "UBIGINT",
  "FLOAT",
  "DOUBLE",
  "VARCHAR",
  "BLOB",
  "DATE",
  "TIME",
  "TIMESTAMP",
  "TIMESTAMP WITH TIME ZONE",
  "TIMESTAMP_S",
  "TIMESTAMP_MS",
  "TIMESTAMP_NS",
];

/** Equal in what decides how values lie in their buffers and what they mean. */
export function isSameArrowType(a: DataType, b: DataType): boolean {
  if (a.typeId !== b.typeId) return false;
  const facet = (type: DataType, name: string) =>
    (type as unknown as Record<string, unknown>)[name] ?? null;
  const facets = ["bitWidth", "signed", "precision", "scale", "unit"];
  if (!facets.every((name) => facet(a, name) === facet(b, name))) return false;
  return (facet(a, "timezone") === null) === (facet(b, "timezone") === null);
}
