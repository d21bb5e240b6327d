import type { Connection } from "@duckdb/node-bindings";
import type { ColumnProfile } from "../profile.ts";
import { ok, type Result } from "../problem.ts";
import type { Limits, WorkerRequest } from "../protocol.ts";
import { formatType, quoteName, type SqlType } from "../types.ts";
import { queryTexts } from "./database.ts";
import { chooseColumns } from "./read.ts";
import { openTables } from "./tables.ts";

const binCount = 20;
const topCount = 5;
const exactUpTo = 100_000;

/** Nulls, distinct values, range, histogram and commonest values of each column. */
export async function runProfile(
  { table, columns }: Extract<WorkerRequest, { kind: "profile" }>,
  limits: Limits,
): Promise<Result<ColumnProfile[]>> {
  const chosen = chooseColumns(table.info, columns);
  if (!chosen.ok) return chosen;
  const { open, data } = await openTables([table], limits);
  const profiles: ColumnProfile[] = [];
  for (const { name, type } of chosen.value) {
    profiles.push(await profileColumn(open.connection, data[0] ?? "", table.info.rows, name, type));
  }
  return ok(profiles);
}

async function profileColumn(
  connection: Connection,
  from: string,
  rows: number,
  name: string,
  type: SqlType,
): Promise<ColumnProfile> {
  const column = quoteName(name);
  const line = lineOf(type);
  const hasOrder = line !== undefined || isTextual(type);
  const range = hasOrder ? `min(${column})::VARCHAR, max(${column})::VARCHAR` : "NULL, NULL";
  // A mean is shown in a few digits: the sum of a HUGEINT column may lie beyond HUGEINT itself.
  const mean = isNumeric(type) ? `avg(${column}::DOUBLE)::VARCHAR` : "NULL";
  const [[nulls = "0", distinct = "0", min = null, max = null, average = null] = []] =
    await queryTexts(
      connection,
      `SELECT (count(*) - count(${column}))::VARCHAR, ${distinctOf(column, rows)}::VARCHAR, ${range}, ${mean} FROM ${from}`,
    );
  const isCountable = type.kind !== "list" && type.kind !== "struct" && type.kind !== "map";
  return {
    name,
    type: formatType(type),
    nulls: Number(nulls),
    distinct: Number(distinct),
    min,
    max,
    ...(average === null ? {} : { mean: Number(average) }),
    bins: line === undefined || min === null ? [] : await bins(connection, from, column, line),
    top: isCountable ? await top(connection, from, column) : [],
  };
}

/** Counted where that is quick. Else estimated, and the estimate may lie above what there is: never say more than that. */
function distinctOf(column: string, rows: number): string {
  return rows <= exactUpTo
    ? `count(DISTINCT ${column})`
    : `least(approx_count_distinct(${column}), count(${column}))`;
}

async function top(
  connection: Connection,
  from: string,
  column: string,
): Promise<ColumnProfile["top"]> {
  const rows = await queryTexts(
    connection,
    `SELECT v::VARCHAR, c::VARCHAR FROM (SELECT ${column} AS v, count(*) AS c FROM ${from} GROUP BY ALL) ORDER BY c DESC, v LIMIT ${topCount}`,
  );
  return rows.map(([value = null, count]) => ({ value, count: Number(count) }));
}

/** How a value lies on a line, and how a place on the line is written. */
type Line = { to: (sql: string) => string; from: (sql: string) => string };

function lineOf(type: SqlType): Line | undefined {
  if (isNumeric(type)) return { to: (sql) => `${sql}::DOUBLE`, from: (sql) => `(${sql})::VARCHAR` };
  if (type.kind !== "scalar") return undefined;
  if (type.name === "DATE" || type.name.startsWith("TIMESTAMP")) {
    return {
      to: (sql) => `epoch(${sql}::TIMESTAMP)`,
      from: (sql) => `make_timestamp(((${sql}) * 1000000)::BIGINT)::VARCHAR`,
    };
  }
  return undefined;
}

async function bins(
  connection: Connection,
  from: string,
  column: string,
  line: Line,
): Promise<ColumnProfile["bins"]> {
  const rows = await queryTexts(
    connection,
    `WITH v AS (SELECT ${line.to(column)} AS x FROM ${from} WHERE ${column} IS NOT NULL),
      finite AS (SELECT x FROM v WHERE isfinite(x)),
      r AS (SELECT min(x) AS low, (max(x) - min(x)) / ${binCount} AS width FROM finite),
      b AS (SELECT least(${binCount - 1}, floor((x - low) / nullif(width, 0)))::INTEGER AS i, count(*) AS c FROM finite, r GROUP BY i)
    SELECT ${line.from("low + width * coalesce(i, 0)")}, ${line.from("low + width * (coalesce(i, 0) + 1)")}, c::VARCHAR FROM b, r ORDER BY i`,
  );
  return rows.map(([low, high, count]) => ({
    from: low ?? "",
    to: high ?? "",
    count: Number(count),
  }));
}

function isTextual(type: SqlType): boolean {
  return (
    type.kind === "enum" ||
    (type.kind === "scalar" && ["VARCHAR", "UUID", "BOOLEAN", "TIME"].includes(type.name))
  );
}

function isNumeric(type: SqlType): boolean {
  return (
    type.kind === "decimal" ||
    (type.kind === "scalar" &&
      /^(U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|FLOAT|DOUBLE)$/.test(type.name))
  );
}
