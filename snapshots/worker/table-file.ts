import type { Connection } from "@duckdb/node-bindings";
import { fail, ok, type Result } from "../problem.ts";
import type { MadeTable, NamedType } from "../protocol.ts";
import { hasRowId } from "../row-id.ts";
import { parseType, quoteName } from "../types.ts";
import { queryTexts } from "./database.ts";

/** The columns of `lineage`. */
export const lineageColumns: NamedType[] = [
  { name: "position", type: "BIGINT" },
  { name: "part", type: "INTEGER" },
];

/** What was made in `catalog`: its columns, or which of them Penstock does not carry, and how many rows. */
export async function describeMade(
  connection: Connection,
  catalog: string,
  hasLineage: boolean,
): Promise<Result<MadeTable>> {
  const table = `${quoteName(catalog)}.main.data`;
  const described = await queryTexts(connection, `DESCRIBE ${table}`);
  const columns: NamedType[] = [];
  for (const [name, type] of described) {
    if (!parseType(type ?? "").ok) return fail(typeNotCarried(name ?? "", type ?? ""));
    columns.push({ name: name ?? "", type: type ?? "" });
  }
  const [[rows] = []] = await queryTexts(connection, `SELECT count(*)::VARCHAR FROM ${table}`);
  return ok({ data: columns, lineage: hasLineage ? lineageColumns : [], rows: Number(rows) });
}

function typeNotCarried(column: string, type: string) {
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
