import {
  ARRAY,
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  ENUM,
  FLOAT,
  HUGEINT,
  INTEGER,
  LIST,
  MAP,
  SMALLINT,
  TIME,
  TIMESTAMP,
  TIMESTAMP_MS,
  TIMESTAMP_NS,
  TIMESTAMP_S,
  TIMESTAMPTZ,
  TINYINT,
  UBIGINT,
  UHUGEINT,
  UINTEGER,
  USMALLINT,
  UTINYINT,
  UUID,
  VARCHAR,
  DuckDBStructType,
  type DuckDBType,
} from "@duckdb/node-api";
import type { ScalarName, SqlType } from "#snapshots/types.ts";

const SCALARS: Record<ScalarName, DuckDBType> = {
  BOOLEAN,
  TINYINT,
  SMALLINT,
  INTEGER,
  BIGINT,
  HUGEINT,
  UTINYINT,
  USMALLINT,
  UINTEGER,
  UBIGINT,
  UHUGEINT,
  FLOAT,
  DOUBLE,
  VARCHAR,
  JSON: VARCHAR,
  BLOB,
  UUID,
  DATE,
  TIME,
  TIMESTAMP,
  TIMESTAMP_S,
  TIMESTAMP_MS,
  TIMESTAMP_NS,
  "TIMESTAMP WITH TIME ZONE": TIMESTAMPTZ,
};

/** The client's object for a type, for data chunks. */
export function duckdbType(type: SqlType): DuckDBType {
  switch (type.kind) {
    case "scalar":
      return SCALARS[type.name];
    case "decimal":
      return DECIMAL(type.width, type.scale);
    case "enum":
      return ENUM(type.values);
    case "list":
      return type.size === undefined
        ? LIST(duckdbType(type.item))
        : ARRAY(duckdbType(type.item), type.size);
    case "struct":
      // An object would put names that are whole numbers first.
      return new DuckDBStructType(
        type.fields.map((field) => field.name),
        type.fields.map((field) => duckdbType(field.type)),
      );
    case "map":
      return MAP(duckdbType(type.key), duckdbType(type.value));
  }
}
