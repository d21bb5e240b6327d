import type { Connection } from "@duckdb/node-bindings";
import type { CausePattern, DiffCause } from "../diff.ts";
import { unwrap } from "../problem.ts";
import { queryTexts } from "./database.ts";
import { isFloat, isNumeric } from "./diff-canonical.ts";
import { factorSql, patternFrom, patternSql, shiftSql, type PatternSql } from "./diff-cause-sql.ts";
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
    const changed = `(SELECT * FROM ${table} WHERE d${place} > 0)`;
    const patterns = await patternsOf(connection, plan, place, changed);
    const counted = [
      ...(await countEach(connection, plan, changed, patterns, "differences")),
      ...(await countEach(connection, plan, changed, patterns, "rows")),
    ];
    const best = patterns
      .map((pattern) => counted.find((each) => each.pattern === pattern) ?? { pattern, covered: 0 })
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

/** How many differences each pattern covers, of those that are told in one way. */
async function countEach(
  connection: Connection,
  plan: DiffPlan,
  changed: string,
  patterns: CausePattern[],
  from: PatternSql["from"],
): Promise<{ pattern: CausePattern; covered: number }[]> {
  const told = patterns.flatMap((pattern) => {
    const sql = unwrap(patternSql(pattern, plan));
    return sql.from === from ? [{ pattern, where: sql.where }] : [];
  });
  if (told.length === 0) return [];
  const counts = told.map(({ where }) => `count(*) FILTER (WHERE ${where})::VARCHAR`);
  const [row = []] = await queryTexts(
    connection,
    `SELECT ${counts.join(", ")} FROM ${patternFrom(plan, changed, from)}`,
  );
  return told.map(({ pattern }, i) => ({ pattern, covered: Number(row[i] ?? 0) }));
}

/** Patterns worth counting; of equally many rows, the first one explains. */
async function patternsOf(
  connection: Connection,
  plan: DiffPlan,
  place: number,
  changed: string,
): Promise<CausePattern[]> {
  const { name: column = "", type = "" } = plan.compared[place] ?? {};
  const nulls: CausePattern[] = [
    { kind: "becameNull", column },
    { kind: "stoppedBeingNull", column },
  ];
  if (type === "VARCHAR")
    return [...nulls, { kind: "whitespace", column }, { kind: "case", column }];
  const isTimed = /^(DATE|TIMESTAMP.*)$/.test(type);
  if (!isNumeric(type) && !isTimed) return nulls;
  const commonest = async ({ sql, from }: { sql: string; from: PatternSql["from"] }) => {
    const [[text = null] = []] = await queryTexts(
      connection,
      `SELECT s::VARCHAR FROM (SELECT ${sql} AS s FROM ${patternFrom(plan, changed, from)}) WHERE s IS NOT NULL GROUP BY s ORDER BY count(*) DESC, s::VARCHAR LIMIT 1`,
    );
    return text;
  };
  const shift = await commonest(shiftSql(plan, place, type));
  const ofRows = factorSql(`l.c${place}`, `r.c${place}`);
  const factor = isTimed ? null : await commonest({ sql: ofRows, from: "rows" });
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
