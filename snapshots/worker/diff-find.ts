import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import { z } from "zod";
import type { DiffRowCounts } from "../diff.ts";
import { quoteName } from "../types.ts";
import { queryTexts } from "./database.ts";
import type { DiffPlan } from "./diff-plan.ts";
import {
  aloneSql,
  keyNames,
  leftKeysSql,
  leftoverSideSql,
  leftoversSql,
  lonelySql,
  measured,
  metGroupsSql,
  metSql,
  pairedSql,
  rowNames,
  shapeSql,
  sideSql,
  unevenSql,
  unmetSql,
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
 * rows that came out of the join tells; else alike rows are counted off first, and the leftovers of each key are looked at. How many rows were looked at.
 */
export async function findDifferences(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  slice?: Slice,
): Promise<{ left: number; right: number }> {
  const [left, right] = [sideSql(plan, "left", slice), sideSql(plan, "right", slice)];
  const rows = {
    left: await rowsIn(connection, plan, "left", left),
    right: await rowsIn(connection, plan, "right", right),
  };
  const sides: Slices = { left, right, rows, isAll: slice === undefined };
  const isLikely =
    plan.keyCount > 0 &&
    (plan.byPosition || (await areLikelyUnique(connection, plan, sides.left, keyNames(plan))));
  const hasMet =
    isLikely &&
    (plan.groups.length > 0
      ? await meetByGroups(connection, plan, table, sides)
      : await meet(connection, plan, table, sides));
  if (!hasMet) await countOff(connection, plan, table, sides);
  return rows;
}

type Slices = {
  left: string;
  right: string;
  rows: { left: number; right: number };
  /** Whether there are no other slices, whose differences are in the table too. */
  isAll: boolean;
};

const alone = "count(*) FILTER (WHERE rn IS NULL), count(*) FILTER (WHERE ln IS NULL)";

/** False, and nothing done, where a key is repeated. */
async function meet(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  sides: Slices,
): Promise<boolean> {
  const first = sides.isAll ? 0 : await nextRow(connection, table);
  const joined = await joinedRows(
    connection,
    `INSERT INTO ${table} ${metSql(plan, sides.left, sides.right)}`,
  );
  const counts = `${alone} FROM ${table} WHERE rowid >= ${first}`;
  if (await areOnce(connection, sides, joined, counts)) return true;
  await duckdb.query(connection, `DELETE FROM ${table} WHERE rowid >= ${first}`);
  return false;
}

/** The same for many columns: those of groups in which no row differs are not read a second time. */
async function meetByGroups(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  sides: Slices,
): Promise<boolean> {
  const met = quoteName("met");
  const joined = await joinedRows(
    connection,
    `CREATE OR REPLACE TEMP TABLE ${met} AS ${metGroupsSql(plan, sides.left, sides.right)}`,
  );
  const isUnique = await areOnce(connection, sides, joined, `${alone} FROM ${met}`);
  if (isUnique) {
    const [differ = []] = await queryTexts(
      connection,
      `SELECT ${plan.groups.map((_, i) => `coalesce(bool_or(m${i}), false)::VARCHAR`).join(", ")} FROM ${met} WHERE ln IS NOT NULL AND rn IS NOT NULL`,
    );
    const places = plan.groups.flatMap((group, i) =>
      group.filter((place) => differ[i] === "true" || plan.compared[place]?.type === undefined),
    );
    await duckdb.query(connection, `INSERT INTO ${table} ${pairedSql(plan, met, { places })}`);
    await duckdb.query(connection, `INSERT INTO ${table} ${aloneSql(plan, met)}`);
  }
  await duckdb.query(connection, `DROP TABLE ${met}`);
  return isUnique;
}

/**
 * Whether no two rows of a side met one and the same row: what is met a times left and b times right makes a·b rows in the join, and only where all
 * are 1 do the three counts come out the same. `counts` gives how many rows of either side met none.
 */
async function areOnce(
  connection: Connection,
  { rows: { left, right } }: Slices,
  joined: number | undefined,
  counts: string,
): Promise<boolean> {
  if (left === 0 || right === 0) return true;
  if (joined === undefined) return false;
  const [row = []] = await queryTexts(
    connection,
    `SELECT COLUMNS(*)::VARCHAR FROM (SELECT ${counts})`,
  );
  const [onlyLeft = 0, onlyRight = 0] = row.map(Number);
  const pairs = joined - onlyLeft - onlyRight;
  return pairs === left - onlyLeft && pairs === right - onlyRight;
}

async function nextRow(connection: Connection, table: string): Promise<number> {
  const [[next = "0"] = []] = await queryTexts(
    connection,
    `SELECT coalesce(max(rowid) + 1, 0)::VARCHAR FROM ${table}`,
  );
  return Number(next);
}

async function rowsIn(
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

/** About so many rows of a side are looked at for repeats. */
const sampled = 100_000;

/**
 * Whether a join on some columns is worth trying, and safe: values that many rows of both sides share would multiply into a join without end. Among rows
 * chosen by the hash of their number, values of a thousand rows are found again; and where any are, the join would be for nothing. One side is enough: if
 * its values are unique, the join has no more rows than the other.
 */
async function areLikelyUnique(
  connection: Connection,
  plan: DiffPlan,
  left: string,
  names: string[],
): Promise<boolean> {
  const columns = names.join(", ");
  const share = Math.ceil(plan.left.side.rows / sampled);
  const chosen = share > 1 ? `WHERE hash(n) % ${share} = 0` : "";
  const [repeated] = await queryTexts(
    connection,
    `SELECT '' FROM (${left}) ${chosen} GROUP BY ${columns} HAVING count(*) > 1 LIMIT 1`,
  );
  return repeated === undefined;
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
  sides: Slices,
): Promise<void> {
  const [leftovers, keys, pairs] = [
    quoteName("leftovers"),
    quoteName("left keys"),
    quoteName("pairs"),
  ];
  await findLeftovers(connection, plan, leftovers, sides);
  await create(connection, keys, leftKeysSql(plan, leftovers));
  await duckdb.query(connection, `INSERT INTO ${table} ${lonelySql(plan, leftovers, keys)}`);
  if (plan.keyCount > 0) {
    await create(connection, pairs, `SELECT ln, rn FROM ${keys} WHERE a = 1 AND b = 1`);
    const [left, right] = [
      leftoverSideSql(plan, leftovers, "left"),
      leftoverSideSql(plan, leftovers, "right"),
    ];
    await duckdb.query(
      connection,
      `INSERT INTO ${table} ${pairedSql(plan, pairs, { left, right })}`,
    );
    await duckdb.query(connection, `DROP TABLE ${pairs}`);
  }
  await duckdb.query(connection, `DROP TABLE ${leftovers}; DROP TABLE ${keys}`);
}

async function create(connection: Connection, name: string, sql: string): Promise<void> {
  await duckdb.query(connection, `CREATE OR REPLACE TEMP TABLE ${name} AS ${sql}`);
}

/** The rows that no row of the other side pairs off with. Where no two rows of a side are alike a join finds them; else alike rows are counted. */
async function findLeftovers(
  connection: Connection,
  plan: DiffPlan,
  leftovers: string,
  sides: Slices,
): Promise<void> {
  const names = rowNames(plan);
  const mayMeet = names.length > 0 && !plan.hasIncomparable;
  if (mayMeet && (await areLikelyUnique(connection, plan, sides.left, names))) {
    const joined = await joinedRows(
      connection,
      `CREATE OR REPLACE TEMP TABLE ${leftovers} AS ${unmetSql(plan, sides.left, sides.right)}`,
    );
    const counts = `count(*) FILTER (WHERE side = 0), count(*) FILTER (WHERE side = 1) FROM ${leftovers}`;
    if (await areOnce(connection, sides, joined, counts)) return;
  }
  const uneven = quoteName("uneven");
  await create(connection, uneven, unevenSql(plan, sides.left, sides.right));
  await create(
    connection,
    leftovers,
    `${leftoversSql(plan, uneven, "left", sides.left)} UNION ALL ${leftoversSql(plan, uneven, "right", sides.right)}`,
  );
  await duckdb.query(connection, `DROP TABLE ${uneven}`);
}

/** What the differences found come to. `covered`: how many rows of the sides were looked at. */
export async function countDifferences(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  covered: { left: number; right: number },
): Promise<{ rows: DiffRowCounts; columns: ColumnFigures[] }> {
  const places = await changedPlaces(connection, plan, table);
  const distances = measured(plan).filter((i) => places.includes(i));
  const figures = [
    "count(*) FILTER (WHERE kind = 'changed')",
    "count(*) FILTER (WHERE kind = 'added')",
    "count(*) FILTER (WHERE kind = 'removed')",
    "count(ln) FILTER (WHERE kind = 'ambiguous')",
    "count(rn) FILTER (WHERE kind = 'ambiguous')",
    ...places.flatMap((i) => [
      `count(*) FILTER (WHERE d${i} > 0)`,
      `count(*) FILTER (WHERE d${i} = 2)`,
      `count(*) FILTER (WHERE d${i} = 3)`,
    ]),
    ...distances.map((i) => `max(TRY(abs(x${i})))`),
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
  return {
    rows: {
      ...covered,
      equal,
      changed,
      added,
      removed,
      ambiguous: { keys: Number(keys), left, right },
    },
    columns: plan.compared.map(({ type = "" }, i): ColumnFigures => {
      const at = places.indexOf(i);
      if (at === -1) return { changed: 0, nullToValue: 0, valueToNull: 0 };
      const [changed = 0, nullToValue = 0, valueToNull = 0] = row
        .slice(5 + at * 3, 8 + at * 3)
        .map(Number);
      const place = distances.indexOf(i);
      const distance = place === -1 ? null : row[5 + places.length * 3 + place];
      return {
        changed,
        nullToValue,
        valueToNull,
        ...(typeof distance === "string" ? { largestDifference: numberOf(distance, type) } : {}),
      };
    }),
  };
}

/** The places of the columns that changed anywhere. */
export async function changedPlaces(
  connection: Connection,
  plan: DiffPlan,
  table: string,
): Promise<number[]> {
  if (plan.compared.length === 0) return [];
  const [row = []] = await queryTexts(
    connection,
    `SELECT ${plan.compared.map((_, i) => `max(d${i})::VARCHAR`).join(", ")} FROM ${table}`,
  );
  return plan.compared.flatMap((_, i) => (Number(row[i] ?? 0) > 0 ? [i] : []));
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
