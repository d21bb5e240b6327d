import duckdb from "@duckdb/node-bindings";
import type { Connection, Result as QueryResult } from "@duckdb/node-bindings";
import { encodeStream } from "../arrow-ipc.ts";
import { fail, ok, type Result } from "../problem.ts";
import type { TableInfo } from "../table.ts";
import { parseType, quoteName, type SqlType } from "../types.ts";
import { columnBuilder } from "./arrow-batch.ts";
import { chunksOf } from "./database.ts";
import { readVector } from "./raw.ts";
import { hasRowId } from "../row-id.ts";
import { rowsBetween } from "./table-file.ts";

export type Order = { column: string; descending: boolean };
type Chosen = { name: string; type: SqlType };

/** The asked-for columns of a table with their types; all of them when none are named. */
export function chooseColumns(table: TableInfo, names: string[] | undefined): Result<Chosen[]> {
  const chosen: Chosen[] = [];
  for (const name of names ?? table.columns.map((column) => column.name)) {
    const column = table.columns.find((candidate) => candidate.name === name);
    if (!column) return fail(noSuchColumn(table, name));
    const type = parseType(column.type);
    if (!type.ok) return type;
    chosen.push({ name, type: type.value });
  }
  return ok(chosen);
}

export function noSuchColumn(table: TableInfo, name: string) {
  return {
    code: "no-such-column",
    message: `The table has no column \`${name}\`.`,
    hint: `It has: ${table.columns.map((column) => column.name).join(", ")}.`,
  };
}

/** SQL for a window of a table: in row order, or sorted by a column with ties in row order and NULLs last. */
export function windowSql(
  from: string,
  table: TableInfo,
  columns: { name: string }[],
  offset: number,
  limit: number,
  order?: Order,
): string {
  const select =
    columns.length > 0 ? columns.map((column) => quoteName(column.name)).join(", ") : "NULL";
  if (order === undefined) return rowsBetween(select, from, table.columns, offset, limit);
  const ties = hasRowId(table.columns) ? ", rowid" : "";
  const by = `${quoteName(order.column)} ${order.descending ? "DESC" : "ASC"} NULLS LAST`;
  return `SELECT ${select} FROM ${from} ORDER BY ${by}${ties} LIMIT ${limit} OFFSET ${offset}`;
}

/** A query's result as one Arrow record batch in a complete IPC stream. */
export async function queryToArrow(
  connection: Connection,
  sql: string,
  columns: Chosen[],
): Promise<{ ipc: Uint8Array; rows: number }> {
  return resultToArrow(await duckdb.query(connection, sql), columns);
}

export function resultToArrow(
  result: QueryResult,
  columns: Chosen[],
): { ipc: Uint8Array; rows: number } {
  const capacity = Math.max(2048, duckdb.result_chunk_count(result) * 2048);
  const builders = columns.map((column) => columnBuilder(column.type, capacity));
  let rows = 0;
  for (const { chunk, rows: count } of chunksOf(result)) {
    columns.forEach((column, index) => {
      builders[index]?.append(
        readVector(duckdb.data_chunk_get_vector(chunk, index), column.type, count),
      );
    });
    rows += count;
  }
  const batch = builders.map((builder) => builder.finish());
  return { ipc: encodeStream(columns, batch), rows };
}

/** A whole table in row order, a batch at a time; while one is encoded, DuckDB makes the next. */
export async function* readTable(
  connection: Connection,
  from: string,
  table: TableInfo,
  columns: Chosen[],
  batchRows: number,
): AsyncGenerator<Uint8Array> {
  const ask = (offset: number) =>
    duckdb.query(connection, windowSql(from, table, columns, offset, batchRows));
  let next: Promise<QueryResult> | undefined = table.rows > 0 ? ask(0) : undefined;
  for (let offset = 0; next !== undefined;) {
    const result: QueryResult = await next;
    offset += batchRows;
    next = offset < table.rows ? ask(offset) : undefined;
    next?.catch(() => undefined);
    yield resultToArrow(result, columns).ipc;
  }
}
