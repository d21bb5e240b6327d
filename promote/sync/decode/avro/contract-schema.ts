import type { Column } from "#snapshots/table.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import type { ScalarName, SqlType } from "#snapshots/types.ts";
import { typedColumns, type TypedColumn } from "../../values/identity.ts";
import { avroName, isAvroName } from "./names.ts";

/** Avro's JSON for a schema. */
export type AvroJson = string | AvroJson[] | { [attribute: string]: AvroJson | number | null };

/** A contract as an Avro record (docs/types.md, column Avro). A nullable column is a union with null, which is its default. */
export function contractSchema(columns: readonly Column[], name: string): Result<AvroJson> {
  const typed = typedColumns(columns);
  return typed.ok ? ok(recordSchema(typed.value, avroName(name))) : typed;
}

export function recordSchema(columns: readonly TypedColumn[], name: string): AvroJson {
  return {
    type: "record",
    name,
    fields: columns.map((column) => {
      const field = avroName(column.name);
      const type = schemaOf(column.type, `${name}_${field}`);
      return column.nullable
        ? { name: field, type: ["null", type], default: null }
        : { name: field, type };
    }),
  };
}

/** `path` names the records and enums within, which Avro wants named, each once. */
export function schemaOf(type: SqlType, path: string): AvroJson {
  switch (type.kind) {
    case "scalar":
      return SCALARS[type.name];
    case "decimal":
      return decimal(type.width, type.scale);
    case "enum":
      // Avro's symbols are names; an enumeration of anything else travels as text.
      return type.values.every(isAvroName)
        ? { type: "enum", name: path, symbols: type.values }
        : "string";
    case "list":
      return { type: "array", items: ["null", schemaOf(type.item, `${path}_item`)] };
    case "map":
      return type.key.kind === "scalar" && type.key.name === "VARCHAR"
        ? { type: "map", values: ["null", schemaOf(type.value, `${path}_value`)] }
        : { type: "array", items: entry(type, path) };
    case "struct":
      return recordSchema(
        type.fields.map((field) => ({ ...field, nullable: true })),
        path,
      );
  }
}

function entry(type: SqlType & { kind: "map" }, path: string): AvroJson {
  const value = ["null", schemaOf(type.value, `${path}_value`)];
  return {
    type: "record",
    name: `${path}_entry`,
    fields: [
      { name: "key", type: schemaOf(type.key, `${path}_key`) },
      { name: "value", type: value, default: null },
    ],
  };
}

function decimal(precision: number, scale: number): AvroJson {
  return { type: "bytes", logicalType: "decimal", precision, scale };
}

/** Avro has no unsigned 64-bit and no 128-bit numbers: decimals hold them exactly. */
const SCALARS: Record<ScalarName, AvroJson> = {
  BOOLEAN: "boolean",
  TINYINT: "int",
  SMALLINT: "int",
  INTEGER: "int",
  BIGINT: "long",
  HUGEINT: decimal(39, 0),
  UTINYINT: "int",
  USMALLINT: "int",
  UINTEGER: "long",
  UBIGINT: decimal(20, 0),
  UHUGEINT: decimal(39, 0),
  FLOAT: "float",
  DOUBLE: "double",
  VARCHAR: "string",
  JSON: "string",
  BLOB: "bytes",
  UUID: { type: "string", logicalType: "uuid" },
  DATE: { type: "int", logicalType: "date" },
  TIME: { type: "long", logicalType: "time-micros" },
  TIMESTAMP: { type: "long", logicalType: "local-timestamp-micros" },
  TIMESTAMP_S: { type: "long", logicalType: "local-timestamp-millis" },
  TIMESTAMP_MS: { type: "long", logicalType: "local-timestamp-millis" },
  TIMESTAMP_NS: { type: "long", logicalType: "local-timestamp-nanos" },
  "TIMESTAMP WITH TIME ZONE": { type: "long", logicalType: "timestamp-micros" },
};
