import type { DiffRule, RuleName } from "../diff-rules.ts";
import { formatType, parseType, quoteText, type SqlType } from "../types.ts";

/** Everything Unicode calls white space. */
const spaces = String.fromCodePoint(
  ...Array.from({ length: 5 }, (_, i) => 9 + i),
  ...Array.from({ length: 11 }, (_, i) => 0x2000 + i),
  0x20,
  0x85,
  0xa0,
  0x1680,
  0x2028,
  0x2029,
  0x202f,
  0x205f,
  0x3000,
);

/** SQL that takes a text's white space away at both ends, or everywhere. */
export function trimSql(sql: string): string {
  return `trim(${sql}, ${quoteText(spaces)})`;
}
export function withoutSpacesSql(sql: string): string {
  return `translate(${sql}, ${quoteText(spaces)}, '')`;
}

/** As `lower`, and one form for the letters of which it leaves two (σ and ς, s and ſ). */
export function caseSql(sql: string): string {
  return `lower(upper(${sql}))`;
}

/**
 * A value of type `type` as a value of type `common`, in the one form in which equal values are equal to DuckDB. `sql` is the value. Its own comparison
 * takes an INTERVAL of 30 days for one of a month: their texts tell them apart.
 */
export function canonicalSql(
  sql: string,
  type: string,
  common: string,
  rule: DiffRule | undefined,
): string {
  const cast = castSql(sql, type, common);
  const exact = /\bINTERVAL\b/.test(common) ? `CAST(${cast} AS VARCHAR)` : cast;
  if (rule === undefined) return exact;
  const parsed = parseType(common);
  return parsed.ok ? ruled(exact, parsed.value, rule) : exact;
}

function castSql(sql: string, type: string, common: string): string {
  if (type === common) return sql;
  // −0.0 equals 0.0, which is written otherwise.
  const value =
    common === "VARCHAR" && (type === "DOUBLE" || type === "FLOAT") ? `(${sql} + 0::${type})` : sql;
  return `CAST(${value} AS ${common})`;
}

function ruled(sql: string, type: SqlType, rule: DiffRule): string {
  if (isText(type)) return ruledText(type.kind === "enum" ? `CAST(${sql} AS VARCHAR)` : sql, rule);
  if (type.kind === "map") return rule.set ? setSql(`map_entries(${sql})`) : sql;
  if (type.kind !== "list") return sql;
  const list = type.size === undefined ? sql : `CAST(${sql} AS ${formatType(type.item)}[])`;
  const { set: isSet, ...ofItems } = rule;
  const item = ruled("e", type.item, ofItems);
  const items = item === "e" ? list : `list_transform(${list}, lambda e: ${item})`;
  return isSet ? setSql(items) : items;
}

/** `list_distinct` leaves NULLs out: whether there are any is put back. */
function setSql(list: string): string {
  return `list_concat(list_sort(list_distinct(${list})), CASE WHEN list_count(${list}) < len(${list}) THEN [NULL] ELSE [] END)`;
}

function ruledText(sql: string, rule: DiffRule): string {
  let text = sql;
  if (rule.nfc) text = `nfc_normalize(${text})`;
  if (rule.trim) text = trimSql(text);
  if (rule.case) text = caseSql(text);
  // Another case of a composed letter may be a decomposed one.
  return rule.nfc && rule.case ? `nfc_normalize(${text})` : text;
}

const numeric = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\))$/;
const timed = /^(DATE|TIME|TIME_NS|TIME WITH TIME ZONE|TIMESTAMP.*|INTERVAL)$/;

/** Whether a rule can say anything of values of a type. */
export function ruleApplies(name: RuleName, type: string): boolean {
  if (name === "absolute" || name === "relative") return numeric.test(type);
  if (name === "duration") return timed.test(type);
  const parsed = parseType(type);
  if (!parsed.ok) return false;
  if (name === "set") return parsed.value.kind === "list" || parsed.value.kind === "map";
  return isText(itemOf(parsed.value));
}

function itemOf(type: SqlType): SqlType {
  return type.kind === "list" ? itemOf(type.item) : type;
}

function isText(type: SqlType): boolean {
  return type.kind === "enum" || (type.kind === "scalar" && type.name === "VARCHAR");
}

export function isNumeric(type: string): boolean {
  return numeric.test(type);
}
export function isFloat(type: string): boolean {
  return type === "DOUBLE" || type === "FLOAT";
}
