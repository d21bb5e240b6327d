import { fail, ok, type Result } from "../problem.ts";
import type { Limits, TableFile, WorkerRequest, WorkerValue } from "../protocol.ts";
import { quoteName } from "../types.ts";
import { attach, openDatabase, type Open } from "./database.ts";
import { chooseColumns, noSuchColumn, queryToArrow, readTable, windowSql } from "./read.ts";
import { lineageColumns } from "./table-file.ts";
import duckdb from "@duckdb/node-bindings";

const hidden = lineageColumns.map((column) => ({ ...column, nullable: false }));

/** How many tables stay open between requests. */
const mostAttached = 32;

let reader: Promise<Open> | undefined;
const attached = new Set<string>();

/**
 * A connection in which the tables given are attached, and the names of their `data`. Only our own queries run in it, so it is kept from one
 * request to the next; opening a table again would cost more than reading a window of it.
 */
export async function openTables(
  tables: TableFile[],
  limits: Limits,
): Promise<{ open: Open; data: string[] }> {
  reader ??= openDatabase(limits, limits.threads);
  const open = await reader;
  for (const { path, info } of tables) {
    if (attached.delete(info.hash)) {
      attached.add(info.hash);
      continue;
    }
    for (const oldest of attached) {
      if (attached.size < mostAttached) break;
      await duckdb.query(open.connection, `DETACH ${quoteName(oldest)}`);
      attached.delete(oldest);
    }
    await attach(open.connection, path, info.hash, "READ_ONLY");
    attached.add(info.hash);
  }
  return { open, data: tables.map(({ info }) => `${quoteName(info.hash)}.main.data`) };
}

export async function runWindow(
  { table, offset, limit, columns, orderBy }: Extract<WorkerRequest, { kind: "window" }>,
  limits: Limits,
): Promise<Result<WorkerValue["window"]>> {
  const chosen = chooseColumns(table.info, columns);
  if (!chosen.ok) return chosen;
  if (orderBy && !table.info.columns.some((column) => column.name === orderBy.column)) {
    return fail(noSuchColumn(table.info, orderBy.column));
  }
  const { open, data } = await openTables([table], limits);
  const sql = windowSql(
    data[0] ?? "",
    table.info,
    chosen.value,
    Math.max(0, Math.trunc(offset)),
    Math.max(0, Math.trunc(limit)),
    orderBy,
  );
  const { ipc, rows } = await queryToArrow(open.connection, sql, chosen.value);
  return ok({ ipc, rows, total: table.info.rows });
}

/** Sends the table, or its lineage, batch by batch; `deliver` answers when the next is wanted, and whether it is. */
export async function runRead(
  { table, batchRows, columns, of }: Extract<WorkerRequest, { kind: "read" }>,
  limits: Limits,
  deliver: (ipc: Uint8Array) => Promise<boolean>,
): Promise<Result<WorkerValue["read"]>> {
  const info = of === "lineage" ? { ...table.info, columns: hidden } : table.info;
  const chosen = chooseColumns(info, columns);
  if (!chosen.ok) return chosen;
  const { open, data } = await openTables([table], limits);
  const from = of === "lineage" ? `${quoteName(info.hash)}.main.lineage` : (data[0] ?? "");
  for await (const ipc of readTable(open.connection, from, info, chosen.value, batchRows)) {
    if (!(await deliver(ipc))) break;
  }
  return ok({ rows: table.info.rows });
}
