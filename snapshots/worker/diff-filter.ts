import duckdb from "@duckdb/node-bindings";
import type { ValueFilter } from "../diff.ts";
import { fail, ok, type Problem, type Result } from "../problem.ts";
import type { FilterInput, TableFile } from "../protocol.ts";
import { parseType, quoteText } from "../types.ts";
import {
  conditionSql,
  inputColumns,
  patternFrom,
  patternSql,
  scopeSql,
  type PatternSql,
} from "./diff-cause-sql.ts";
import { keepTable, type Comparison } from "./diff-comparison.ts";
import { countOf, type Numbered } from "./diff-order.ts";
import type { DiffPlan } from "./diff-plan.ts";
import { setSql } from "./diff-set-tables.ts";

type Filter = FilterInput & { input?: TableFile };

/** Filters whose rows are kept, so that the next page is a look-up. */
const mostFilters = 8;

/** Those of the differences that a filter leaves, as their places `r`; undefined where it leaves all. */
export async function chosenDifferences(
  comparison: Comparison,
  ordered: string,
  filter: Filter,
): Promise<Result<Numbered | undefined>> {
  const conditions = filterSql(comparison.plan, filter);
  if (!conditions.ok) return conditions;
  const { where, from } = conditions.value;
  for (const { of, test } of filter.sets ?? []) {
    const meets = await setSql(comparison, of, test);
    if (!meets.ok) return meets;
    where.push(meets.value);
  }
  if (where.length === 0) return ok(undefined);
  const rows = patternFrom(comparison.plan, ordered, from);
  return ok(await chosenRows(comparison, `${rows} WHERE ${where.join(" AND ")}`));
}

/** `from` is what follows FROM. */
function chosenRows(comparison: Comparison, from: string): Promise<Numbered> {
  const kind = { kind: "chosen", most: mostFilters, what: from };
  return keepTable(comparison, kind, async (table) => {
    const { connection } = comparison.open;
    await duckdb.query(
      connection,
      `CREATE TEMP TABLE ${table} AS SELECT d.rowid AS r FROM ${from} ORDER BY d.rowid`,
    );
    return { table, total: await countOf(connection, table) };
  });
}

/** Conditions over the ordered differences, as `d`; `from` says what they speak of. */
type Conditions = { where: string[]; from: PatternSql["from"] };

function filterSql(plan: DiffPlan, filter: Filter): Result<Conditions> {
  const where = filter.rows === undefined ? [] : [`d.kind = '${filter.rows}'`];
  if (filter.column !== undefined) {
    const place = plan.compared.findIndex(({ name }) => name === filter.column);
    if (place === -1) return fail(notCompared(plan, filter.column));
    where.push(`d.d${place} > 0`);
  }
  for (const value of filter.values ?? []) {
    const sql = valueSql(plan, value);
    if (!sql.ok) return sql;
    where.push(sql.value);
  }
  if (filter.cause === undefined) return ok({ where, from: "differences" });
  const cause = causeSql(plan, filter.cause, filter.input);
  if (!cause.ok) return cause;
  return ok({ where: [...where, ...cause.value.where], from: cause.value.from });
}

function notCompared(plan: DiffPlan, name: string): Problem {
  return {
    code: "no-such-column",
    message: `\`${name}\` is not one of the columns that were compared.`,
    hint: `They are: ${plan.compared.map((candidate) => candidate.name).join(", ")}.`,
  };
}

function causeSql(
  plan: DiffPlan,
  { scope, why, from }: NonNullable<Filter["cause"]>,
  input: Filter["input"],
): Result<Conditions> {
  const scoped = scopeSql(scope, plan);
  if (why.kind !== "values" && why.kind !== "range") {
    const sql = patternSql(why, plan);
    return sql.ok ? ok({ where: [scoped, sql.value.where], from: sql.value.from }) : sql;
  }
  const of = (sql: string): Conditions => ({ where: [scoped, sql], from: "differences" });
  if (from === "sides") {
    const sql = eitherSide(plan, why.column, undefined, (value, type) =>
      conditionSql(why, value, type),
    );
    return sql.ok ? ok(of(sql.value)) : sql;
  }
  const column = inputColumns(input?.info, plan).find(({ name }) => name === why.column);
  if (column === undefined) {
    return fail({
      code: "no-such-column",
      message: `The input has no column \`${why.column}\`, of which the cause speaks.`,
      hint: "Give the snapshot both sides were made from, and pair the rows by position.",
    });
  }
  const meets = conditionSql(why, column.inLeft, column.type);
  return ok(of(`d.k0 IN (SELECT i.rowid FROM "input table".main.data i WHERE ${meets})`));
}

/** Differences of which a row of a side, or of either, meets a condition on a column. */
function eitherSide(
  plan: DiffPlan,
  column: string,
  only: "left" | "right" | undefined,
  condition: (value: string, type: string) => string,
): Result<string> {
  const parts = (["left", "right"] as const).flatMap((name) => {
    const { side } = plan[name];
    const place = side.columns.findIndex((own) => own.name === column);
    const type = side.columns[place]?.type;
    if (type === undefined || (only !== undefined && only !== name)) return [];
    const number = name === "left" ? "ln" : "rn";
    return [
      `d.${number} IN (SELECT n FROM (${side.valuesSql}) WHERE ${condition(`v${place}`, type)})`,
    ];
  });
  if (parts.length > 0) return ok(`(${parts.join(" OR ")})`);
  return fail({
    code: "no-such-column",
    message: `${only === undefined ? "Neither side" : `The ${only} side`} has a column \`${column}\`.`,
    hint: "Filter by a column of the compared rows.",
  });
}

function valueSql(plan: DiffPlan, { column, side, test, value }: ValueFilter): Result<string> {
  return eitherSide(plan, column, side, (sql, type) => {
    if (value === null) return `${sql} IS NULL`;
    const text = quoteText(value);
    if (test === "contains") return `contains(lower(CAST(${sql} AS VARCHAR)), lower(${text}))`;
    const isText = !parseType(type).ok || /^(ENUM|JSON)/.test(type);
    const [own, wanted] = isText
      ? [`CAST(${sql} AS VARCHAR)`, text]
      : [sql, `TRY_CAST(${text} AS ${type})`];
    const operator = { equals: "=", atLeast: ">=", atMost: "<=" }[test];
    return `${own} ${operator} ${wanted}`;
  });
}
