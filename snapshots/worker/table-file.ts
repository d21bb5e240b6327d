import type { Connection } from "@duckdb/node-bindings";
import { fail, ok, unwrap, type Result } from "../problem.ts";
import type { MadeTable, NamedType } from "../protocol.ts";
import { hasRowId } from "../row-id.ts";
import { parseType, quoteName, quoteText } from "../types.ts";
import { queryTexts } from "./database.ts";

/** The columns of `catalog.main.table`, or which of them Penstock does not carry. */
export async function describeTable(
  connection: Connection,
  catalog: string,
  table: string,
): Promise<Result<NamedType[]>> {
  const rows = await queryTexts(
    connection,
    `SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ${quoteText(catalog)} AND table_name = ${quoteText(table)} ORDER BY column_index`,
  );
  const columns: NamedType[] = [];
  for (const [name, type] of rows) {
    if (!parseType(type ?? "").ok) return fail(typeNotCarried(name ?? "", type ?? ""));
    columns.push({ name: name ?? "", type: type ?? "" });
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

/** What was made in `catalog`: its columns and how many rows. */
export async function describeMade(
  connection: Connection,
  catalog: string,
): Promise<Result<MadeTable>> {
  const data = await describeTable(connection, catalog, "data");
  if (!data.ok) return data;
  const lineage = unwrap(await describeTable(connection, catalog, "lineage"));
  const [[rows] = []] = await queryTexts(
    connection,
    `SELECT count(*)::VARCHAR FROM ${quoteName(catalog)}.main.data`,
  );
  return ok({ data: data.value, lineage, rows: Number(rows) });
}
