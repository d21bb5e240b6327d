import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { TableInfo } from "#snapshots/table.ts";
import { quoteName, quoteText } from "#snapshots/types.ts";
import type { TableExpression } from "./guest/slice.ts";

type Split = Extract<TableExpression, { kind: "split" }>;

/**
 * The queries for a part of a split: its rows, and the lineage of each. They read the table as `t` and, where it has one, its lineage as `l`.
 * `depth`: how many splits by hash its rows have come through. Each draws anew, or a part split alike once more would be all in one part.
 */
export function splitQuery(
  { how, part }: Split,
  { columns, hasLineage }: Pick<TableInfo, "columns" | "hasLineage">,
  { identity, depth }: { identity: string[]; depth: number },
): Result<{ sql: string; lineage: string }> {
  const named = how.by === "key" ? how.columns : how.by === "time" ? [how.column] : [];
  const missing = named.find((name) => !columns.some((column) => column.name === name));
  if (missing !== undefined)
    return fail({
      code: "no-such-column",
      message: `The table that is split has no column \`${missing}\`.`,
      hint: `It has: ${columns.map(({ name }) => name).join(", ")}.`,
    });
  const lineage = hasLineage
    ? "l"
    : "(SELECT row_number() OVER () - 1 AS position, 0::INTEGER AS part FROM t) l";
  const isTest = testCondition(how, columns, { identity, depth });
  const from = `FROM t POSITIONAL JOIN ${lineage} WHERE ${part === "test" ? isTest : `NOT (${isTest})`}`;
  return ok({ sql: `SELECT t.* ${from}`, lineage: `SELECT l.position, l.part ${from}` });
}

function testCondition(
  how: Split["how"],
  columns: TableInfo["columns"],
  { identity, depth }: { identity: string[]; depth: number },
): string {
  if (how.by === "time") {
    const type = columns.find(({ name }) => name === how.column)?.type ?? "VARCHAR";
    return `coalesce(t.${quoteName(how.column)} >= CAST(${quoteText(how.from)} AS ${type}), false)`;
  }
  const named = how.by === "key" ? how.columns : identity;
  const parts =
    named.length > 0
      ? named.map((name) => `t.${quoteName(name)}::VARCHAR`)
      : ["l.position::VARCHAR"];
  // Lengths keep apart what would read the same when put together.
  const texts = parts.map((text) => `coalesce(length(${text}) || ':' || ${text}, 'null')`);
  // Of the key, the seed and the depth alone, never of the row's place: the same record is in the same part of any table that holds it.
  const seed = depth === 0 ? `${how.seed}` : `${how.seed}.${depth}`;
  const hash = `md5_number_lower(${quoteText(seed)} || '|' || ${texts.join(" || '|' || ")})`;
  const bound = BigInt(Math.round(how.share * 2 ** 53)) << 11n;
  return `${hash} < ${bound}::UBIGINT`;
}
