import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import type { CauseCondition, CausesResult, CauseScope, DiffCause } from "../diff.ts";
import { ok, type Result } from "../problem.ts";
import type { Limits, TableFile, WorkerRequest } from "../protocol.ts";
import { queryTexts } from "./database.ts";
import { startBudget } from "./diff-budget.ts";
import { conditionsOf } from "./diff-cause-candidates.ts";
import { findPatterns } from "./diff-cause-patterns.ts";
import { foldCauses, isTelling } from "./diff-cause-rank.ts";
import {
  conditionSql,
  inputColumns,
  scopeSql,
  sideColumns,
  type Explaining,
} from "./diff-cause-sql.ts";
import { allDifferences, openComparison, type Comparison } from "./diff-comparison.ts";
import { changedPlaces } from "./diff-find.ts";
import type { DiffPlan } from "./diff-plan.ts";

const defaultBudgetMs = 10_000;
const mostScopes = 12;
/** Of more rows, an even share is looked at for candidates; what is reported is counted in all. */
const sampledFrom = 500_000;
const mostDistinct = 5000;

/** What explains the differences of a pairing. */
export async function runDiffCauses(
  request: Extract<WorkerRequest, { kind: "diffCauses" }>,
  limits: Limits,
): Promise<Result<CausesResult>> {
  const opened = await openComparison(request, limits);
  if (!opened.ok) return opened;
  await allDifferences(opened.value);
  return ok(await findCauses(opened.value, request.input, request.budgetMs));
}

type Scoped = { scope: CauseScope; differences: number };
type Candidate = { column: Explaining; place: number; condition: CauseCondition };

/** Of one comparison, with its differences found. Within the budget; what was not looked at is said. */
export async function findCauses(
  comparison: Comparison,
  input: TableFile | undefined,
  budgetMs: number = defaultBudgetMs,
): Promise<CausesResult> {
  const { plan } = comparison;
  const { connection } = comparison.open;
  const budget = startBudget(budgetMs);
  const table = await allDifferences(comparison);
  const scopes = await scopesOf(connection, plan, table);
  const report = (causes: DiffCause[], columns: number, of: number): CausesResult => ({
    causes,
    search: {
      columns,
      of,
      complete: columns === of,
      elapsedMs: budget.elapsed(),
      budgetMs,
    },
  });
  if (scopes.length === 0) return report([], 0, 0);
  const places = await changedPlaces(connection, plan, table);
  const moved = new Set(places.map((place) => plan.compared[place]?.name));
  const inputs = inputColumns(input?.info, plan);
  const own = sideColumns(plan, (name) => !moved.has(name)).filter(
    ({ name }) => !inputs.some((column) => column.name === name),
  );
  const columns = [...inputs, ...own].filter(({ type }) => isScalar(type));

  const patterns = await budget.within(connection, () => findPatterns(connection, plan, table));
  const rows = rowsSql(plan, columns, inputs.length > 0);
  const made = await budget.within(connection, async () => {
    await explain(connection, plan, table, columns, inputs.length > 0);
    await sample(connection, plan, rows);
  });
  if (made === undefined && patterns === undefined) return report([], 0, columns.length);
  const candidates: Candidate[] = [];
  let looked = 0;
  for (const [place, column] of columns.entries()) {
    const found = await budget.within(
      connection,
      () => candidatesOf(connection, plan, scopes, column, place),
      0.7,
    );
    if (found === undefined) break;
    candidates.push(...found);
    looked += 1;
  }
  const conditions = await budget.within(connection, () =>
    judge(connection, plan, scopes, candidates, rows),
  );
  await duckdb.query(connection, "DROP TABLE IF EXISTS explained; DROP TABLE IF EXISTS sampled");
  const causes = foldCauses([...(conditions ?? []), ...(patterns ?? [])]);
  return report(causes, conditions === undefined ? 0 : looked, columns.length);
}

/** What there is to explain, the most differences first. A scope with all differences in it is `all`. */
async function scopesOf(connection: Connection, plan: DiffPlan, table: string): Promise<Scoped[]> {
  const scopes: CauseScope[] = [
    { kind: "all" },
    { kind: "changed" },
    { kind: "added" },
    { kind: "removed" },
    ...plan.compared.map(({ name }): CauseScope => ({ kind: "changed", column: name })),
  ];
  const figures = scopes.map(
    (scope) => `count(*) FILTER (WHERE ${scopeSql(scope, plan)})::VARCHAR`,
  );
  const [counts = []] = await queryTexts(connection, `SELECT ${figures.join(", ")} FROM ${table}`);
  const all = Number(counts[0]);
  const scoped = scopes
    .map((scope, i) => ({ scope, differences: Number(counts[i]) }))
    .filter(({ differences }, i) => differences > 0 && (i === 0 || differences < all));
  return scoped.toSorted((a, b) => b.differences - a.differences).slice(0, mostScopes);
}

/** Nested values have no order on a line and few repeat. */
function isScalar(type: string): boolean {
  return !/[[(]/.test(type) || /^(DECIMAL|ENUM)\(/.test(type);
}

function isOrdered(type: string): boolean {
  return /^(DECIMAL\(.*|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DATE|TIME|TIMESTAMP.*)$/.test(
    type,
  );
}

/** SQL for the left side's rows with the columns that may explain, as `e0`, `e1`, …. */
function rowsSql(plan: DiffPlan, columns: Explaining[], hasInput: boolean): string {
  const select = columns.map(({ inLeft }, i) => `${inLeft} AS e${i}`);
  const join = hasInput ? `JOIN "input table".main.data i ON i.rowid = l.k0` : "";
  return `SELECT ${["l.n AS n", ...select].join(", ")} FROM (${plan.left.keyedSql}) l ${join}`;
}

/** The differences with the columns that may explain them. */
async function explain(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  columns: Explaining[],
  hasInput: boolean,
): Promise<true> {
  const hasSides = columns.some(({ from }) => from === "sides");
  const select = columns.map(
    ({ inLeft, inRight }, i) =>
      `${inLeft === inRight ? inLeft : `CASE WHEN d.ln IS NULL THEN ${inRight} ELSE ${inLeft} END`} AS e${i}`,
  );
  const joins = [
    ...(hasSides
      ? [
          `LEFT JOIN (${plan.left.side.valuesSql}) l ON l.n = d.ln`,
          `LEFT JOIN (${plan.right.side.valuesSql}) r ON r.n = d.rn`,
        ]
      : []),
    ...(hasInput ? [`LEFT JOIN "input table".main.data i ON i.rowid = d.k0`] : []),
  ];
  const states = plan.compared.map((_, i) => `d.d${i}`);
  await duckdb.query(
    connection,
    `CREATE OR REPLACE TEMP TABLE explained AS SELECT ${["d.kind", "d.ln", ...states, ...select].join(", ")} FROM ${table} d ${joins.join(" ")}`,
  );
  return true;
}

async function sample(connection: Connection, plan: DiffPlan, rows: string): Promise<true> {
  const share = Math.ceil(plan.left.side.rows / sampledFrom);
  const chosen = share > 1 ? `WHERE hash(n) % ${share} = 0` : "";
  await duckdb.query(
    connection,
    `CREATE OR REPLACE TEMP TABLE sampled AS SELECT * FROM (${rows}) ${chosen}`,
  );
  return true;
}

async function candidatesOf(
  connection: Connection,
  plan: DiffPlan,
  scopes: Scoped[],
  column: Explaining,
  place: number,
): Promise<Candidate[]> {
  const e = `e${place}`;
  const [[distinct = "0"] = []] = await queryTexts(
    connection,
    `SELECT approx_count_distinct(${e})::VARCHAR FROM sampled`,
  );
  const conditions =
    Number(distinct) <= mostDistinct
      ? await ofFewValues(connection, plan, scopes, column, e)
      : await ofManyValues(connection, plan, scopes, column, e);
  const distinctOnes = new Map(conditions.map((each) => [JSON.stringify(each), each]));
  return [...distinctOnes.values()].map((condition) => ({ column, place, condition }));
}

async function ofFewValues(
  connection: Connection,
  plan: DiffPlan,
  scopes: Scoped[],
  column: Explaining,
  e: string,
): Promise<CauseCondition[]> {
  const figures = scopes.map(
    ({ scope }, i) => `count(*) FILTER (WHERE ${scopeSql(scope, plan)}) AS s${i}`,
  );
  const rows = await queryTexts(
    connection,
    `SELECT coalesce(a.v, b.v)::VARCHAR, coalesce(a.c, 0)::VARCHAR, ${scopes.map((_, i) => `coalesce(b.s${i}, 0)::VARCHAR`).join(", ")}
    FROM (SELECT ${e} AS v, count(*) AS c FROM sampled GROUP BY 1) a
    FULL JOIN (SELECT ${[`${e} AS v`, ...figures].join(", ")} FROM explained GROUP BY 1) b ON a.v IS NOT DISTINCT FROM b.v
    ORDER BY coalesce(a.v, b.v) NULLS FIRST`,
  );
  return scopes.flatMap((_, i) =>
    conditionsOf(
      column.name,
      rows.map(([value = null, count, ...differences]) => ({
        value,
        rows: Number(count),
        differences: Number(differences[i]),
      })),
      isOrdered(column.type),
    ),
  );
}

/** Of a column with many values: where the differences lie, all of them and all but the outermost; or the commonest texts. */
async function ofManyValues(
  connection: Connection,
  plan: DiffPlan,
  scopes: Scoped[],
  column: Explaining,
  e: string,
): Promise<CauseCondition[]> {
  const conditions: CauseCondition[] = [];
  for (const { scope } of scopes) {
    const from = `FROM explained WHERE ${scopeSql(scope, plan)}`;
    if (isOrdered(column.type)) {
      const [[low, high, inner, outer] = []] = await queryTexts(
        connection,
        `SELECT min(v)::VARCHAR, max(v)::VARCHAR, quantile_disc(v, 0.025)::VARCHAR, quantile_disc(v, 0.975)::VARCHAR FROM (SELECT ${e} AS v ${from})`,
      );
      for (const [start, end] of [
        [low, high],
        [inner, outer],
      ])
        if (start && end)
          conditions.push({ kind: "range", column: column.name, from: start, to: end });
      continue;
    }
    const common = await queryTexts(
      connection,
      `SELECT v::VARCHAR FROM (SELECT ${e} AS v, count(*) AS c ${from} GROUP BY 1) ORDER BY c DESC, v LIMIT 3`,
    );
    for (const [value = null] of common)
      conditions.push({ kind: "values", column: column.name, values: [value] });
  }
  return conditions;
}

/** Counts each candidate in all rows, and keeps what tells a scope's differences from equal rows. */
async function judge(
  connection: Connection,
  plan: DiffPlan,
  scopes: Scoped[],
  candidates: Candidate[],
  rows: string,
): Promise<DiffCause[]> {
  if (candidates.length === 0) return [];
  const meets = candidates.map(({ condition, column, place }) =>
    conditionSql(condition, `e${place}`, column.type),
  );
  const inRows = await counts(
    connection,
    meets.map((sql) => `count(*) FILTER (WHERE ${sql})`),
    plan.left.side.rows > sampledFrom ? `(${rows})` : "sampled",
  );
  const inDifferences = await counts(
    connection,
    meets.flatMap((sql) => [
      `count(ln) FILTER (WHERE ${sql})`,
      ...scopes.map(({ scope }) => `count(*) FILTER (WHERE ${scopeSql(scope, plan)} AND ${sql})`),
    ]),
    "explained",
  );
  const [leftDifferences = 0] = await counts(connection, ["count(ln)"], "explained");
  const equalRows = plan.left.side.rows - leftDifferences;
  return candidates.flatMap(({ condition, column }, c) => {
    const at = c * (scopes.length + 1);
    const equal = (inRows[c] ?? 0) - (inDifferences[at] ?? 0);
    return scopes.flatMap(({ scope, differences }, s): DiffCause[] => {
      const covered = inDifferences[at + 1 + s] ?? 0;
      const cause: DiffCause = {
        text: conditionText(condition),
        scope,
        why: condition,
        from: column.from,
        differences,
        covered,
        equal,
      };
      return isTelling(cause, equalRows) ? [cause] : [];
    });
  });
}

/** Many figures over one table, some at a time. */
async function counts(connection: Connection, figures: string[], from: string): Promise<number[]> {
  const numbers: number[] = [];
  for (let at = 0; at < figures.length; at += 500) {
    const some = figures.slice(at, at + 500).map((sql) => `(${sql})::VARCHAR`);
    const [row = []] = await queryTexts(connection, `SELECT ${some.join(", ")} FROM ${from}`);
    numbers.push(...row.map(Number));
  }
  return numbers;
}

function conditionText(condition: CauseCondition): string {
  const { column } = condition;
  if (condition.kind === "range") return `${column} from ${condition.from} to ${condition.to}`;
  const [first = null, ...more] = condition.values;
  if (more.length > 0)
    return `${column} is ${condition.values.map((value) => value ?? "NULL").join(" or ")}`;
  return first === null ? `${column} is NULL` : `${column} = ${first}`;
}
