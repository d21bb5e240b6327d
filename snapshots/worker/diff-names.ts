import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import type { RowIdentity } from "../diff.ts";
import { fail, ok, type Result } from "../problem.ts";
import { quoteName, quoteText } from "../types.ts";
import { queryTexts } from "./database.ts";
import { keep, type Comparison } from "./diff-comparison.ts";
import { numbersOf, orderedDifferences } from "./diff-order.ts";
import type { DiffPlan, PlannedSide } from "./diff-plan.ts";
import { amongSql, each } from "./diff-sql.ts";

/**
 * A difference's name is two hashes of 128 bits: of what row it is about, and of that, its kind and the values that differ. In columns `rh`, `rl`, `dh`
 * and `dl`, each 64 bits. MD5, which DuckDB computes the same in every version; nobody gains by two differences of one name.
 */
export const hashNames = ["rh", "rl", "dh", "dl"];
export const nameColumns = hashNames.join(", ");
/** As one text of 64 hexadecimal digits. */
export const nameText = `format('{:016x}{:016x}{:016x}{:016x}', ${nameColumns})`;

/** A table of the names of all differences, `o` being their places in order. */
export async function namedDifferences(
  comparison: Comparison,
  identity: RowIdentity,
): Promise<Result<string>> {
  const problem = badIdentity(comparison.plan, identity);
  if (problem !== undefined) return fail(problem);
  const table = await keep(comparison, `names ${JSON.stringify(identity)}`, async () => {
    const ordered = await orderedDifferences(comparison);
    const { plan, open } = comparison;
    const name = quoteName(`names of ${JSON.stringify(identity)}`);
    const from = `(SELECT rowid AS o, * FROM ${ordered.table})`;
    await duckdb.query(
      open.connection,
      `CREATE OR REPLACE TEMP TABLE ${name} AS ${namesSql(plan, identity, from)} ORDER BY o`,
    );
    return name;
  });
  return ok(table);
}

/** The names of some differences, in their order. `from` gives them, with their places as `o`. */
export async function namesOf(
  comparison: Comparison,
  identity: RowIdentity,
  from: string,
): Promise<Result<string[]>> {
  const { plan, open } = comparison;
  const problem = badIdentity(plan, identity);
  if (problem !== undefined) return fail(problem);
  const [repeat] = await queryTexts(
    open.connection,
    `SELECT '' FROM ${from} WHERE ${mayRepeat(plan)} LIMIT 1`,
  );
  if (repeat === undefined) {
    const only = {
      left: await numbersOf(open.connection, "ln", from),
      right: await numbersOf(open.connection, "rn", from),
    };
    return ok(await readNames(open.connection, namesSql(plan, identity, from, only)));
  }
  // What is there more than once is numbered among all of them.
  const names = await namedDifferences(comparison, identity);
  if (!names.ok) return names;
  const sql = `SELECT n.* FROM ${names.value} n SEMI JOIN ${from} f ON f.o = n.o`;
  return ok(await readNames(open.connection, sql));
}

async function readNames(connection: Connection, sql: string): Promise<string[]> {
  const found = await queryTexts(connection, `SELECT ${nameText} FROM (${sql}) ORDER BY o`);
  return found.map(([name]) => name ?? "");
}

/** Whether a difference may be there twice: a row without a key, or one of several of its key. */
function mayRepeat(plan: DiffPlan): string {
  return plan.keyCount > 0 ? "kind = 'ambiguous'" : "true";
}

/** `only`: the numbers of the rows that take part, where they are few. */
function namesSql(
  plan: DiffPlan,
  identity: RowIdentity,
  from: string,
  only?: { left: number[]; right: number[] },
): string {
  const rows = (side: "left" | "right") =>
    `SELECT * FROM (${plan[side].side.valuesSql})${only ? ` WHERE ${amongSql("n", only[side])}` : ""}`;
  const told = `SELECT o.o, o.kind, ${rowSql(plan, identity)} AS row, ${differenceSql(plan)} AS difference
    FROM ${from} o LEFT JOIN (${rows("left")}) l ON l.n = o.ln LEFT JOIN (${rows("right")}) r ON r.n = o.rn`;
  const numbered =
    "concat_ws('#', row, difference, row_number() OVER (PARTITION BY row, difference ORDER BY o))";
  const texts = `SELECT o, row, concat_ws('#', row, difference) AS difference FROM told WHERE NOT (${mayRepeat(plan)})
    UNION ALL SELECT o, ${plan.keyCount > 0 ? "row" : numbered}, ${numbered} FROM told WHERE ${mayRepeat(plan)}`;
  const hashes = ["row", "difference"].flatMap((name) => [
    `md5_number_upper(${name})`,
    `md5_number_lower(${name})`,
  ]);
  const named = hashNames.map((name, i) => `${hashes[i]} AS ${name}`);
  return `WITH told AS MATERIALIZED (${told}) SELECT o, ${named.join(", ")} FROM (${texts})`;
}

/** What tells the row from others, as JSON, in which no two lists of values look alike. */
function rowSql(plan: DiffPlan, identity: RowIdentity): string {
  if (!plan.byPosition) {
    if (plan.keyCount === 0) return "''";
    const values = each(plan.keyCount, (i) => `o.k${i}::VARCHAR`);
    return jsonSql([...plan.keys.map(quoteText), ...values, "'0'"]);
  }
  const part = plan.keyCount > 1 ? "o.k1::VARCHAR" : "'0'";
  if ("input" in identity) return jsonSql(["''", quoteText(identity.input), "o.k0::VARCHAR", part]);
  const values = identity.columns.map((name) => {
    const [left, right] = [placeOf(plan.left, name), placeOf(plan.right, name)];
    return `CASE WHEN o.rn IS NULL THEN l.v${left}::VARCHAR ELSE r.v${right}::VARCHAR END`;
  });
  return jsonSql([...identity.columns.map(quoteText), ...values, part]);
}

/** Its kind, and each value that differs, before and after; of a row that one side has, all its values. By the columns' names, in their order. */
function differenceSql(plan: DiffPlan): string {
  const compared = plan.compared
    .map(({ name, left, right }, i) => ({
      name,
      sql: `CASE WHEN o.d${i} > 0 THEN ${jsonSql([quoteText(name), `l.v${left}::VARCHAR`, `r.v${right}::VARCHAR`])} END`,
    }))
    .toSorted(byName);
  const changed = `list_filter([${compared.map(({ sql }) => sql).join(", ")}]::VARCHAR[], lambda x: x IS NOT NULL)`;
  return `o.kind || CASE WHEN o.kind = 'changed' THEN to_json(${changed})::VARCHAR WHEN o.rn IS NULL THEN ${wholeRow(plan.left, "l")} ELSE ${wholeRow(plan.right, "r")} END`;
}

function wholeRow({ side }: PlannedSide, alias: string): string {
  const values = side.columns
    .map(({ name }, i) => ({ name, sql: `${alias}.v${i}::VARCHAR` }))
    .toSorted(byName);
  return jsonSql(values.flatMap(({ name, sql }) => [quoteText(name), sql]));
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function jsonSql(texts: string[]): string {
  return `to_json([${texts.join(", ")}]::VARCHAR[])::VARCHAR`;
}

function placeOf({ side }: PlannedSide, name: string): number {
  return side.columns.findIndex((column) => column.name === name);
}

function badIdentity(plan: DiffPlan, identity: RowIdentity) {
  if (!plan.byPosition || "input" in identity) return undefined;
  const missing = identity.columns.find(
    (name) => placeOf(plan.left, name) === -1 || placeOf(plan.right, name) === -1,
  );
  if (missing === undefined) return undefined;
  return {
    code: "no-such-column",
    message: `A row cannot be known again by \`${missing}\`: not both sides have it.`,
    hint: "Name columns of both sides.",
  };
}
