import type { Connection } from "@duckdb/node-bindings";
import type { CausePattern, DiffCause } from "../diff.ts";
import { unwrap } from "../problem.ts";
import { queryTexts } from "./database.ts";
import { isFloat, isNumeric } from "./diff-canonical.ts";
import { factorSql, patternSql, shiftSql } from "./diff-cause-sql.ts";
import type { DiffPlan } from "./diff-plan.ts";

const leastShare = 0.3;
const mostColumns = 40;

/** How the values of the changed columns moved, where most of a column's moved alike. */
export async function findPatterns(
  connection: Connection,
  plan: DiffPlan,
  table: string,
): Promise<DiffCause[]> {
  const causes: DiffCause[] = [];
  for (const [place, { name, type }] of plan.compared.entries()) {
    if (type === undefined || causes.length >= mostColumns) continue;
    const [[changes = "0"] = []] = await queryTexts(
      connection,
      `SELECT count(*)::VARCHAR FROM ${table} WHERE d${place} > 0`,
    );
    const differences = Number(changes);
    if (differences < 2) continue;
    const from = changedRows(plan, table, place);
    const patterns = await patternsOf(connection, name, type, place, from);
    const [row = []] = await queryTexts(
      connection,
      `SELECT ${patterns.map((pattern) => `count(*) FILTER (WHERE ${unwrap(patternSql(pattern, plan))})::VARCHAR`).join(", ")} FROM ${from}`,
    );
    const covered = row.map(Number);
    const best = patterns
      .map((pattern, i) => ({ pattern, covered: covered[i] ?? 0 }))
      .filter((each) => each.covered >= 2 && each.covered >= differences * leastShare)
      .toSorted((a, b) => b.covered - a.covered)[0];
    if (best === undefined) continue;
    causes.push({
      text: patternText(best.pattern),
      scope: { kind: "changed", column: name },
      why: best.pattern,
      from: "sides",
      differences,
      covered: best.covered,
      equal: 0,
    });
  }
  return causes;
}

/** The pairs of rows in which a column changed, as `l` and `r`; `d.o` is the difference's place in the table. */
export function changedRows(plan: DiffPlan, table: string, place: number): string {
  return `(SELECT *, rowid AS o FROM ${table} WHERE d${place} > 0) d JOIN (${plan.left.sql}) l ON l.n = d.ln JOIN (${plan.right.sql}) r ON r.n = d.rn`;
}

/** Patterns worth counting; of equally many rows, the first one explains. */
async function patternsOf(
  connection: Connection,
  column: string,
  type: string,
  place: number,
  from: string,
): Promise<CausePattern[]> {
  const nulls: CausePattern[] = [
    { kind: "becameNull", column },
    { kind: "stoppedBeingNull", column },
  ];
  const [l, r] = [`l.c${place}`, `r.c${place}`];
  if (type === "VARCHAR")
    return [...nulls, { kind: "whitespace", column }, { kind: "case", column }];
  const isTimed = /^(DATE|TIMESTAMP.*)$/.test(type);
  if (!isNumeric(type) && !isTimed) return nulls;
  const commonest = async (sql: string) => {
    const [[text = null] = []] = await queryTexts(
      connection,
      `SELECT s FROM (SELECT ${sql} AS s FROM ${from}) WHERE s IS NOT NULL GROUP BY s ORDER BY count(*) DESC, s LIMIT 1`,
    );
    return text;
  };
  const shift = await commonest(shiftSql(l, r, type));
  const factor = isTimed ? null : await commonest(factorSql(l, r));
  const rounds = isFloat(type) || type.startsWith("DECIMAL");
  return [
    ...nulls,
    ...(shift === null ? [] : [{ kind: "shift" as const, column, by: shift }]),
    ...(factor === null ? [] : [{ kind: "factor" as const, column, by: factor }]),
    ...(rounds
      ? [0, 1, 2, 3, 4, 6, 9].map((digits) => ({ kind: "rounding" as const, column, digits }))
      : []),
  ];
}

function patternText(pattern: CausePattern): string {
  const { column } = pattern;
  switch (pattern.kind) {
    case "becameNull":
      return `${column} became NULL`;
    case "stoppedBeingNull":
      return `${column} was NULL`;
    case "whitespace":
      return `${column}: only white space`;
    case "case":
      return `${column}: only upper and lower case`;
    case "rounding":
      return `${column}: rounded to ${pattern.digits} places`;
    case "shift":
      return `${column}: ${/^[-+]/.test(pattern.by) ? "" : "+"}${pattern.by}`;
    case "factor":
      return `${column}: × ${pattern.by}`;
  }
}
