import type { DiffPlan } from "./diff-plan.ts";

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

/** Whether a row's number is one of some: the span lets DuckDB pass over what lies outside, which a list alone does not. */
export function amongSql(number: string, numbers: readonly (number | string)[]): string {
  if (numbers.length === 0) return "false";
  const values = numbers.map(BigInt);
  const [least, most] = values.reduce(
    ([low, high], value) => [value < low ? value : low, value > high ? value : high],
    [values[0] ?? 0n, values[0] ?? 0n],
  );
  return `${number} BETWEEN ${least} AND ${most} AND ${number} IN (${values.join(", ")})`;
}

export function sameValues(names: string[], a: string, b: string): string {
  const same = names.map((name) => `${a}.${name} IS NOT DISTINCT FROM ${b}.${name}`);
  return same.length > 0 ? same.join(" AND ") : "true";
}

/**
 * A table of differences without a row: `kind`, the rows' numbers `ln` and `rn`, the key `k0…`, each compared column's state `d0…` and, of numbers, how far
 * they moved `x…`.
 */
export function shapeSql(plan: DiffPlan): string {
  const columns = [
    "''::VARCHAR AS kind",
    "n AS ln",
    "n AS rn",
    ...keyNames(plan),
    ...plan.compared.map((_, i) => `0::UTINYINT AS d${i}`),
    ...measured(plan).map((i) => `NULL::${movedType(plan.compared[i]?.type ?? "")} AS x${i}`),
  ];
  return `SELECT ${columns.join(", ")} FROM (${plan.left.sql}) LIMIT 0`;
}

/** The type in which is kept how far a number of a type moved. */
export function movedType(type: string): string {
  if (type === "FLOAT" || type === "DOUBLE") return "DOUBLE";
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(type)?.[1];
  if (scale !== undefined) return `DECIMAL(38,${scale})`;
  return type === "UHUGEINT" ? type : "HUGEINT";
}

/** Places of the compared columns of which is kept how far they moved. */
export function measured(plan: DiffPlan): number[] {
  return plan.compared.flatMap(({ moved }, i) => (moved === undefined ? [] : [i]));
}

/** The differences among rows met on a key found at most once a side; `l.n` is NULL for an added row, `r.n` for a removed one. */
export function metSql(plan: DiffPlan, left: string, right: string): string {
  const differ = plan.compared.map((column) => column.differs);
  return `SELECT ${allColumns(plan).join(", ")} FROM ${meeting(keyNames(plan), left, right)} WHERE ${["l.n IS NULL", "r.n IS NULL", ...differ].join(" OR ")}`;
}

/** The same by the fingerprints of groups of columns; `m0…` say which groups differ. */
export function metGroupsSql(plan: DiffPlan, left: string, right: string): string {
  const isAll = plan.hasIncomparable ? ["true"] : [];
  const differ = plan.alike.map((name) => `l.${name} IS DISTINCT FROM r.${name}`);
  const groups = differ.map((sql, i) => `${sql} AS m${i}`);
  return `SELECT ${[...numberColumns(plan), ...groups].join(", ")} FROM ${meeting(keyNames(plan), left, right)} WHERE ${["l.n IS NULL", "r.n IS NULL", ...isAll, ...differ].join(" OR ")}`;
}

/** The rows of either side that no row of the other is like, key included, where no two rows of a side are alike. */
export function unmetSql(plan: DiffPlan, left: string, right: string): string {
  const columns = [
    "(CASE WHEN r.n IS NULL THEN 0 ELSE 1 END)::UTINYINT AS side",
    "coalesce(l.n, r.n) AS n",
    ...keyColumns(plan),
    ...eitherColumns(leftoverValues(plan)),
  ];
  return `SELECT ${columns.join(", ")} FROM ${meeting(rowNames(plan), left, right)} WHERE l.n IS NULL OR r.n IS NULL`;
}

/** The columns in which rows that are alike agree. */
export function rowNames(plan: DiffPlan): string[] {
  return [...keyNames(plan), ...plan.alike];
}

function meeting(names: string[], left: string, right: string): string {
  return `(${left}) l FULL JOIN (${right}) r ON ${sameValues(names, "l", "r")}`;
}

function keyColumns(plan: DiffPlan): string[] {
  return eitherColumns(keyNames(plan));
}

/** Of a row that one side has, its columns. */
function eitherColumns(names: string[]): string[] {
  return names.map((name) => `CASE WHEN l.n IS NULL THEN r.${name} ELSE l.${name} END AS ${name}`);
}

/** What leftovers carry on to be compared by; where rows were told apart by fingerprints, their sides are read again instead. */
function leftoverValues(plan: DiffPlan): string[] {
  return plan.groups.length > 0 ? [] : plan.compared.map((_, i) => `c${i}`);
}

/** The rows of a side among leftovers that carry their values; undefined where they do not. */
export function leftoverSideSql(
  plan: DiffPlan,
  leftovers: string,
  side: "left" | "right",
): string | undefined {
  if (plan.groups.length > 0) return undefined;
  return `SELECT * FROM ${leftovers} WHERE side = ${side === "left" ? 0 : 1}`;
}

function numberColumns(plan: DiffPlan): string[] {
  return ["l.n AS ln", "r.n AS rn", ...keyColumns(plan)];
}

function allColumns(plan: DiffPlan, places?: Set<number>): string[] {
  const isPair = "l.n IS NOT NULL AND r.n IS NOT NULL";
  const isLookedAt = (place: number) => places === undefined || places.has(place);
  return [
    "CASE WHEN r.n IS NULL THEN 'removed' WHEN l.n IS NULL THEN 'added' ELSE 'changed' END AS kind",
    ...numberColumns(plan),
    ...plan.compared.map(({ state }, i) =>
      isLookedAt(i)
        ? `(CASE WHEN ${isPair} THEN ${state} ELSE 0 END)::UTINYINT AS d${i}`
        : `0::UTINYINT AS d${i}`,
    ),
    ...plan.compared.flatMap(({ moved, differs }, i) => {
      if (moved === undefined) return [];
      return isLookedAt(i)
        ? [`CASE WHEN ${isPair} AND (${differs}) THEN ${moved} END AS x${i}`]
        : [`NULL AS x${i}`];
    }),
  ];
}

/**
 * The differences among pairs of rows whose numbers `pairs` holds as `ln` and `rn`. Of the compared columns only those at `places` are looked at; the
 * others are known to be equal.
 */
export function pairedSql(
  plan: DiffPlan,
  pairs: string,
  {
    places = plan.compared.map((_, i) => i),
    left = plan.left.sql,
    right = plan.right.sql,
  }: { places?: number[]; left?: string | undefined; right?: string | undefined } = {},
): string {
  const from = `${pairs} p JOIN (${left}) l ON l.n = p.ln JOIN (${right}) r ON r.n = p.rn`;
  const differ = plan.compared.filter((_, i) => places.includes(i)).map((column) => column.differs);
  return `SELECT ${allColumns(plan, new Set(places)).join(", ")} FROM ${from} WHERE ${differ.length > 0 ? differ.join(" OR ") : "false"}`;
}

/** The rows of `met` that one side only has. */
export function aloneSql(plan: DiffPlan, met: string): string {
  const columns = [
    "CASE WHEN rn IS NULL THEN 'removed' ELSE 'added' END AS kind",
    "ln",
    "rn",
    ...keyNames(plan),
    ...unchanged(plan),
  ];
  return `SELECT ${columns.join(", ")} FROM ${met} WHERE ln IS NULL OR rn IS NULL`;
}

function unchanged(plan: DiffPlan): string[] {
  return [
    ...plan.compared.map((_, i) => `0::UTINYINT AS d${i}`),
    ...measured(plan).map((i) => `NULL AS x${i}`),
  ];
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
  return [...rowNames(plan), ...(plan.hasIncomparable ? ["side"] : [])];
}

/** The rows that no row of the other side pairs off with; of several alike, the later ones. */
export function leftoversSql(
  plan: DiffPlan,
  uneven: string,
  side: "left" | "right",
  rows: string,
): string {
  const place = side === "left" ? 0 : 1;
  const [here, there] = side === "left" ? ["a", "b"] : ["b", "a"];
  const meets = [
    sameValues(rowNames(plan), "s", "u"),
    ...(plan.hasIncomparable ? [`u.side = ${place}`] : []),
    `u.${here} > u.${there}`,
  ];
  const own = [...keyNames(plan), ...leftoverValues(plan)].map((name) => `s.${name}`);
  return `SELECT ${[`${place}::UTINYINT AS side`, "s.n AS n", ...own].join(", ")} FROM (${rows}) s JOIN ${uneven} u ON ${meets.join(" AND ")} QUALIFY row_number() OVER (PARTITION BY u.id ORDER BY s.n) > u.${there}`;
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
    ...unchanged(plan),
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
