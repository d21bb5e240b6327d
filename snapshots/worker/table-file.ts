import duckdb from "@duckdb/node-bindings";
import type { Connection, Result as QueryResult } from "@duckdb/node-bindings";
import { fail, ok, unwrap, type Result } from "../problem.ts";
import type { Column, TableInfo } from "../table.ts";
import { parseType, quoteName, quoteText, type SqlType } from "../types.ts";
import { tableHasher } from "./canonical-hash.ts";
import { chunksOf, queryTexts } from "./database.ts";
import { readVector, type Raw } from "./raw.ts";

/** One of DuckDB's row groups: small enough that memory is used again while it is warm. */
const sliceRows = 122_880;

type TypedColumn = { name: string; type: string; sqlType: SqlType };

/** The columns of `catalog.main.table`, or which of them Penstock does not carry. */
export async function describeTable(
  connection: Connection,
  catalog: string,
  table: string,
): Promise<Result<TypedColumn[]>> {
  const rows = await queryTexts(
    connection,
    `SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ${quoteText(catalog)} AND table_name = ${quoteText(table)} ORDER BY column_index`,
  );
  const columns: TypedColumn[] = [];
  for (const [name, type] of rows) {
    const sqlType = parseType(type ?? "");
    if (!sqlType.ok) return fail(typeNotCarried(name ?? "", type ?? ""));
    columns.push({ name: name ?? "", type: type ?? "", sqlType: sqlType.value });
  }
  return ok(columns);
}

export function typeNotCarried(column: string, type: string) {
  return {
    code: "type-not-carried",
    message: `Column \`${column}\` is ${type}, which Penstock does not carry.`,
    hint: `Cast it in the source or query, for example \`CAST(${quoteName(column)} AS VARCHAR)\`.`,
  };
}

/** Names a row's place in `data`. A user's own column called rowid hides DuckDB's. */
export function hasRowId(columns: { name: string }[]): boolean {
  return !columns.some((column) => column.name.toLowerCase() === "rowid");
}

/** SQL for the rows of `from` numbered `first` up to `first + count`, in row order. */
export function rowsBetween(
  select: string,
  from: string,
  columns: { name: string }[],
  first: number,
  count: number,
): string {
  return hasRowId(columns)
    ? `SELECT ${select} FROM ${from} WHERE rowid >= ${first} AND rowid < ${first + count}`
    : `SELECT ${select} FROM ${from} LIMIT ${count} OFFSET ${first}`;
}

/**
 * Reads back `catalog.main.data` (and `lineage`, where there is one) and gives the table's hash and columns. While one slice
 * is hashed here, DuckDB's threads make the next.
 */
export async function hashTable(
  connection: Connection,
  catalog: string,
): Promise<Result<Omit<TableInfo, "sizeBytes">>> {
  const described = await describeTable(connection, catalog, "data");
  if (!described.ok) return described;
  const lineage = unwrap(await describeTable(connection, catalog, "lineage"));
  const data = described.value;
  const all = [...data, ...lineage];
  const from = `${quoteName(catalog)}.main`;
  const [[count] = []] = await queryTexts(connection, `SELECT count(*)::VARCHAR FROM ${from}.data`);
  const rows = Number(count);
  const hasher = tableHasher(all.length);
  await hashColumns(connection, `${from}.data`, data, rows, (column, raw) =>
    hasher.update(column, raw),
  );
  if (lineage.length > 0) {
    await hashColumns(connection, `${from}.lineage`, lineage, rows, (column, raw) =>
      hasher.update(data.length + column, raw),
    );
  }
  const { hash, hasNulls } = hasher.finish(all, rows, lineage.length);
  const columns: Column[] = data.map(({ name, type }, index) => ({
    name,
    type,
    nullable: hasNulls[index] ?? true,
  }));
  return ok({ hash, columns, rows, hasLineage: lineage.length > 0 });
}

async function hashColumns(
  connection: Connection,
  from: string,
  columns: TypedColumn[],
  rows: number,
  take: (column: number, raw: Raw) => void,
): Promise<void> {
  const slice = (first: number): Promise<QueryResult> =>
    duckdb.query(connection, rowsBetween("*", from, columns, first, sliceRows));
  let next: Promise<QueryResult> | undefined = rows > 0 ? slice(0) : undefined;
  for (let first = 0; next !== undefined;) {
    const result: QueryResult = await next;
    first += sliceRows;
    next = first < rows ? slice(first) : undefined;
    next?.catch(() => undefined);
    for (const { chunk, rows: count } of chunksOf(result)) {
      columns.forEach((column, index) => {
        take(index, readVector(duckdb.data_chunk_get_vector(chunk, index), column.sqlType, count));
      });
    }
  }
}
