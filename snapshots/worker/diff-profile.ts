import type { Connection } from "@duckdb/node-bindings";
import type { ProfilePair, SideProfile } from "../diff-profile.ts";
import { fail, ok, type Result } from "../problem.ts";
import type { Limits, WorkerRequest } from "../protocol.ts";
import { queryTexts } from "./database.ts";
import { isNumeric } from "./diff-canonical.ts";
import { openComparison } from "./diff-comparison.ts";
import type { DiffPlan } from "./diff-plan.ts";
import type { Side } from "./diff-side.ts";

const binCount = 20;
const topCount = 10;
const exactUpTo = 100_000;
const shares = [0.05, 0.25, 0.5, 0.75, 0.95];

/** A column of both sides at a glance; one side may lack it. */
export async function runDiffProfile(
  request: Extract<WorkerRequest, { kind: "diffProfile" }>,
  limits: Limits,
): Promise<Result<ProfilePair>> {
  const opened = await openComparison(request, limits);
  if (!opened.ok) return opened;
  const { plan, open } = opened.value;
  const { column } = request;
  if (plan.columns.some(({ name }) => name === column))
    return ok(await pairOf(open.connection, plan, column));
  return fail({
    code: "no-such-column",
    message: `Neither side has a column \`${column}\`.`,
    hint: `They have: ${plan.columns.map(({ name }) => name).join(", ")}.`,
  });
}

type Place = { from: string; value: string; type: string; rows: number };

async function pairOf(connection: Connection, plan: DiffPlan, name: string): Promise<ProfilePair> {
  const left = placeOf(plan.left.side, name);
  const right = placeOf(plan.right.side, name);
  return {
    name,
    left: left === undefined ? null : await profileOf(connection, left),
    right: right === undefined ? null : await profileOf(connection, right),
    bins: await commonBins(connection, left, right),
  };
}

function placeOf(side: Side, name: string): Place | undefined {
  const place = side.columns.findIndex((column) => column.name === name);
  const type = side.columns[place]?.type;
  if (type === undefined) return undefined;
  return { from: `(${side.valuesSql})`, value: `v${place}`, type, rows: side.rows };
}

async function profileOf(
  connection: Connection,
  { from, value, type, rows }: Place,
): Promise<SideProfile> {
  const line = lineOf(type);
  const hasOrder = line !== undefined || /^(VARCHAR|ENUM.*|UUID|BOOLEAN|TIME.*)$/.test(type);
  const distinct =
    rows <= exactUpTo
      ? `count(DISTINCT ${value})`
      : `least(approx_count_distinct(${value}), count(${value}))`;
  const figures = [
    "count(*)",
    `count(*) - count(${value})`,
    distinct,
    hasOrder ? `min(${value})` : "NULL",
    hasOrder ? `max(${value})` : "NULL",
    // A mean is shown in a few digits: the sum of a HUGEINT column may lie beyond HUGEINT itself.
    isNumeric(type) ? `avg(${value}::DOUBLE)` : "NULL",
    ...shares.map((share) =>
      line === undefined
        ? "NULL"
        : line.from(`approx_quantile(${finite(line.to(value))}, ${share})`),
    ),
  ];
  const [[count, nulls, different, min = null, max = null, mean = null, ...quantiles] = []] =
    await queryTexts(
      connection,
      `SELECT ${figures.map((sql) => `(${sql})::VARCHAR`).join(", ")} FROM ${from}`,
    );
  const top = await queryTexts(
    connection,
    `SELECT v::VARCHAR, c::VARCHAR FROM (SELECT ${value} AS v, count(*) AS c FROM ${from} GROUP BY 1) ORDER BY c DESC, v::VARCHAR NULLS FIRST LIMIT ${topCount}`,
  );
  return {
    count: Number(count),
    nulls: Number(nulls),
    distinct: Number(different),
    min,
    quantiles: quantiles.filter((quantile) => quantile !== null),
    max,
    mean: mean === null ? null : Number(mean),
    top: top.map(([text = null, times]) => ({ value: text, count: Number(times) })),
  };
}

function finite(sql: string): string {
  return `CASE WHEN isfinite(${sql}) THEN ${sql} END`;
}

/** How a value lies on a line, and how a place on the line is written. */
type Line = { to: (sql: string) => string; from: (sql: string) => string };

function lineOf(type: string): Line | undefined {
  if (isNumeric(type)) return { to: (sql) => `${sql}::DOUBLE`, from: (sql) => `(${sql})::VARCHAR` };
  if (!/^(DATE|TIMESTAMP.*)$/.test(type)) return undefined;
  return {
    to: (sql) => `epoch(${sql}::TIMESTAMP)`,
    from: (sql) => `make_timestamp(((${sql}) * 1000000)::BIGINT)::VARCHAR`,
  };
}

/** Equal widths between the smaller minimum and the greater maximum. None where a side's values do not lie on the other's line. */
async function commonBins(
  connection: Connection,
  left: Place | undefined,
  right: Place | undefined,
): Promise<ProfilePair["bins"]> {
  const sides = [left, right].flatMap((place) => {
    const line = place === undefined ? undefined : lineOf(place.type);
    return place === undefined || line === undefined ? [] : [{ ...place, line }];
  });
  const [first] = sides;
  const isMixed =
    sides.length !== [left, right].filter((place) => place !== undefined).length ||
    sides.some(({ type }) => isNumeric(type) !== isNumeric(first?.type ?? ""));
  if (first === undefined || isMixed) return [];
  const values = sides.map(
    ({ from, value, line }) =>
      `SELECT ${from === left?.from && value === left.value ? 0 : 1} AS side, ${line.to(value)} AS x FROM ${from} WHERE ${value} IS NOT NULL`,
  );
  const rows = await queryTexts(
    connection,
    `WITH finite AS (SELECT * FROM (${values.join(" UNION ALL ")}) WHERE isfinite(x)),
      r AS (SELECT min(x) AS low, (max(x) - min(x)) / ${binCount} AS width FROM finite),
      b AS (SELECT least(${binCount - 1}, greatest(0, floor((x - low) / nullif(width, 0))))::INTEGER AS i, count(*) FILTER (WHERE side = 0) AS l, count(*) FILTER (WHERE side = 1) AS r FROM finite, r GROUP BY i)
    SELECT ${first.line.from("low + width * coalesce(i, 0)")}, ${first.line.from("low + width * (coalesce(i, 0) + 1)")}, b.l::VARCHAR, b.r::VARCHAR FROM b, r ORDER BY i`,
  );
  return rows.map(([from, to, l, r]) => ({
    from: from ?? "",
    to: to ?? "",
    left: Number(l),
    right: Number(r),
  }));
}
