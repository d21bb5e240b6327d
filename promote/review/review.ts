import type { DifferenceFilter, RowIdentity } from "#snapshots/diff.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { explained, findComparison } from "../compare-details.ts";
import { readComparison, type Comparison } from "../compare.ts";
import type { Workbench } from "../workbench.ts";
import type { Review, ReviewFilter, ReviewState } from "./answer.ts";
import { summaryOf } from "./history.ts";
import { keepDifferences } from "./kept-differences.ts";
import { noRemark, shown } from "./remarks.ts";
import { rowIdentity } from "./row-identity.ts";
import { nameOf } from "./transform-name.ts";

type Asked = { workbench: Workbench; id: string; signal?: AbortSignal | undefined };

/** Says that somebody has looked at a comparison and is done with it. */
export function review({ workbench, id }: Asked, note: string): Result<Review> {
  const { state, person, now } = workbench;
  const found = findComparison(workbench, id);
  if (!found.ok) return found;
  return ok(
    state.reviews.addReview(nameOf(found.value), {
      comparison: id,
      at: now().toISOString(),
      by: person,
      note,
    }),
  );
}

/** How far the review of a comparison has come. `since`: an earlier comparison, else the last one of the transform that was reviewed. */
export async function reviewState(
  request: Asked & { since?: string | undefined },
): Promise<Result<ReviewState>> {
  const { workbench, id, signal } = request;
  const found = findComparison(workbench, id);
  if (!found.ok) return found;
  const comparison = found.value;
  const { state, queries } = workbench;
  const said = {
    reviews: state.reviews.reviews(nameOf(comparison)),
    remarks: state.reviews.remarks(nameOf(comparison)),
  };
  const earlier = earlierComparison(workbench, comparison, request.since);
  if (!earlier.ok) return earlier;
  const reviews = said.reviews.filter(({ comparison: of }) => of === id);
  // Nothing was said yet, and there is nothing to hold it against: the differences need no names.
  if (!earlier.value && said.remarks.length === 0)
    return ok({
      reviews,
      differences: differencesOf(comparison),
      intended: 0,
      remarks: [],
      since: null,
    });
  const then = earlier.value && (await keepDifferences(request, earlier.value, {}));
  if (then && !then.ok) return then;
  const intended = said.remarks.filter(({ isIntended }) => isIntended).map(({ of }) => of);
  const counted = await queries.diffSince({
    ...explained(comparison),
    identity: rowIdentity(workbench, comparison),
    groups: [intended, ...said.remarks.map(({ of }) => [of])],
    ...(then ? { since: { kind: "set", hash: then.value.hash } } : {}),
    ...(signal ? { signal } : {}),
  });
  if (!counted.ok) return counted;
  const { total, same, since } = counted.value;
  const [reviewOfEarlier] = said.reviews.filter(({ comparison: of }) => of === earlier.value?.id);
  return ok({
    reviews,
    differences: total,
    intended: same[0] ?? 0,
    remarks: said.remarks.map((each, i) => shown(each, same[i + 1] ?? 0)),
    since:
      since && earlier.value
        ? {
            ...(reviewOfEarlier ? { review: reviewOfEarlier } : {}),
            comparison: summaryOf(earlier.value, said),
            ...since,
          }
        : null,
  });
}

/** As many as the list of rows has; ambiguous ones stand there by themselves. */
function differencesOf({ summary: { rows } }: Comparison): number {
  return rows.changed + rows.added + rows.removed + rows.ambiguous.left + rows.ambiguous.right;
}

/** Of which comparison the rows are, and by which sets they are chosen. */
export type ReviewedRows = {
  comparison: Comparison;
  identity: RowIdentity;
  sets: NonNullable<DifferenceFilter["sets"]>;
};

/** What a review leaves of a comparison's rows; of those that are gone, the earlier comparison's. */
export async function reviewedRows(
  request: Asked & {
    review?: ReviewFilter | undefined;
    since?: string | undefined;
    remark?: number | undefined;
  },
): Promise<Result<ReviewedRows>> {
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
function earlierComparison(
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
