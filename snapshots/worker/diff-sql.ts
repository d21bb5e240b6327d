import type { DiffPlan } from "./diff-plan.ts";

/** Names of the tables the general path makes; see `general`. */
export type GeneralTables = { repeated: string; keys: string };

/** Where both sides meet. `l.n` is NULL for an added row, `r.n` for a removed one. */
export function joinedOnKey(plan: DiffPlan, left: string, right: string): string {
  return `(${left}) l FULL JOIN (${right}) r ON ${sameKey(plan, "l", "r")}`;
}

export function sameKey(plan: DiffPlan, a: string, b: string): string {
  return each(plan.keyCount, (i) => `${a}.k${i} IS NOT DISTINCT FROM ${b}.k${i}`).join(" AND ");
}

export function keyList(plan: DiffPlan, side?: string): string {
  return each(plan.keyCount, (i) => `${side === undefined ? "" : `${side}.`}k${i}`).join(", ");
}

/** Whether two rows that belong together differ anywhere. */
export function anyDiffers(plan: DiffPlan): string {
  return plan.compared.length === 0
    ? "false"
    : plan.compared.map((column) => column.differs).join(" OR ");
}

/** Counts over a join: pairs, left rows, right rows, changed pairs, then three figures a compared column. */
export function countsSql(plan: DiffPlan, joined: string): string {
  const isPair = "l.n IS NOT NULL AND r.n IS NOT NULL";
  const flags = plan.compared.map((column, i) => `(${isPair}) AND (${column.differs}) AS d${i}`);
  const moves = plan.compared.flatMap((column, i) => [
    ...(column.nullToValue === null ? [] : [`(${isPair}) AND ${column.nullToValue} AS u${i}`]),
    ...(column.valueToNull === null ? [] : [`(${isPair}) AND ${column.valueToNull} AS v${i}`]),
  ]);
  const any =
    plan.compared.length === 0 ? "false" : plan.compared.map((_, i) => `d${i}`).join(" OR ");
  const figures = [
    "count(*) FILTER (WHERE ln IS NOT NULL AND rn IS NOT NULL)",
    "count(ln)",
    "count(rn)",
    `count(*) FILTER (WHERE ${any})`,
    ...plan.compared.flatMap((column, i) => [
      `count(*) FILTER (WHERE d${i})`,
      column.nullToValue === null ? "0" : `count(*) FILTER (WHERE u${i})`,
      column.valueToNull === null ? "0" : `count(*) FILTER (WHERE v${i})`,
    ]),
  ];
  const inner = ["l.n AS ln", "r.n AS rn", ...flags, ...moves];
  return `SELECT ${figures.map((sql) => `(${sql})::VARCHAR`).join(", ")} FROM (SELECT ${inner.join(", ")} FROM ${joined})`;
}

/** A side without, or only with, the keys that are repeated somewhere. */
export function sideWhere(plan: DiffPlan, sql: string, repeated: string, isIn: boolean): string {
  return `SELECT * FROM (${sql}) s WHERE ${isIn ? "" : "NOT "}EXISTS (SELECT 1 FROM ${repeated} q WHERE ${sameKey(plan, "q", "s")})`;
}

/** The keys that occur more than once on a side. */
export function repeatedKeysSql(plan: DiffPlan): string {
  const side = (sql: string) =>
    `SELECT ${keyList(plan)} FROM (${sql}) GROUP BY ${keyList(plan)} HAVING count(*) > 1`;
  return `${side(plan.left.sql)} UNION ${side(plan.right.sql)}`;
}

/**
 * Rows that compare alike, key included, with the numbers of the rows on either side: as many as both have pair off, the
 * rest (`lo`, `ro`) are left over. Rows with a column whose types cannot be compared are alike only with rows of their own side.
 */
export function alikeSql(plan: DiffPlan, left: string, right: string): string {
  const columns = [
    ...each(plan.keyCount, (i) => `k${i}`),
    ...plan.compared.flatMap((column, i) => (column.isComparable ? [`c${i}`] : [])),
    ...(plan.compared.every((column) => column.isComparable) ? [] : ["side"]),
  ];
  const group = columns.length > 0 ? `GROUP BY ${columns.join(", ")}` : "";
  const select = [
    ...each(plan.keyCount, (i) => `k${i}`),
    "ln",
    "rn",
    "least(len(ln), len(rn)) AS e",
  ];
  const kept = (side: number) => `coalesce(list(n ORDER BY n) FILTER (WHERE side = ${side}), [])`;
  const rows = `SELECT *, 0 AS side FROM (${left}) UNION ALL SELECT *, 1 AS side FROM (${right})`;
  const alike = `SELECT ${[...each(plan.keyCount, (i) => `k${i}`), `${kept(0)} AS ln`, `${kept(1)} AS rn`].join(", ")} FROM (${rows}) ${group}`;
  return `SELECT *, ln[e + 1:] AS lo, rn[e + 1:] AS ro FROM (SELECT ${select.join(", ")} FROM (${alike}))`;
}

/** Per key: how many rows paired off, and the numbers of those left over on either side. */
export function leftoversSql(plan: DiffPlan, left: string, right: string): string {
  const keys = each(plan.keyCount, (i) => `k${i}`);
  const select = [
    ...keys,
    "sum(e)::BIGINT AS e",
    "flatten(list(lo)) AS lo",
    "flatten(list(ro)) AS ro",
  ];
  return `SELECT ${select.join(", ")} FROM (${alikeSql(plan, left, right)}) ${keys.length > 0 ? `GROUP BY ${keys.join(", ")}` : ""}`;
}

/** The single leftovers of a key, one on each side, as a join like `joinedOnKey`. */
export function singlesJoined(plan: DiffPlan, keys: string): string {
  return `(SELECT lo[1] AS ln, ro[1] AS rn FROM ${keys} WHERE len(lo) = 1 AND len(ro) = 1) p JOIN (${plan.left.sql}) l ON l.n = p.ln JOIN (${plan.right.sql}) r ON r.n = p.rn`;
}

export function each<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
