import type { DifferenceFilter, RowIdentity } from "#snapshots/diff.ts";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { findComparison } from "../compare-details.ts";
import { readComparison, type Comparison } from "../compare.ts";
import type { Workbench } from "../workbench.ts";
import type { ReviewFilter } from "./answer.ts";
import { keepDifferences } from "./kept-differences.ts";
import { rowIdentity } from "./row-identity.ts";
import { nameOf } from "./transform-name.ts";

type Asked = { workbench: Workbench; id: string; signal?: AbortSignal | undefined };

/** What reviews and remarks leave of a comparison's differences. `since`: the earlier comparison, else the last one reviewed. */
export type ReviewChoice = {
  review?: ReviewFilter | undefined;
  since?: string | undefined;
  remark?: number | undefined;
};

/** Of which comparison the rows are, and by which sets they are chosen. */
export type ReviewedRows = {
  comparison: Comparison;
  identity: RowIdentity;
  sets: NonNullable<DifferenceFilter["sets"]>;
};

/** What a review leaves of a comparison's rows; of those that are gone, the earlier comparison's. */
export async function reviewedRows(request: Asked & ReviewChoice): Promise<Result<ReviewedRows>> {
  const { workbench, id, review: filter, remark: remarkId } = request;
  const found = findComparison(workbench, id);
  if (!found.ok) return found;
  const comparison = found.value;
  const remarks = workbench.state.reviews.remarks(nameOf(comparison));
  const sets: ReviewedRows["sets"] = [];
  if (remarkId !== undefined) {
    const about = remarks.find((each) => each.id === remarkId);
    if (!about) return fail(noRemark(remarkId));
    sets.push({ of: [about.of], test: "same" });
  }
  const of = (chosen: Comparison) =>
    ok({ comparison: chosen, identity: rowIdentity(workbench, chosen), sets });
  if (filter === undefined) return of(comparison);
  if (filter === "intended" || filter === "open") {
    const intended = remarks.filter(({ isIntended }) => isIntended).map((each) => each.of);
    sets.push({ of: intended, test: filter === "intended" ? "same" : "notSame" });
    return of(comparison);
  }
  const earlier = earlierComparison(workbench, comparison, request.since);
  if (!earlier.ok) return earlier;
  if (!earlier.value) return fail(notReviewed);
  const [shownOf, against] =
    filter === "gone" ? [earlier.value, comparison] : [comparison, earlier.value];
  const kept = await keepDifferences(request, against, {});
  if (!kept.ok) return kept;
  sets.push({
    of: [{ kind: "set", hash: kept.value.hash }],
    test: filter === "gone" ? "new" : filter,
  });
  return of(shownOf);
}

/** The one named; else the last of the transform that was reviewed, this one aside. */
export function earlierComparison(
  workbench: Workbench,
  comparison: Comparison,
  named: string | undefined,
): Result<Comparison | undefined> {
  if (named === undefined) {
    const reviews = workbench.state.reviews.reviews(nameOf(comparison));
    const last = reviews.find((each) => each.comparison !== comparison.id);
    return ok(last && readComparison(workbench, last.comparison));
  }
  const found = findComparison(workbench, named);
  if (!found.ok) return found;
  const [other, own] = [nameOf(found.value), nameOf(comparison)];
  if (other.notebook === own.notebook && other.transform === own.transform) return found;
  return fail({
    code: "other-transform",
    message: `The comparison ${named} is of ${other.transform} in ${other.notebook}, not of ${own.transform} in ${own.notebook}.`,
    hint: "Differences are compared between comparisons of one transform.",
  });
}

const notReviewed = {
  code: "not-reviewed",
  message: "No earlier comparison of this transform was reviewed, so nothing is new since then.",
  hint: "Mark a comparison as reviewed, or name one with `since`.",
};

export function noRemark(id: number): Problem {
  return {
    code: "remark-not-found",
    message: `There is no remark ${id} on this transform.`,
    hint: "It may have been removed; load the page again.",
  };
}
