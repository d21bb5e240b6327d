import type { Connection } from "@duckdb/node-bindings";
import { fail, ok, type Result } from "../problem.ts";
import type { SideInput } from "../protocol.ts";
import { hasRowId } from "../row-id.ts";
import { quoteName } from "../types.ts";
import { attach, queryTexts } from "./database.ts";
import { openFile, type Rows } from "./diff-files.ts";
import { predicateFailed } from "./diff-where.ts";

/** One side, ready to be compared. */
export type Side = {
  /** How messages call it. */
  name: string;
  columns: { name: string; type: string }[];
  /** SQL for its rows as columns `n` (the row's number), `p0` and `p1` (its position and part), `v0`, `v1`, …: no user's name can collide. */
  sql: string;
  /** The same without the lineage, which would have every row read for one: `p0` and `p1` are of no use in it. */
  valuesSql: string;
  rows: number;
  hasLineage: boolean;
};

export type OpenRows = { rows: Rows; lineage: string | undefined; name: string };

/** Makes a side's rows readable. Afterwards the connection may be sealed. */
export async function openSide(
  connection: Connection,
  input: SideInput,
  name: "left" | "right",
): Promise<Result<OpenRows>> {
  if (input.kind === "file") {
    const rows = await openFile(connection, input, name);
    const shown = `The ${name} side (${input.path}${input.table ? `#${input.table}` : ""})`;
    return rows.ok ? ok({ rows: rows.value, lineage: undefined, name: shown }) : rows;
  }
  const { info, path } = input.table;
  const catalog = `${name} table`;
  await attach(connection, path, catalog, "READ_ONLY");
  return ok({
    rows: {
      columns: info.columns.map(({ name, type }) => ({ name, type })),
      sqlNames: info.columns.map((column) => column.name),
      from: `${quoteName(catalog)}.main.data`,
      number: hasRowId(info.columns) ? "rowid" : "row_number() OVER () - 1",
    },
    lineage: info.hasLineage ? `${quoteName(catalog)}.main.lineage` : undefined,
    name: `The ${name} side`,
  });
}

/** A side's rows, those left that meet `where`. */
export async function describeSide(
  connection: Connection,
  { rows, lineage, name }: OpenRows,
  where: string | undefined,
): Promise<Result<Side>> {
  const sql = rowsSql(rows, lineage, where);
  const from = where === undefined ? rows.from : `(${sql})`;
  let counted: (string | null)[][];
  try {
    counted = await queryTexts(connection, `SELECT count(*)::VARCHAR FROM ${from}`);
  } catch (error) {
    if (where === undefined) throw error;
    return fail(predicateFailed(where, error, name));
  }
  return ok({
    name,
    columns: rows.columns,
    sql,
    valuesSql: rowsSql(rows, undefined, where),
    rows: Number(counted[0]?.[0] ?? 0),
    hasLineage: lineage !== undefined,
  });
}

/** The predicate sees the rows by the names DuckDB reads them by, and one hidden column, whose name is none of theirs. */
function rowsSql(rows: Rows, lineage: string | undefined, where: string | undefined): string {
  const { from, number, sqlNames } = rows;
  const values = sqlNames.map((_, i) => `v${i}`);
  if (where === undefined) {
    const own = sqlNames.map((name, i) => `d.${quoteName(name)} AS v${i}`);
    const base = `SELECT ${[`${number === "rowid" ? "d.rowid" : number} AS n`, ...(lineage === undefined ? [] : ["g.position AS p0", "g.part AS p1"]), ...own].join(", ")} FROM ${from} d`;
    if (lineage !== undefined) return `${base} POSITIONAL JOIN ${lineage} g`;
    return `SELECT *, n AS p0, 0::INTEGER AS p1 FROM (${base})`;
  }
  const hidden = hiddenName(sqlNames);
  const numbered = `SELECT ${[`${number} AS ${hidden}`, ...sqlNames.map(quoteName)].join(", ")} FROM ${from}`;
  const chosen = `SELECT * FROM (${numbered}) WHERE (${where}\n)`;
  const named = `(${chosen}) AS d(${["n", ...values].join(", ")})`;
  return lineage === undefined
    ? `SELECT *, n AS p0, 0::INTEGER AS p1 FROM ${named}`
    : `SELECT d.*, g.position AS p0, g.part AS p1 FROM ${named} JOIN ${lineage} g ON g.rowid = d.n`;
}

function hiddenName(names: string[]): string {
  let hidden = "row number";
  while (names.some((name) => name.toLowerCase() === hidden)) hidden += " ";
  return quoteName(hidden);
}
