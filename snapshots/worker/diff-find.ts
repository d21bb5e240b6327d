import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import { z } from "zod";
import type { DiffRowCounts } from "../diff.ts";
import { quoteName } from "../types.ts";
import { queryTexts } from "./database.ts";
import { isWide, type DiffPlan } from "./diff-plan.ts";
import {
  keyNames,
  leftKeysSql,
  leftoversSql,
  lonelySql,
  measured,
  metSql,
  numberedSql,
  shapeSql,
  sideSql,
  unevenSql,
  type Slice,
} from "./diff-sql.ts";

let made = 0;

/** A table for differences: one row for each row, or pair of rows, that is not equal. */
export async function emptyDifferences(connection: Connection, plan: DiffPlan): Promise<string> {
  made += 1;
  const table = quoteName(`differences ${made}`);
  await duckdb.query(connection, `CREATE TEMP TABLE ${table} AS ${shapeSql(plan)}`);
  return table;
}

/**
 * Puts the differences of a slice, or of all, into `table`. One join over both sides, as long as no key met is repeated, which the number of
 * rows that came out of the join tells; else alike rows are counted off first, and the leftovers of each key are looked at.
 */
export async function findDifferences(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  slice?: Slice,
): Promise<void> {
  const left = sideSql(plan, "left", slice);
  const right = sideSql(plan, "right", slice);
  if (plan.keyCount > 0 && (await areKeysMostlyUnique(connection, plan, left, right))) {
    if (await meet(connection, plan, table, left, right)) return;
  }
  await countOff(connection, plan, table, left, right);
}

/** False, and nothing done, where a key is repeated. */
async function meet(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  left: string,
  right: string,
): Promise<boolean> {
  const first = await nextRow(connection, table);
  const into = isWide(plan) ? quoteName("met") : table;
  const sql = metSql(plan, left, right);
  const joined = await joinedRows(
    connection,
    isWide(plan) ? `CREATE OR REPLACE TEMP TABLE ${into} AS ${sql}` : `INSERT INTO ${into} ${sql}`,
  );
  const from = isWide(plan) ? 0 : first;
  const [[removed = "0", added = "0"] = []] = await queryTexts(
    connection,
    `SELECT count(*) FILTER (WHERE rn IS NULL)::VARCHAR, count(*) FILTER (WHERE ln IS NULL)::VARCHAR FROM ${into} WHERE rowid >= ${from}`,
  );
  const [leftRows, rightRows] = [
    await rowsIn(connection, plan, "left", left),
    await rowsIn(connection, plan, "right", right),
  ];
  // A key met a times left and b times right makes a·b pairs: only where all are 1 do these three come out the same.
  const pairs = joined === undefined ? -1 : joined - Number(removed) - Number(added);
  const isUnique =
    leftRows === 0 ||
    rightRows === 0 ||
    (pairs === leftRows - Number(removed) && pairs === rightRows - Number(added));
  if (isUnique && isWide(plan)) {
    await duckdb.query(connection, `INSERT INTO ${table} ${numberedSql(plan, into)}`);
  }
  if (isWide(plan)) await duckdb.query(connection, `DROP TABLE ${into}`);
  else if (!isUnique)
    await duckdb.query(connection, `DELETE FROM ${table} WHERE rowid >= ${first}`);
  return isUnique;
}

async function nextRow(connection: Connection, table: string): Promise<number> {
  const [[next = "0"] = []] = await queryTexts(
    connection,
    `SELECT coalesce(max(rowid) + 1, 0)::VARCHAR FROM ${table}`,
  );
  return Number(next);
}

export async function rowsIn(
  connection: Connection,
  plan: DiffPlan,
  side: "left" | "right",
  sql: string,
): Promise<number> {
  if (sql === plan[side].sql) return plan[side].side.rows;
  const [[count = "0"] = []] = await queryTexts(
    connection,
    `SELECT count(*)::VARCHAR FROM (${sql})`,
  );
  return Number(count);
}

/**
 * Whether a join on the key is safe to try. A few heavy keys would multiply into a join without end: they show as crowded buckets, and many
 * light repeats as a low number of distinct keys. Both are a quick scan.
 */
async function areKeysMostlyUnique(
  connection: Connection,
  plan: DiffPlan,
  left: string,
  right: string,
): Promise<boolean> {
  if (plan.byPosition) return true;
  const buckets = 65_536;
  for (const sql of [left, right]) {
    const [[crowd = "0", rows = "0"] = []] = await queryTexts(
      connection,
      `SELECT coalesce(max(c), 0)::VARCHAR, coalesce(sum(c), 0)::VARCHAR FROM (SELECT count(*) AS c FROM (SELECT (hash(${keyNames(plan).join(", ")}) >> 48)::USMALLINT AS b FROM (${sql})) GROUP BY b)`,
    );
    if (Number(crowd) > (Number(rows) / buckets) * 4 + 64) return false;
  }
  return true;
}

/** Runs a statement with one full join in it; how many rows came out of that join, undefined where DuckDB planned it as something else. */
async function joinedRows(connection: Connection, sql: string): Promise<number | undefined> {
  const [[, text] = []] = await queryTexts(connection, `EXPLAIN (ANALYZE, FORMAT json) ${sql}`);
  const todo = [profileNode.parse(JSON.parse(text ?? "{}"))];
  const joins: number[] = [];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (node.extra_info?.["Join Type"] === "FULL") joins.push(node.operator_cardinality ?? 0);
    todo.push(...(node.children ?? []));
  }
  return joins.length === 1 ? joins[0] : undefined;
}

const profileNode = z.object({
  operator_cardinality: z.number().optional(),
  extra_info: z.record(z.string(), z.unknown()).optional(),
  get children() {
    return z.array(profileNode).optional();
  },
});

async function countOff(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  left: string,
  right: string,
): Promise<void> {
  const [uneven, leftovers, keys, pairs] = ["uneven", "leftovers", "left keys", "pairs"].map(
    quoteName,
  ) as [string, string, string, string];
  const create = (name: string, sql: string) =>
    duckdb.query(connection, `CREATE OR REPLACE TEMP TABLE ${name} AS ${sql}`);
  await create(uneven, unevenSql(plan, left, right));
  await create(
    leftovers,
    `${leftoversSql(plan, uneven, "left", left)} UNION ALL ${leftoversSql(plan, uneven, "right", right)}`,
  );
  await duckdb.query(connection, `DROP TABLE ${uneven}`);
  await create(keys, leftKeysSql(plan, leftovers));
  await duckdb.query(connection, `INSERT INTO ${table} ${lonelySql(plan, leftovers, keys)}`);
  if (plan.keyCount > 0) {
    await create(pairs, `SELECT ln, rn FROM ${keys} WHERE a = 1 AND b = 1`);
    await duckdb.query(connection, `INSERT INTO ${table} ${numberedSql(plan, pairs)}`);
    await duckdb.query(connection, `DROP TABLE ${pairs}`);
  }
  await duckdb.query(connection, `DROP TABLE ${leftovers}; DROP TABLE ${keys}`);
}

/** What the differences found come to. `covered`: how many rows of the sides were looked at. */
export async function countDifferences(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  covered: { left: number; right: number },
): Promise<{ rows: DiffRowCounts; columns: ColumnFigures[] }> {
  const figures = [
    "count(*) FILTER (WHERE kind = 'changed')",
    "count(*) FILTER (WHERE kind = 'added')",
    "count(*) FILTER (WHERE kind = 'removed')",
    "count(ln) FILTER (WHERE kind = 'ambiguous')",
    "count(rn) FILTER (WHERE kind = 'ambiguous')",
    ...plan.compared.flatMap((_, i) => [
      `count(*) FILTER (WHERE d${i} > 0)`,
      `count(*) FILTER (WHERE d${i} = 2)`,
      `count(*) FILTER (WHERE d${i} = 3)`,
    ]),
    ...measured(plan).map((i) => `max(x${i})`),
  ];
  const [row = []] = await queryTexts(
    connection,
    `SELECT ${figures.map((sql) => `(${sql})::VARCHAR`).join(", ")} FROM ${table}`,
  );
  const [changed = 0, added = 0, removed = 0, left = 0, right = 0] = row.map(Number);
  const [[keys = "0"] = []] =
    left + right === 0
      ? [["0"]]
      : await queryTexts(
          connection,
          `SELECT count(*)::VARCHAR FROM (SELECT DISTINCT ${keyNames(plan).join(", ")} FROM ${table} WHERE kind = 'ambiguous')`,
        );
  const equal = covered.left - changed - removed - left;
  if (equal !== covered.right - changed - added - right || equal < 0) {
    throw new Error(`the counts of a diff do not add up: ${row.slice(0, 5).join(", ")}`);
  }
  const distances = new Map(
    measured(plan).map((i, at) => [i, row[5 + plan.compared.length * 3 + at]]),
  );
  return {
    rows: {
      ...covered,
      equal,
      changed,
      added,
      removed,
      ambiguous: { keys: Number(keys), left, right },
    },
    columns: plan.compared.map(({ type }, i) => {
      const [changed = 0, nullToValue = 0, valueToNull = 0] = row
        .slice(5 + i * 3, 8 + i * 3)
        .map(Number);
      const distance = distances.get(i);
      return {
        changed,
        nullToValue,
        valueToNull,
        ...(typeof distance === "string" && type !== undefined
          ? { largestDifference: numberOf(distance, type) }
          : {}),
      };
    }),
  };
}

export type ColumnFigures = {
  changed: number;
  nullToValue: number;
  valueToNull: number;
  largestDifference?: number | string;
};

/** A number where JSON can carry it as one; decimals stay text. */
function numberOf(text: string, type: string): number | string {
  if (type.startsWith("DECIMAL")) return text;
  const number = Number(text);
  return type === "DOUBLE" || type === "FLOAT" || Number.isSafeInteger(number) ? number : text;
}
