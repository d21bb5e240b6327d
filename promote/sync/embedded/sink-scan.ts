import type { DuckDBConnection, Json } from "@duckdb/node-api";
import type { SqlType } from "#snapshots/types.ts";
import type { StoredRow } from "../ports.ts";
import type { SinkTable } from "./sink-tables.ts";

/** Every row and tombstone in key order. */
export async function* scanRows(
  connection: DuckDBConnection,
  table: SinkTable,
): AsyncGenerator<StoredRow> {
  const order = [...table.keys.map((key) => key.physical), "part"].join(", ");
  const result = await connection.stream(`select * from kept order by ${order}`);
  for await (const rows of result.yieldRowsJson()) {
    for (const row of rows) yield storedRow(row, table);
  }
}

function storedRow(row: readonly Json[], { keys, columns }: SinkTable): StoredRow {
  const [part, version, topic, partition, offset, alive] = row.slice(keys.length);
  const values = row.slice(keys.length + 6);
  return {
    key: keys.map((key, i) => jsonOf(key.type, row[i] ?? null)),
    part: Number(part),
    version: BigInt(text(version)),
    topic: text(topic),
    partition: Number(partition),
    offset: Number(offset),
    values:
      alive === true
        ? Object.fromEntries(
            columns.map((column, i) => [column.name, jsonOf(column.type, values[i] ?? null)]),
          )
        : null,
  };
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

/** The DuckDB client's JSON as docs/types.md maps values to JSON. */
function jsonOf(type: SqlType, value: Json): unknown {
  if (value === null) return null;
  switch (type.kind) {
    case "list":
      return Array.isArray(value) ? value.map((item) => jsonOf(type.item, item)) : value;
    case "struct":
      return Object.fromEntries(
        type.fields.map((field) => [field.name, jsonOf(field.type, fieldOf(value, field.name))]),
      );
    case "map":
      return Array.isArray(value)
        ? value.map((entry) => [
            jsonOf(type.key, fieldOf(entry, "key")),
            jsonOf(type.value, fieldOf(entry, "value")),
          ])
        : value;
    case "decimal":
    case "enum":
      return value;
    case "scalar":
      return scalar(type.name, value);
  }
}

function scalar(name: string, value: Json): unknown {
  if (typeof value !== "string") return value;
  if (name.endsWith("BIGINT") || name.endsWith("HUGEINT"))
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (name === "TIMESTAMP WITH TIME ZONE")
    return `${value.replace(" ", "T").replace(/[+-]00(:00)?$/, "")}Z`;
  if (name.startsWith("TIMESTAMP")) return value.replace(" ", "T");
  if (name === "BLOB") return blobHex(value);
  return value;
}

/** `a\\x00b` to hexadecimal pairs. */
function blobHex(text: string): string {
  const bytes = text.replaceAll(
    /\\x([0-9A-Fa-f]{2})|[\s\S]/g,
    (whole, pair: string | undefined) => pair ?? Buffer.from(whole, "latin1").toString("hex"),
  );
  return bytes.toLowerCase();
}

function fieldOf(value: Json | undefined, name: string): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value[name] ?? null)
    : null;
}
