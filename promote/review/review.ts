import { ok, type Result } from "#snapshots/problem.ts";
import { explained, type Asked } from "../compare-details.ts";
import type { Comparison } from "../compare.ts";
import type { Review, ReviewState } from "./answer.ts";
import { summaryOf } from "./history.ts";
import { keepDifferences } from "./kept-differences.ts";
import { shown } from "./remarks.ts";
import { earlierComparison, remarkSets } from "./reviewed-rows.ts";
import { nameOf } from "./transform-name.ts";

/** Says that somebody has looked at a comparison and is done with it. */
export function review({ workbench, comparison }: Asked, note: string): Review {
  const { state, person, now } = workbench;
  const said = { comparison: comparison.id, at: now().toISOString(), by: person, note };
  return state.said.addReview(nameOf(comparison), said);
}

/** How far the review of a comparison has come. `since`: an earlier comparison, else the last one of the transform that was reviewed. */
export async function reviewState(
  request: Asked & { since?: string | undefined },
): Promise<Result<ReviewState>> {
  const { workbench, comparison, signal } = request;
  const { state, queries } = workbench;
  const said = {
    reviews: state.said.reviews(nameOf(comparison)),
    remarks: state.said.remarks(nameOf(comparison)),
  };
  const earlier = await earlierComparison(workbench, comparison, request.since);
  if (!earlier.ok) return earlier;
  const reviews = said.reviews.filter(({ comparison: of }) => of === comparison.id);
  // Nothing was said yet, and there is nothing to hold it against: the differences need no names.
  if (!earlier.value && said.remarks.length === 0)
    return ok({
      reviews,
      differences: differencesOf(comparison),
      intended: 0,
      remarks: [],
      since: null,
    });
  const then =
    earlier.value &&
    (await keepDifferences(request, earlier.value.comparison, {}, earlier.value.identity));
  if (then && !then.ok) return then;
  const sets = await remarkSets(request, said.remarks);
  if (!sets.ok) return sets;
  const intended = sets.value.filter((_, i) => said.remarks[i]?.isIntended);
  const counted = await queries.diffSince({
    ...explained(comparison),
    groups: [intended.flat(), ...sets.value],
    ...(then && earlier.value
      ? { since: { kind: "set", hash: then.value.hash, by: earlier.value.identity } }
      : {}),
    ...(signal ? { signal } : {}),
  });
  if (!counted.ok) return counted;
  const { total, same, since } = counted.value;
  const against = earlier.value?.comparison;
  const reviewOfEarlier = said.reviews.find(({ comparison: of }) => of === against?.id);
  return ok({
    reviews,
    differences: total,
    intended: same[0] ?? 0,
    remarks: said.remarks.map((each, i) => shown(each, same[i + 1] ?? 0)),
    since:
      since && against
        ? {
            ...(reviewOfEarlier ? { review: reviewOfEarlier } : {}),
            comparison: summaryOf(against, said),
            ...since,
          }
        : null,
  });
}

/** As many as the list of rows has; ambiguous ones stand there by themselves. */
function differencesOf({ summary: { rows } }: Comparison): number {
  return rows.changed + rows.added + rows.removed + rows.ambiguous.left + rows.ambiguous.right;
}
