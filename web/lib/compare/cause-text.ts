import { count, duration, percent } from "../format.ts";
import type { CausesResult, CauseScope, DiffCause } from "#snapshots/diff.ts";

/** Below this share of the differences nothing counts as an explanation. */
const leastCoverage = 0.3;

/** "All 14,346 differences", "197 of 606 changes in `late`". */
export function coverageText({ covered, differences, scope }: DiffCause): string {
  const what = scopeWord(scope, differences);
  if (covered === differences)
    return differences === 1 ? `The only ${what}` : `All ${count(differences)} ${what}`;
  return `${count(covered)} of ${count(differences)} ${what}`;
}

/** What else meets a condition: the fewer equal rows, the better it explains. A pattern speaks of differences only. */
export function alsoText({ equal, why }: DiffCause): string {
  if (why.kind !== "values" && why.kind !== "range") return "how the values moved";
  if (equal === 0) return "no equal row";
  return `also ${count(equal)} equal ${equal === 1 ? "row" : "rows"}`;
}

/** Where the column a cause speaks of comes from. */
export function originText({ from, why }: DiffCause, snapshot: string): string {
  if (why.kind !== "values" && why.kind !== "range") return `before against after`;
  return from === "input" ? `in ${snapshot}` : "in both sides’ rows";
}

/** How far the search went, and within what. */
export function searchText({
  columns,
  of,
  complete,
  elapsedMs,
  budgetMs,
}: CausesResult["search"]): string {
  const columnsText = `${count(of)} ${of === 1 ? "column" : "columns"}`;
  if (complete)
    return `Looked at ${columnsText} in ${duration(elapsedMs)}; ${duration(budgetMs)} allowed.`;
  return `Looked at ${count(columns)} of ${columnsText}: the ${duration(budgetMs)} allowed were over.`;
}

/** What an empty list says. A search that was cut short says nothing of what it did not look at. */
export function nothingText({ complete }: CausesResult["search"]): string {
  if (!complete) return "Nothing was found before the time was over.";
  return `Nothing explains more than ${percent(leastCoverage, 0)} of the differences: no value or range of a column, and no way the values moved.`;
}

function scopeWord(scope: CauseScope, many: number): string {
  const plural = many === 1 ? "" : "s";
  if (scope.kind === "all") return `difference${plural}`;
  if (scope.kind === "added") return many === 1 ? "addition" : "additions";
  if (scope.kind === "removed") return many === 1 ? "removal" : "removals";
  return `change${plural}${scope.column === undefined ? "" : ` in \`${scope.column}\``}`;
}
