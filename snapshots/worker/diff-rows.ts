import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import type { DiffKind, DiffRow } from "../diff.ts";
import { jsonReader } from "../json-values.ts";
import { fail, ok, unwrap, type Result } from "../problem.ts";
import type { Limits, WorkerRequest } from "../protocol.ts";
import type { TableInfo } from "../table.ts";
import { parseType, quoteName, type SqlType } from "../types.ts";
import { columnBuilder } from "./arrow-batch.ts";
import { chunksOf } from "./database.ts";
import { withGeneralTables } from "./diff.ts";
import { planDiff, type DiffPlan } from "./diff-plan.ts";
import { each, joinedOnKey, leftoversSql, sideWhere, singlesJoined } from "./diff-sql.ts";
import { readVector } from "./raw.ts";
import { hasRowId } from "../row-id.ts";
import { openTables } from "./tables.ts";

type Request = Extract<WorkerRequest, { kind: "diffRows" }>;
type Page = { table: string; plan: DiffPlan };

/** What differs, found once per comparison and kept in order of the key, so that each page is a look-up. */
const found = new Map<string, Page>();
const mostKept = 4;
let made = 0;

/** A page of the rows that differ, with their values on both sides, ordered by key. */
export async function runDiffRows(
  { before, after, request }: Request,
  limits: Limits,
): Promise<Result<DiffRow[]>> {
  const { open, data } = await openTables([before, after], limits);
  const [left = "", right = ""] = data.map((table) => table.replace(/\.data$/, ""));
  const planned = planDiff(
    request,
    { info: before.info, schema: left },
    { info: after.info, schema: right },
  );
  if (!planned.ok) return planned;
  const { key, tolerances = {} } = request;
  const name = JSON.stringify([before.info.hash, after.info.hash, key, tolerances]);
  const page = found.get(name) ?? (await findDifferences(open.connection, planned.value));
  await keep(open.connection, name, page);
  const column = page.plan.compared.findIndex((candidate) => candidate.name === request.column);
  if (request.column !== undefined && column === -1) {
    return fail({
      code: "no-such-column",
      message: `\`${request.column}\` is not one of the columns that were compared.`,
      hint: `They are: ${page.plan.compared.map((candidate) => candidate.name).join(", ")}.`,
    });
  }
  const where = [
    ...(request.kind === undefined ? [] : [`kind = '${request.kind}'`]),
    ...(request.column === undefined ? [] : [`d${column}`]),
  ];
  const chosen = `SELECT * FROM ${page.table} ${where.length > 0 ? `WHERE ${where.join(" AND ")}` : ""} ORDER BY o LIMIT ${whole(request.limit)} OFFSET ${whole(request.offset)}`;
  return ok(
    await readRows(
      open.connection,
      chosen,
      page.plan,
      { info: before.info, data: data[0] ?? "" },
      { info: after.info, data: data[1] ?? "" },
      key,
    ),
  );
}

async function keep(connection: Connection, name: string, page: Page): Promise<void> {
  found.delete(name);
  found.set(name, page);
  for (const [oldest, { table }] of found) {
    if (found.size <= mostKept) break;
    found.delete(oldest);
    await duckdb.query(connection, `DROP TABLE IF EXISTS ${table}`);
  }
}

async function findDifferences(connection: Connection, plan: DiffPlan): Promise<Page> {
  made += 1;
  const table = quoteName(`differences ${made}`);
  const keys = each(plan.keyCount, (i) => `k${i}`);
  const create = (sql: string) =>
    duckdb.query(
      connection,
      `CREATE TEMP TABLE ${table} AS SELECT *, row_number() OVER (ORDER BY ${[...keys.map((key) => `${key} NULLS LAST`), "ln NULLS LAST", "rn NULLS LAST"].join(", ")}) AS o FROM (${sql})`,
    );
  if (plan.keyCount === 0) {
    const leftovers = leftoversSql(plan, plan.left.sql, plan.right.sql);
    await create(
      `WITH g AS MATERIALIZED (${leftovers}) ${[oneSided(plan, "removed", "g", "true"), oneSided(plan, "added", "g", "true")].join(" UNION ALL ")}`,
    );
    return { table, plan };
  }
  await withGeneralTables(connection, plan, async ({ repeated, keys: groups }) => {
    const isAmbiguous = "len(lo) > 0 AND len(ro) > 0 AND len(lo) + len(ro) > 2";
    const once = joinedOnKey(
      plan,
      sideWhere(plan, plan.left.sql, repeated, false),
      sideWhere(plan, plan.right.sql, repeated, false),
    );
    const parts = [
      paired(plan, once),
      paired(plan, singlesJoined(plan, groups)),
      oneSided(plan, "removed", groups, "len(ro) = 0"),
      oneSided(plan, "added", groups, "len(lo) = 0"),
      oneSided(plan, "ambiguous", groups, isAmbiguous, "removed"),
      oneSided(plan, "ambiguous", groups, isAmbiguous, "added"),
    ];
    await create(parts.join(" UNION ALL "));
  });
  return { table, plan };
}

/** The rows of a join that differ. */
function paired(plan: DiffPlan, joined: string): string {
  const isPair = "l.n IS NOT NULL AND r.n IS NOT NULL";
  const columns = [
    "CASE WHEN r.n IS NULL THEN 'removed' WHEN l.n IS NULL THEN 'added' ELSE 'changed' END AS kind",
    "l.n AS ln",
    "r.n AS rn",
    ...each(plan.keyCount, (i) => `CASE WHEN l.n IS NULL THEN r.k${i} ELSE l.k${i} END AS k${i}`),
    ...plan.compared.map((column, i) => `(${isPair}) AND (${column.differs}) AS d${i}`),
  ];
  const flags = plan.compared.map((_, i) => `d${i}`);
  return `SELECT * FROM (SELECT ${columns.join(", ")} FROM ${joined}) WHERE ${["kind <> 'changed'", ...flags].join(" OR ")}`;
}

/** Leftover rows that stand alone. */
function oneSided(
  plan: DiffPlan,
  kind: DiffKind,
  groups: string,
  where: string,
  side: "removed" | "added" = kind === "added" ? "added" : "removed",
): string {
  const [ln, rn] =
    side === "removed" ? ["unnest(lo)", "NULL::BIGINT"] : ["NULL::BIGINT", "unnest(ro)"];
  const columns = [
    `'${kind}' AS kind`,
    `${ln} AS ln`,
    `${rn} AS rn`,
    ...each(plan.keyCount, (i) => `k${i}`),
    ...plan.compared.map((_, i) => `false AS d${i}`),
  ];
  return `SELECT ${columns.join(", ")} FROM ${groups} WHERE ${where}`;
}

type Side = { info: TableInfo; data: string };
type Field = { sql: string; type: SqlType };

async function readRows(
  connection: Connection,
  chosen: string,
  plan: DiffPlan,
  left: Side,
  right: Side,
  key: string[] | "position" | null,
): Promise<DiffRow[]> {
  const fields: Field[] = [
    { sql: "p.kind", type: text },
    { sql: "p.ln", type: big },
    { sql: "p.rn", type: big },
    ...(key === "position"
      ? [
          { sql: "p.k0::BIGINT", type: big },
          { sql: "p.k1::BIGINT", type: big },
        ]
      : []),
    ...plan.compared.map((_, i): Field => ({
      sql: `p.d${i}`,
      type: { kind: "scalar", name: "BOOLEAN" },
    })),
    ...valuesOf(left, "l"),
    ...valuesOf(right, "r"),
  ];
  const sql = `SELECT ${fields.map((field) => field.sql).join(", ")} FROM (${chosen}) p LEFT JOIN (${numbered(left)}) l ON l."row number" = p.ln LEFT JOIN (${numbered(right)}) r ON r."row number" = p.rn ORDER BY p.o`;
  const result = await duckdb.query(connection, sql);
  const builders = fields.map((field) => columnBuilder(field.type, 256));
  let rows = 0;
  for (const { chunk, rows: count } of chunksOf(result)) {
    fields.forEach((field, i) =>
      builders[i]?.append(readVector(duckdb.data_chunk_get_vector(chunk, i), field.type, count)),
    );
    rows += count;
  }
  const readers = fields.map((field, i) => {
    const builder = builders[i];
    if (builder === undefined) throw new Error("a field lacks its builder");
    return jsonReader(field.type, builder.finish());
  });
  const flagsAt = key === "position" ? 5 : 3;
  const leftAt = flagsAt + plan.compared.length;
  const rightAt = leftAt + left.info.columns.length;
  const record = (info: TableInfo, at: number, row: number) =>
    Object.fromEntries(info.columns.map((column, i) => [column.name, readers[at + i]?.(row)]));
  return each(rows, (row) => {
    const before = readers[1]?.(row) === null ? null : record(left.info, leftAt, row);
    const after = readers[2]?.(row) === null ? null : record(right.info, rightAt, row);
    const source = before ?? after ?? {};
    return {
      kind: readers[0]?.(row) as DiffKind,
      key:
        key === "position"
          ? [readers[3]?.(row), readers[4]?.(row)]
          : (key ?? []).map((name) => source[name]),
      before,
      after,
      changed: plan.compared.flatMap((column, i) =>
        readers[flagsAt + i]?.(row) === true ? [column.name] : [],
      ),
    };
  });
}

const text: SqlType = { kind: "scalar", name: "VARCHAR" };
const big: SqlType = { kind: "scalar", name: "BIGINT" };

function valuesOf({ info }: Side, alias: string): Field[] {
  return info.columns.map(({ type }, i) => ({
    sql: `${alias}.v${i}`,
    type: unwrap(parseType(type)),
  }));
}

/** A table's rows with their numbers, its columns by position. */
function numbered({ info, data }: Side): string {
  const number = hasRowId(info.columns) ? "d.rowid" : "row_number() OVER () - 1";
  const columns = info.columns.map((column, i) => `d.${quoteName(column.name)} AS v${i}`);
  return `SELECT ${[`${number} AS "row number"`, ...columns].join(", ")} FROM ${data} d`;
}

function whole(count: number): number {
  return Math.max(0, Math.trunc(count));
}
