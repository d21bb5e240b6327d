import type { DiffCause } from "../diff.ts";

const mostCauses = 12;
/** The least by which a condition covers more of the differences than of the equal rows. */
const leastContrast = 0.25;
const leastCoverage = 0.3;

/** Whether a condition tells differences from equal rows at all. */
export function isTelling({ covered, differences, equal }: DiffCause, equalRows: number): boolean {
  if (equalRows === 0 || covered < 2) return false;
  const coverage = covered / differences;
  return coverage >= leastCoverage && coverage - equal / equalRows >= leastContrast;
}

/**
 * The causes by rank: how much of its scope one covers (nearly all, most, some), then how few equal rows it covers too, then how simple it is. Of those on
 * one column the first stays, and of those that cover the same less precisely none.
 */
export function foldCauses(causes: DiffCause[]): DiffCause[] {
  const ranked = causes.toSorted(
    (a, b) =>
      coverageRank(b) - coverageRank(a) ||
      scopeRank(a) - scopeRank(b) ||
      kindRank(a) - kindRank(b) ||
      precision(b) - precision(a) ||
      simplicity(a) - simplicity(b) ||
      b.covered - a.covered,
  );
  const kept: DiffCause[] = [];
  for (const cause of ranked) {
    const isFolded = kept.some(
      (other) =>
        isSameScope(cause, other) &&
        (other.why.column === cause.why.column
          ? isPattern(other) === isPattern(cause)
          : precision(cause) * 2 < precision(other) && other.covered >= cause.covered * 0.9),
    );
    const isSaid = kept.some(
      (other) => other.text === cause.text && coverageRank(other) >= coverageRank(cause),
    );
    if (!isFolded && !isSaid) kept.push(cause);
  }
  return kept.slice(0, mostCauses);
}

function isPattern({ why }: DiffCause): boolean {
  return why.kind !== "values" && why.kind !== "range";
}

function isSameScope(a: DiffCause, b: DiffCause): boolean {
  return JSON.stringify(a.scope) === JSON.stringify(b.scope);
}

function coverageRank({ covered, differences }: DiffCause): number {
  const share = covered / differences;
  return share >= 0.995 ? 3 : share >= 0.9 ? 2 : share >= 0.6 ? 1 : 0;
}

function scopeRank({ scope }: DiffCause): number {
  return scope.kind === "all" ? 0 : scope.kind !== "changed" || scope.column === undefined ? 1 : 2;
}

/** Where the differences are says more than how values moved, as long as few other rows are there. */
function kindRank(cause: DiffCause): number {
  return isPattern(cause) ? 1 : precision(cause) >= 0.05 ? 0 : 2;
}

function precision({ covered, equal }: DiffCause): number {
  return covered / (covered + equal);
}

function simplicity({ why }: DiffCause): number {
  if (why.kind === "range") return 2;
  return why.kind === "values" ? (why.values.length === 1 ? 1 : 1 + why.values.length) : 1;
}
