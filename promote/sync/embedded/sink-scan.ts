import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimeValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBConnection,
  type DuckDBValue,
} from "@duckdb/node-api";
import type { SqlType } from "#snapshots/types.ts";
import type { StoredRow } from "../ports.ts";
import { momentText } from "../values/moment-json.ts";
import type { SinkTable } from "./sink-tables.ts";

/** Every row and tombstone in key order. */
export async function* scanRows(
  connection: DuckDBConnection,
  table: SinkTable,
): AsyncGenerator<StoredRow> {
  const order = [...table.keys.map((key) => key.physical), "part"].join(", ");
  const result = await connection.stream(`select * from kept order by ${order}`);
  for await (const rows of result.yieldRows()) {
    for (const row of rows) yield storedRow(row, table);
  }
}

function storedRow(row: readonly DuckDBValue[], { keys, columns }: SinkTable): StoredRow {
  const [part, version, topic, partition, offset, alive] = row.slice(keys.length);
  const values = row.slice(keys.length + 6);
  return {
    key: keys.map((key, i) => jsonOf(key.type, row[i] ?? null)),
    part: Number(part),
    version: BigInt(String(version)),
    topic: String(topic),
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

/**
 * A value as docs/types.md maps it to JSON. The client's own texts will not do: they are in this machine's time zone, end years before 1 with `(BC)`,
 * and leave a BLOB's backslashes as they are.
 */
function jsonOf(type: SqlType, value: DuckDBValue): unknown {
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    const item = type.kind === "list" ? type.item : type;
    return value.items.map((one) => jsonOf(item, one));
  }
  if (value instanceof DuckDBStructValue) {
    const fields = type.kind === "struct" ? type.fields : [];
    return Object.fromEntries(
      fields.map((field) => [field.name, jsonOf(field.type, value.entries[field.name] ?? null)]),
    );
  }
  if (value instanceof DuckDBMapValue) {
    if (type.kind !== "map") return null;
    return value.entries.map((entry) => [
      jsonOf(type.key, entry.key),
      jsonOf(type.value, entry.value),
    ]);
  }
  return scalarOf(value);
}

function scalarOf(value: DuckDBValue): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") return isSafe(value) ? Number(value) : String(value);
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("hex");
  if (value instanceof DuckDBDateValue) return momentText("DATE", value.days);
  if (value instanceof DuckDBTimeValue) return momentText("TIME", value.micros);
  if (value instanceof DuckDBTimestampValue) return momentText("TIMESTAMP", value.micros);
  if (value instanceof DuckDBTimestampTZValue)
    return momentText("TIMESTAMP WITH TIME ZONE", value.micros);
  if (value instanceof DuckDBTimestampSecondsValue) return momentText("TIMESTAMP_S", value.seconds);
  if (value instanceof DuckDBTimestampMillisecondsValue)
    return momentText("TIMESTAMP_MS", value.millis);
  if (value instanceof DuckDBTimestampNanosecondsValue)
    return momentText("TIMESTAMP_NS", value.nanos);
  // Decimals and UUIDs.
  return value.toString();
}

function isSafe(value: bigint): boolean {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
}
