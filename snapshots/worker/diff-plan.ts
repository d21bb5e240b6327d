import { commonTypeText } from "../common-type.ts";
import type { DiffColumn, DiffPairing } from "../diff.ts";
import { badRuleAmount, formatRule, type DiffRule, type RuleName } from "../diff-rules.ts";
import { fail, ok, type Problem, type Result } from "../problem.ts";
import { canonicalSql, isNumeric, ruleApplies } from "./diff-canonical.ts";
import { closeSql, movedSql } from "./diff-close.ts";
import type { Side } from "./diff-side.ts";

/** A column of both sides, as SQL over a row `l` and a row `r` that belong together. */
export type ComparedColumn = {
  name: string;
  /** Its places among the sides' own columns. */
  left: number;
  right: number;
  /** The type both are compared in; undefined where there is none, and every row counts as changed. */
  type: string | undefined;
  /** Whether the values differ, tolerance included. */
  differs: string;
  /** 0 where they do not, else 1; 2 where NULL became a value, 3 where a value became NULL. */
  state: string;
  /** How far a number that differs moved, as `movedSql` has it; undefined of other types. */
  moved: string | undefined;
};

/**
 * How two sides are compared, as SQL. Each side becomes positional columns: `n` the row's number, `k0…` the key, `c0…` what is compared,
 * each in the form in which equal values are equal.
 */
export type DiffPlan = {
  left: PlannedSide;
  right: PlannedSide;
  keys: string[];
  byPosition: boolean;
  keyCount: number;
  /** The types of `k0…`. */
  keyTypes: string[];
  compared: ComparedColumn[];
  columns: PlannedColumn[];
  /** The columns of a planned side whose equality makes two rows of one key equal: `c0…`, or the fingerprints `g0…` of groups of them. */
  alike: string[];
  /** The places of the columns each fingerprint is of; empty where columns are compared one by one at once. */
  groups: number[][];
  /** Some column's types have nothing in common: no two rows are equal. */
  hasIncomparable: boolean;
  hasSameSchema: boolean;
};

/** `comparedSql`: `n` and `c0…` alone; `keyedSql`: the side's own columns, as `Side` gives them, and its key. */
export type PlannedSide = { side: Side; sql: string; comparedSql: string; keyedSql: string };
export type PlannedColumn = Omit<
  DiffColumn,
  "changed" | "nullToValue" | "valueToNull" | "largestDifference"
>;

/** From so many columns on, rows are told apart by the hashes of groups of columns; only those of groups that differ are looked at one by one. */
const wideFrom = 64;
const mostGroups = 16;

export type Pairing = Omit<DiffPairing, "left" | "right">;

export function planDiff(pairing: Pairing, left: Side, right: Side): Result<DiffPlan> {
  const keyNames = Array.isArray(pairing.key) ? pairing.key : [];
  const ignored = new Set(pairing.ignore ?? []);
  const problem = badNames(pairing, keyNames, left, right);
  if (problem !== undefined) return fail(problem);

  const columns: PlannedColumn[] = [];
  const compared: ComparedColumn[] = [];
  const keys = new Map<string, { left: string; right: string; type: string }>();
  const sides = { left: [] as string[], right: [] as string[] };
  for (const [index, { name, type }] of left.columns.entries()) {
    const at = right.columns.findIndex((column) => column.name === name);
    const other = right.columns[at];
    const base = { name, leftType: type, rightType: other?.type ?? null, rule: null };
    if (ignored.has(name)) columns.push({ ...base, status: "ignored" });
    else if (other === undefined) columns.push({ ...base, status: "removed" });
    else {
      const common = commonTypeText(type, other.type);
      const isKey = keyNames.includes(name);
      if (isKey && common === undefined) return fail(keyTypesDiffer(name, type, other.type));
      const rule = ruleOf(pairing, name, common, isKey);
      if (!rule.ok) return rule;
      const text = rule.value === undefined ? null : formatRule(rule.value);
      const status = isKey ? "key" : type === other.type ? "compared" : "typeChanged";
      columns.push({ ...base, status, rule: text });
      const values = canonicalPair(index, type, at, other.type, common, rule.value);
      if (isKey) {
        keys.set(name, { ...values, type: common ?? type });
        continue;
      }
      compared.push(comparedColumn(compared.length, name, index, at, common, rule.value));
      sides.left.push(values.left);
      sides.right.push(values.right);
    }
  }
  for (const { name, type } of right.columns) {
    if (left.columns.some((column) => column.name === name)) continue;
    const status = ignored.has(name) ? "ignored" : "added";
    columns.push({ name, status, leftType: null, rightType: type, rule: null });
  }
  const byPosition = pairing.key === "position";
  const keyed = keyNames.flatMap((name) => keys.get(name) ?? []);
  const positions = left.hasLineage || right.hasLineage ? ["d.p0", "d.p1"] : ["d.n"];
  const groups = compared.length < wideFrom ? [] : groupsOf(compared.length);
  const planned = (side: Side, own: "left" | "right"): PlannedSide => {
    const keySql = (byPosition ? positions : keyed.map((key) => key[own])).map(
      (sql, i) => `${sql} AS k${i}`,
    );
    return {
      side,
      sql: plannedSql(side.sql, keySql, sides[own], groups),
      comparedSql: plannedSql(side.valuesSql, [], sides[own], []),
      keyedSql: `SELECT ${["d.*", ...keySql].join(", ")} FROM (${side.sql}) d`,
    };
  };
  const alike = compared.flatMap(({ type }, i) => (type === undefined ? [] : [`c${i}`]));
  return ok({
    left: planned(left, "left"),
    right: planned(right, "right"),
    keys: keyNames,
    byPosition,
    keyCount: byPosition ? positions.length : keyed.length,
    keyTypes: byPosition ? positions.map(() => "BIGINT") : keyed.map((key) => key.type),
    compared,
    columns,
    alike: groups.length > 0 ? groups.map((_, i) => `g${i}`) : alike,
    groups,
    hasIncomparable: alike.length < compared.length,
    hasSameSchema: columns.every(
      ({ status, leftType, rightType }) =>
        status === "ignored" || (status !== "typeChanged" && leftType === rightType),
    ),
  });
}

function groupsOf(count: number): number[][] {
  const size = Math.ceil(count / mostGroups);
  return Array.from({ length: Math.ceil(count / size) }, (_, group) =>
    Array.from({ length: Math.min(size, count - group * size) }, (_, i) => group * size + i),
  );
}

function comparedColumn(
  place: number,
  name: string,
  left: number,
  right: number,
  type: string | undefined,
  rule: DiffRule | undefined,
): ComparedColumn {
  const [l, r] = [`l.c${place}`, `r.c${place}`];
  // Of a column that cannot be compared, its place holds whether it is NULL.
  if (type === undefined) {
    const state = `CASE WHEN ${l} AND NOT ${r} THEN 2 WHEN ${r} AND NOT ${l} THEN 3 ELSE 1 END`;
    return { name, left, right, type, differs: "true", state, moved: undefined };
  }
  const strict = `${l} IS DISTINCT FROM ${r}`;
  const close = closeSql(l, r, type, rule);
  const differs = close === undefined ? strict : `(${strict} AND NOT coalesce(${close}, false))`;
  return {
    name,
    left,
    right,
    type,
    differs,
    state: `CASE WHEN NOT (${differs}) THEN 0 WHEN ${l} IS NULL THEN 2 WHEN ${r} IS NULL THEN 3 ELSE 1 END`,
    moved: isNumeric(type) ? movedSql(l, r, type) : undefined,
  };
}

function canonicalPair(
  left: number,
  leftType: string,
  right: number,
  rightType: string,
  common: string | undefined,
  rule: DiffRule | undefined,
): { left: string; right: string } {
  if (common === undefined) return { left: `d.v${left} IS NULL`, right: `d.v${right} IS NULL` };
  return {
    left: canonicalSql(`d.v${left}`, leftType, common, rule),
    right: canonicalSql(`d.v${right}`, rightType, common, rule),
  };
}

function plannedSql(rows: string, keys: string[], compared: string[], groups: number[][]): string {
  const select = ["d.n", ...keys, ...compared.map((sql, i) => `${sql} AS c${i}`)];
  const sql = `SELECT ${select.join(", ")} FROM (${rows}) d`;
  if (groups.length === 0) return sql;
  const hashes = groups.map(
    (places, i) => `hash(${places.map((place) => `c${place}`).join(", ")}) AS g${i}`,
  );
  return `SELECT *, ${hashes.join(", ")} FROM (${sql})`;
}

const ruleNames: readonly RuleName[] = [
  "absolute",
  "relative",
  "duration",
  "trim",
  "case",
  "nfc",
  "set",
];
/** These let values differ, and so cannot say which rows belong together. */
const tolerant: readonly RuleName[] = ["absolute", "relative", "duration"];

/** The rule a column is compared by: its own, all of which must apply; else what of `*` does. */
function ruleOf(
  { rules = {} }: Pairing,
  name: string,
  type: string | undefined,
  isKey: boolean,
): Result<DiffRule | undefined> {
  const own = Object.hasOwn(rules, name) && name !== "*" ? rules[name] : undefined;
  const rule = own ?? (Object.hasOwn(rules, "*") ? rules["*"] : undefined);
  if (rule === undefined) return ok(undefined);
  const chosen: DiffRule = {};
  for (const part of ruleNames) {
    if (rule[part] === undefined) continue;
    const applies =
      type !== undefined && ruleApplies(part, type) && !(isKey && tolerant.includes(part));
    if (applies) Object.assign(chosen, { [part]: rule[part] });
    else if (own !== undefined) return fail(cannotApply(name, type, { [part]: rule[part] }, isKey));
  }
  return ok(Object.keys(chosen).length === 0 ? undefined : chosen);
}

function cannotApply(
  name: string,
  type: string | undefined,
  rule: DiffRule,
  isKey: boolean,
): Problem {
  const part = formatRule(rule);
  if (isKey && tolerant.some((each) => rule[each] !== undefined)) {
    return {
      code: "bad-tolerance",
      message: `\`${name}\` is a key column: \`${part}\` cannot say which rows belong together.`,
      hint: "trim, case, nfc and set can; or round the key in both tables.",
    };
  }
  return {
    code: "bad-tolerance",
    message:
      type === undefined
        ? `\`${name}\` has types on the two sides that cannot be compared, so \`${part}\` cannot be applied.`
        : `\`${name}\` is ${type}; \`${part}\` cannot be applied to it.`,
    hint: "abs and rel are for numbers, duration for dates and times, trim, case and nfc for texts and lists of them, set for lists and maps.",
  };
}

function badNames(
  { rules = {}, ignore = [] }: Pairing,
  keys: string[],
  left: Side,
  right: Side,
): Problem | undefined {
  for (const name of keys) {
    for (const [side, other] of [
      [left, right],
      [right, left],
    ] as const) {
      if (has(side, name)) continue;
      return noColumn(
        side,
        `${side.name} has no key column \`${name}\`${has(other, name) ? "; the other one has" : ""}.`,
      );
    }
    if (ignore.includes(name)) {
      return {
        code: "key-ignored",
        message: `\`${name}\` is a key column and cannot be ignored.`,
        hint: "Leave it out of one of the two.",
      };
    }
  }
  if (new Set(keys).size < keys.length) {
    return { code: "key-twice", message: "A key column is named twice.", hint: "Name each once." };
  }
  for (const [name, rule] of Object.entries(rules)) {
    const bad = badRuleAmount(rule);
    if (bad !== undefined) return bad;
    if (name !== "*" && !has(left, name) && !has(right, name)) return noColumn(left, nowhere(name));
  }
  const unknown = ignore.find((name) => !has(left, name) && !has(right, name));
  return unknown === undefined ? undefined : noColumn(left, nowhere(unknown));
}

function nowhere(name: string): string {
  return `Neither side has a column \`${name}\`.`;
}

function has(side: Side, name: string): boolean {
  return side.columns.some((column) => column.name === name);
}

function noColumn(side: Side, message: string): Problem {
  return {
    code: "no-such-column",
    message,
    hint: `It has: ${side.columns.map((column) => column.name).join(", ")}.`,
  };
}

function keyTypesDiffer(name: string, left: string, right: string): Problem {
  return {
    code: "key-types-differ",
    message: `The key column \`${name}\` is ${left} on the left side and ${right} on the right, which cannot be matched.`,
    hint: "Cast it to one type on both sides, or choose another key.",
  };
}
