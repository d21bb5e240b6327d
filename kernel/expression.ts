import type { TableExpression } from "./guest/slice.ts";
import type { TableHash } from "#snapshots/table.ts";

/** A query with the tables it reads under names of their own. */
export type BoundQuery = {
  sql: string;
  inputs: Record<string, TableHash>;
  shown: Record<string, string>;
  /** Where each piece of the template begins in `sql`, in UTF-16 units. */
  starts: number[];
};

/** A place in a template as written: which piece of text between the `${…}`, and how far into it. */
export type TemplatePlace = { piece: number; offset: number };

/** The place in the template of a place in the bound query; what a `${…}` stands for counts as the end of the text before it. */
export function placeInTemplate(
  { starts }: BoundQuery,
  strings: string[],
  offset: number,
): TemplatePlace {
  const piece = Math.max(
    0,
    starts.findLastIndex((start) => start <= offset),
  );
  const within = offset - (starts[piece] ?? 0);
  return { piece, offset: Math.min(within, strings[piece]?.length ?? 0) };
}

/**
 * Puts tables and literals into a query's text. Every table gets one alias that no name in the text can hide;
 * `shown` says what to call it in a message.
 */
export function bindQuery(
  expression: Extract<TableExpression, { kind: "sql" }>,
  tables: (TableHash | undefined)[],
): BoundQuery {
  const inputs: Record<string, TableHash> = {};
  const shown: Record<string, string> = {};
  const aliases = new Map<string, string>();
  let sql = expression.strings[0] ?? "";
  const starts = [0];
  expression.values.forEach((value, index) => {
    const table = tables[index];
    if (value.kind === "literal") sql += literal(value.value);
    else if (table !== undefined) {
      const name = nameOf(value);
      const known = aliases.get(table);
      const alias = known ?? `penstock_${aliases.size}_${name.replaceAll(/\W/g, "_")}`;
      aliases.set(table, alias);
      inputs[alias] = table;
      shown[alias] = name;
      sql += `"${alias}"`;
    }
    starts.push(sql.length);
    sql += expression.strings[index + 1] ?? "";
  });
  return { sql, inputs, shown, starts };
}

const clocks =
  /\b(?:now|today|get_current_timestamp|transaction_timestamp|current_local(?:time|timestamp))\s*\(|\b(?:current_date|current_time|current_timestamp|localtime|localtimestamp)\b|\bage\s*\([^,()]*\)/i;

/** Whether an expression's rows differ from run to run: some query in it reads a clock. */
export function readsClock(expression: TableExpression | { kind: "literal" }): boolean {
  if (expression.kind === "split") return readsClock(expression.input);
  if (expression.kind !== "sql") return false;
  const text = expression.strings.join(" ? ");
  const code = text.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[^]*?\*\//g, " ");
  return clocks.test(code) || expression.values.some(readsClock);
}

function nameOf(expression: TableExpression): string {
  if (expression.kind === "sql") return "query";
  if (expression.kind === "split") return `${nameOf(expression.input)}_${expression.part}`;
  return expression.kind === "snapshot"
    ? (expression.name.split("@")[0] ?? expression.name)
    : expression.name;
}

function literal(value: string | number | boolean | null): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === "number" && !Number.isFinite(value)) return `'${value}'::DOUBLE`;
  return String(value);
}
