import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import type { DiffSummary } from "../diff.ts";
import { ok, type Result } from "../problem.ts";
import type { Limits, WorkerRequest } from "../protocol.ts";
import { quoteName } from "../types.ts";
import { queryTexts } from "./database.ts";
import { planDiff, type DiffPlan, type SidePlan } from "./diff-plan.ts";
import {
  countsSql,
  joinedOnKey,
  keyList,
  leftoversSql,
  repeatedKeysSql,
  sideWhere,
  singlesJoined,
} from "./diff-sql.ts";
import { openTables } from "./tables.ts";

type Request = Extract<WorkerRequest, { kind: "diff" }>;
type Rows = DiffSummary["rows"];
type Figures = { pairs: number; left: number; right: number; changed: number; columns: number[][] };

/**
 * Counts what differs between two tables. One join over both where no key is repeated on both sides, which its own counts tell; the rows of
 * repeated keys, if any, are then counted apart by the rules for duplicates.
 */
export async function runDiff(
  { before, after, request }: Request,
  limits: Limits,
): Promise<Result<DiffSummary>> {
  const startedAt = performance.now();
  const { open, data } = await openTables([before, after], limits);
  const [left = "", right = ""] = data.map((table) => table.replace(/\.data$/, ""));
  const planned = planDiff(
    request,
    { info: before.info, schema: left },
    { info: after.info, schema: right },
  );
  if (!planned.ok) return planned;
  const plan = planned.value;
  const { rows, columns } = await count(open.connection, plan);
  const changes = plan.compared.map(({ name }, i) => ({ name, figures: columns[i] ?? [] }));
  const isUnchanged = rows.changed + rows.added + rows.removed + rows.ambiguous.keys === 0;
  return ok({
    identical: plan.hasSameSchema && isUnchanged,
    keys: plan.keys,
    byPosition: request.key === "position",
    rows,
    columns: plan.columns.map((column) => {
      const [changed = 0, nullToValue = 0, valueToNull = 0] =
        changes.find((change) => change.name === column.name)?.figures ?? [];
      return { ...column, changed, nullToValue, valueToNull };
    }),
    tolerances: request.tolerances ?? {},
    elapsedMs: performance.now() - startedAt,
  });
}

async function count(
  connection: Connection,
  plan: DiffPlan,
): Promise<{ rows: Rows; columns: number[][] }> {
  if (plan.keyCount === 0) return countMultiset(connection, plan);
  const isPlausible = plan.isKeyUnique || (await areKeysMostlyUnique(connection, plan));
  if (isPlausible) {
    const figures = await figuresOf(
      connection,
      countsSql(plan, joinedOnKey(plan, plan.left.sql, plan.right.sql)),
      plan,
    );
    // A key found a times left and b times right makes a·b pairs: only where all are 1 do the counts come out even.
    if (figures.left === plan.left.rows && figures.right === plan.right.rows) {
      return { rows: uniqueRows(plan, figures), columns: figures.columns };
    }
  }
  return countWithRepeats(connection, plan);
}

function uniqueRows(plan: DiffPlan, { pairs, changed }: Figures): Rows {
  return {
    left: plan.left.rows,
    right: plan.right.rows,
    equal: pairs - changed,
    changed,
    added: plan.right.rows - pairs,
    removed: plan.left.rows - pairs,
    ambiguous: { keys: 0, left: 0, right: 0 },
  };
}

/**
 * Whether a join on the key is safe to try. A few heavy keys would multiply into a join without end: they show as crowded buckets, and many
 * light repeats as a low number of distinct keys. Both are a quick scan.
 */
export async function areKeysMostlyUnique(
  connection: Connection,
  plan: DiffPlan,
): Promise<boolean> {
  const buckets = 65_536;
  const isSafe = async ({ sql, rows }: SidePlan) => {
    if (rows === 0) return true;
    const [[crowd = "0"] = []] = await queryTexts(
      connection,
      `SELECT max(c)::VARCHAR FROM (SELECT count(*) AS c FROM (SELECT (hash(${keyList(plan)}) >> 48)::USMALLINT AS b FROM (${sql})) GROUP BY b)`,
    );
    return Number(crowd) <= (rows / buckets) * 4 + 64;
  };
  return (await isSafe(plan.left)) && (await isSafe(plan.right));
}

async function figuresOf(connection: Connection, sql: string, plan: DiffPlan): Promise<Figures> {
  const [row = []] = await queryTexts(connection, sql);
  const numbers = row.map(Number);
  const [pairs = 0, left = 0, right = 0, changed = 0] = numbers;
  const columns = plan.compared.map((_, i) => numbers.slice(4 + i * 3, 7 + i * 3));
  return { pairs, left, right, changed, columns };
}

async function countWithRepeats(
  connection: Connection,
  plan: DiffPlan,
): Promise<{ rows: Rows; columns: number[][] }> {
  return withGeneralTables(connection, plan, async ({ repeated, keys }) => {
    const once = joinedOnKey(
      plan,
      sideWhere(plan, plan.left.sql, repeated, false),
      sideWhere(plan, plan.right.sql, repeated, false),
    );
    const unique = await figuresOf(connection, countsSql(plan, once), plan);
    const singles = await figuresOf(connection, countsSql(plan, singlesJoined(plan, keys)), plan);
    const [totals = []] = await queryTexts(connection, totalsSql(keys));
    const [
      equal = 0,
      added = 0,
      removed = 0,
      ambiguousKeys = 0,
      ambiguousLeft = 0,
      ambiguousRight = 0,
    ] = totals.map(Number);
    return {
      rows: {
        left: plan.left.rows,
        right: plan.right.rows,
        equal: unique.pairs - unique.changed + equal + singles.pairs - singles.changed,
        changed: unique.changed + singles.changed,
        added: unique.right - unique.pairs + added,
        removed: unique.left - unique.pairs + removed,
        ambiguous: { keys: ambiguousKeys, left: ambiguousLeft, right: ambiguousRight },
      },
      columns: plan.compared.map((_, i) =>
        [0, 1, 2].map((f) => (unique.columns[i]?.[f] ?? 0) + (singles.columns[i]?.[f] ?? 0)),
      ),
    };
  });
}

function totalsSql(keys: string): string {
  const isAmbiguous = "len(lo) > 0 AND len(ro) > 0 AND len(lo) + len(ro) > 2";
  const figures = [
    "coalesce(sum(e), 0)",
    "coalesce(sum(len(ro)) FILTER (WHERE len(lo) = 0), 0)",
    "coalesce(sum(len(lo)) FILTER (WHERE len(ro) = 0), 0)",
    `count(*) FILTER (WHERE ${isAmbiguous})`,
    `coalesce(sum(len(lo)) FILTER (WHERE ${isAmbiguous}), 0)`,
    `coalesce(sum(len(ro)) FILTER (WHERE ${isAmbiguous}), 0)`,
  ];
  return `SELECT ${figures.map((sql) => `(${sql})::VARCHAR`).join(", ")} FROM ${keys}`;
}

async function countMultiset(
  connection: Connection,
  plan: DiffPlan,
): Promise<{ rows: Rows; columns: number[][] }> {
  const comparable = plan.compared.flatMap((column, i) => (column.isComparable ? [`c${i}`] : []));
  const group = [...comparable, ...(comparable.length === plan.compared.length ? [] : ["side"])];
  const rows = `SELECT *, 0 AS side FROM (${plan.left.sql}) UNION ALL SELECT *, 1 AS side FROM (${plan.right.sql})`;
  const counts = `SELECT count(*) FILTER (WHERE side = 0) AS a, count(*) FILTER (WHERE side = 1) AS b FROM (${rows}) ${group.length > 0 ? `GROUP BY ${group.join(", ")}` : ""}`;
  const [[text = "0"] = []] = await queryTexts(
    connection,
    `SELECT coalesce(sum(least(a, b)), 0)::VARCHAR FROM (${counts})`,
  );
  const equal = Number(text);
  return {
    rows: {
      left: plan.left.rows,
      right: plan.right.rows,
      equal,
      changed: 0,
      added: plan.right.rows - equal,
      removed: plan.left.rows - equal,
      ambiguous: { keys: 0, left: 0, right: 0 },
    },
    columns: plan.compared.map(() => [0, 0, 0]),
  };
}

let made = 0;

/** Makes the tables of the general path (repeated keys; per such key what pairs off and what is left over), and drops them after use. */
export async function withGeneralTables<T>(
  connection: Connection,
  plan: DiffPlan,
  use: (tables: { repeated: string; keys: string }) => Promise<T>,
): Promise<T> {
  made += 1;
  const repeated = quoteName(`repeated ${made}`);
  const keys = quoteName(`keys ${made}`);
  try {
    await duckdb.query(connection, `CREATE TEMP TABLE ${repeated} AS ${repeatedKeysSql(plan)}`);
    const left = sideWhere(plan, plan.left.sql, repeated, true);
    const right = sideWhere(plan, plan.right.sql, repeated, true);
    await duckdb.query(
      connection,
      `CREATE TEMP TABLE ${keys} AS ${leftoversSql(plan, left, right)}`,
    );
    return await use({ repeated, keys });
  } finally {
    await duckdb.query(
      connection,
      `DROP TABLE IF EXISTS ${keys}; DROP TABLE IF EXISTS ${repeated}`,
    );
  }
}
