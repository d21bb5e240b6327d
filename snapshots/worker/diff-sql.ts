import { isWide, type DiffPlan } from "./diff-plan.ts";

/** A part of the keys: those whose hash leaves `part` when divided by `of`. Each key is in one part, on both sides. */
export type Slice = { part: number; of: number };

export function each<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

export function keyNames(plan: DiffPlan): string[] {
  return each(plan.keyCount, (i) => `k${i}`);
}

/** A planned side, or the part of it that a slice takes. */
export function sideSql(plan: DiffPlan, side: "left" | "right", slice: Slice | undefined): string {
  const { sql } = plan[side];
  if (slice === undefined) return sql;
  const by = plan.keyCount > 0 ? keyNames(plan) : plan.compared.map((_, i) => `c${i}`);
  return `SELECT * FROM (${sql}) WHERE hash(${["0", ...by].join(", ")}) % ${slice.of} = ${slice.part}`;
}

export function sameValues(names: string[], a: string, b: string): string {
  const same = names.map((name) => `${a}.${name} IS NOT DISTINCT FROM ${b}.${name}`);
  return same.length > 0 ? same.join(" AND ") : "true";
}

/**
 * A table of differences without a row: `kind`, the rows' numbers `ln` and `rn`, the key `k0…`, each compared column's state `d0…` and, of numbers, how far
 * they are apart `x…`.
 */
export function shapeSql(plan: DiffPlan): string {
  return `SELECT ${allColumns(plan).join(", ")} FROM (${plan.left.sql}) l, (${plan.right.sql}) r LIMIT 0`;
}

/** Places of the compared columns whose distance is measured. */
export function measured(plan: DiffPlan): number[] {
  return plan.compared.flatMap(({ distance }, i) => (distance === undefined ? [] : [i]));
}

/** The differences among rows met on a key found at most once a side; `l.n` is NULL for an added row, `r.n` for a removed one. */
export function metSql(plan: DiffPlan, left: string, right: string): string {
  const differ = isWide(plan)
    ? ["l.h0 IS DISTINCT FROM r.h0", "l.h1 IS DISTINCT FROM r.h1"]
    : plan.compared.map((column) => column.differs);
  const from = `(${left}) l FULL JOIN (${right}) r ON ${sameValues(keyNames(plan), "l", "r")}`;
  const where = ["l.n IS NULL", "r.n IS NULL", ...(plan.hasIncomparable ? ["true"] : differ)];
  return `SELECT ${(isWide(plan) ? numberColumns(plan) : allColumns(plan)).join(", ")} FROM ${from} WHERE ${where.join(" OR ")}`;
}

function numberColumns(plan: DiffPlan): string[] {
  return [
    "l.n AS ln",
    "r.n AS rn",
    ...keyNames(plan).map(
      (key) => `CASE WHEN l.n IS NULL THEN r.${key} ELSE l.${key} END AS ${key}`,
    ),
  ];
}

function allColumns(plan: DiffPlan): string[] {
  const isPair = "l.n IS NOT NULL AND r.n IS NOT NULL";
  return [
    "CASE WHEN r.n IS NULL THEN 'removed' WHEN l.n IS NULL THEN 'added' ELSE 'changed' END AS kind",
    ...numberColumns(plan),
    ...plan.compared.map(
      ({ state }, i) => `(CASE WHEN ${isPair} THEN ${state} ELSE 0 END)::UTINYINT AS d${i}`,
    ),
    ...plan.compared.flatMap(({ distance, differs }, i) =>
      distance === undefined
        ? []
        : [`CASE WHEN ${isPair} AND (${differs}) THEN ${distance} END AS x${i}`],
    ),
  ];
}

/** The differences among rows whose numbers are known: `pairs` holds `ln`, `rn`, NULL where a side has none. */
export function numberedSql(plan: DiffPlan, pairs: string): string {
  const from = `${pairs} p LEFT JOIN (${plan.left.sql}) l ON l.n = p.ln LEFT JOIN (${plan.right.sql}) r ON r.n = p.rn`;
  const differ = plan.compared.map((column) => column.differs);
  const where = ["l.n IS NULL", "r.n IS NULL", ...differ];
  return `SELECT ${allColumns(plan).join(", ")} FROM ${from} WHERE ${where.join(" OR ")}`;
}

/**
 * Rows that are alike, key included, and not as many on both sides: `a` of them left, `b` right. As many as both have pair off as equal; the
 * rest is left over.
 */
export function unevenSql(plan: DiffPlan, left: string, right: string): string {
  const names = unevenNames(plan);
  const group = names.length > 0 ? `GROUP BY ${names.join(", ")}` : "";
  const rows = `SELECT *, 0::UTINYINT AS side FROM (${left}) UNION ALL SELECT *, 1::UTINYINT AS side FROM (${right})`;
  const counts = "count(*) FILTER (WHERE side = 0) AS a, count(*) FILTER (WHERE side = 1) AS b";
  return `SELECT row_number() OVER () AS id, * FROM (SELECT ${[...names, counts].join(", ")} FROM (${rows}) ${group} HAVING a <> b)`;
}

/** Where types have nothing in common, rows are alike with those of their own side only. */
function unevenNames(plan: DiffPlan): string[] {
  return [...keyNames(plan), ...plan.alike, ...(plan.hasIncomparable ? ["side"] : [])];
}

/** The rows that no row of the other side pairs off with; of several alike, the later ones. */
export function leftoversSql(
  plan: DiffPlan,
  uneven: string,
  side: "left" | "right",
  rows: string,
): string {
  const place = side === "left" ? 0 : 1;
  const [own, other] = side === "left" ? ["a", "b"] : ["b", "a"];
  const names = [...keyNames(plan), ...plan.alike];
  const meets = [
    sameValues(names, "s", "u"),
    ...(plan.hasIncomparable ? [`u.side = ${place}`] : []),
    `u.${own} > u.${other}`,
  ];
  const keys = keyNames(plan).map((key) => `s.${key}`);
  return `SELECT ${[`${place}::UTINYINT AS side`, "s.n AS n", ...keys].join(", ")} FROM (${rows}) s JOIN ${uneven} u ON ${meets.join(" AND ")} QUALIFY row_number() OVER (PARTITION BY u.id ORDER BY s.n) > u.${other}`;
}

/** Per key, how many rows are left over on either side, and one of each. */
export function leftKeysSql(plan: DiffPlan, leftovers: string): string {
  const of = (side: number) => `FILTER (WHERE side = ${side})`;
  const figures = [
    `count(*) ${of(0)} AS a`,
    `count(*) ${of(1)} AS b`,
    `min(n) ${of(0)} AS ln`,
    `min(n) ${of(1)} AS rn`,
  ];
  const keys = keyNames(plan);
  return `SELECT ${[...keys, ...figures].join(", ")} FROM ${leftovers} ${keys.length > 0 ? `GROUP BY ${keys.join(", ")}` : ""}`;
}

/** Leftovers that belong to no one row of the other side. */
export function lonelySql(plan: DiffPlan, leftovers: string, keys: string): string {
  const kind =
    plan.keyCount === 0
      ? "CASE WHEN s.side = 0 THEN 'removed' ELSE 'added' END"
      : "CASE WHEN q.b = 0 THEN 'removed' WHEN q.a = 0 THEN 'added' ELSE 'ambiguous' END";
  const columns = [
    `${kind} AS kind`,
    "CASE WHEN s.side = 0 THEN s.n END AS ln",
    "CASE WHEN s.side = 1 THEN s.n END AS rn",
    ...keyNames(plan).map((key) => `s.${key}`),
    ...plan.compared.map((_, i) => `0::UTINYINT AS d${i}`),
    ...measured(plan).map((i) => `NULL AS x${i}`),
  ];
  const from =
    plan.keyCount === 0
      ? `${leftovers} s`
      : `${leftovers} s JOIN ${keys} q ON ${sameValues(keyNames(plan), "s", "q")} AND NOT (q.a = 1 AND q.b = 1)`;
  return `SELECT ${columns.join(", ")} FROM ${from}`;
}

/** Order of a page: by key, NULLs last, then by the rows' numbers. */
export function orderSql(plan: DiffPlan): string {
  return [...keyNames(plan), "ln", "rn"].map((name) => `${name} NULLS LAST`).join(", ");
}
