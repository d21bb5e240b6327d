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
  uint16,
  uint32,
  uint64,
  uint8,
  utf8,
  type DataType,
} from "@uwdata/flechette";
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
