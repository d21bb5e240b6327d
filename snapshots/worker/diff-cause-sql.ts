import type { CauseCondition, CausePattern, CauseScope } from "../diff.ts";
import { fail, ok, type Result } from "../problem.ts";
import type { TableInfo } from "../table.ts";
import { quoteName, quoteText } from "../types.ts";
import { caseSql, isFloat, isNumeric, withoutSpacesSql } from "./diff-canonical.ts";
import type { DiffPlan } from "./diff-plan.ts";
import { movedType } from "./diff-sql.ts";

/** A column that may explain differences: one of the snapshot both sides were made from, or one both sides have alike. */
export type Explaining = {
  name: string;
  type: string;
  from: "input" | "sides";
  /** SQL over `i`, the input's row; or over `l` and `r`, the rows of either side. */
  inLeft: string;
  inRight: string;
};

export function inputColumns(input: TableInfo | undefined, plan: DiffPlan): Explaining[] {
  if (input === undefined || !plan.byPosition) return [];
  return input.columns.map(({ name, type }) => {
    const sql = `i.${quoteName(name)}`;
    return { name, type, from: "input", inLeft: sql, inRight: sql };
  });
}

/** Columns of both sides, of one type; `isFixed` says which of the compared ones never changed. */
export function sideColumns(plan: DiffPlan, isFixed: (name: string) => boolean): Explaining[] {
  return plan.columns.flatMap(({ name, status, leftType, rightType }): Explaining[] => {
    const isKept = status === "key" || (status === "compared" && isFixed(name));
    if (!isKept || leftType === null || leftType !== rightType) return [];
    const place = (side: "left" | "right") =>
      plan[side].side.columns.findIndex((column) => column.name === name);
    const [left, right] = [`l.v${place("left")}`, `r.v${place("right")}`];
    return [{ name, type: leftType, from: "sides", inLeft: left, inRight: right }];
  });
}

/** SQL for whether a value meets a condition. */
export function conditionSql(condition: CauseCondition, sql: string, type: string): string {
  const literal = (text: string) => `CAST(${quoteText(text)} AS ${type})`;
  if (condition.kind === "range")
    return `${sql} BETWEEN ${literal(condition.from)} AND ${literal(condition.to)}`;
  const texts = condition.values.filter((value) => value !== null);
  const parts = [
    ...(texts.length > 0 ? [`${sql} IN (${texts.map(literal).join(", ")})`] : []),
    ...(texts.length < condition.values.length ? [`${sql} IS NULL`] : []),
  ];
  return `coalesce(${parts.join(" OR ")}, false)`;
}

/** SQL for whether a difference is in a scope, over a table of differences. */
export function scopeSql(scope: CauseScope, plan: DiffPlan): string {
  if (scope.kind === "all") return "true";
  if (scope.kind !== "changed" || scope.column === undefined) return `kind = '${scope.kind}'`;
  const place = plan.compared.findIndex(({ name }) => name === scope.column);
  return place === -1 ? "false" : `d${place} > 0`;
}

/**
 * A condition on differences `d`. Where they do not hold enough to tell, `from` joins their rows to them as `l` and `r`, and leaves out those that one
 * side only has.
 */
export type PatternSql = { where: string; from: "differences" | "rows" };

/** Whether the values of a changed column moved so. */
export function patternSql(pattern: CausePattern, plan: DiffPlan): Result<PatternSql> {
  const place = plan.compared.findIndex(({ name }) => name === pattern.column);
  const type = plan.compared[place]?.type;
  if (type === undefined) {
    return fail({
      code: "no-such-column",
      message: `\`${pattern.column}\` is not one of the columns that were compared.`,
      hint: "Ask for the causes again.",
    });
  }
  const [l, r] = [`l.c${place}`, `r.c${place}`];
  const ofRows = (where: string) => ok({ where, from: "rows" as const });
  const ofDifferences = (where: string) => ok({ where, from: "differences" as const });
  switch (pattern.kind) {
    case "becameNull":
      return ofDifferences(`d.d${place} = 3`);
    case "stoppedBeingNull":
      return ofDifferences(`d.d${place} = 2`);
    case "whitespace":
      return ofRows(`${withoutSpacesSql(l)} = ${withoutSpacesSql(r)}`);
    case "case":
      return ofRows(`${caseSql(l)} = ${caseSql(r)}`);
    case "rounding":
      return ofRows(roundingSql(l, r, pattern.digits));
    case "shift": {
      const { sql, as, from } = shiftSql(plan, place, type);
      const by = quoteText(pattern.by);
      const where = as === "VARCHAR" ? `${sql}::VARCHAR = ${by}` : `${sql} = CAST(${by} AS ${as})`;
      return ok({ where, from });
    }
    case "factor":
      return ofRows(`${factorSql(l, r)} = CAST(${quoteText(pattern.by)} AS DOUBLE)`);
  }
}

/** `FROM` what `patternSql` speaks of, in a table of differences. */
export function patternFrom(plan: DiffPlan, table: string, from: PatternSql["from"]): string {
  return from === "differences"
    ? `${table} d`
    : `${table} d JOIN (${plan.left.comparedSql}) l ON l.n = d.ln JOIN (${plan.right.comparedSql}) r ON r.n = d.rn`;
}

/** How far a value moved, and the type `as` in which two such are compared. Floating-point noise below 1e-9 is left out. */
export function shiftSql(
  plan: DiffPlan,
  place: number,
  type: string,
): { sql: string; as: string; from: PatternSql["from"] } {
  const [l, r] = [`l.c${place}`, `r.c${place}`];
  if (!isNumeric(type)) return { sql: `TRY(${r} - ${l})`, as: "VARCHAR", from: "rows" };
  // What is kept of UHUGEINT has no sign.
  if (type === "UHUGEINT")
    return { sql: `TRY(${r}::HUGEINT - ${l}::HUGEINT)`, as: "HUGEINT", from: "rows" };
  const moved = `d.x${place}`;
  const sql = isFloat(type) ? `round(${moved}, 9)` : moved;
  return { sql, as: movedType(type), from: "differences" };
}

export function factorSql(left: string, right: string): string {
  return `round(${right}::DOUBLE / nullif(${left}::DOUBLE, 0), 9)`;
}

/** Whether one of the two is the other, rounded. */
export function roundingSql(left: string, right: string, digits: number): string {
  const places = Math.max(0, Math.min(12, Math.trunc(digits)));
  return `(round(${left}, ${places}) = ${right} OR round(${right}, ${places}) = ${left})`;
}
