import type { Comparison } from "../compare.ts";
import type { Workbench } from "../workbench.ts";
import type { ComparisonSummary, Review } from "./answer.ts";
import type { KeptRemark } from "./review-records.ts";
import type { TransformName } from "./transform-name.ts";

/** The comparisons of a transform that were asked for last, newest first: one that is found again stays where it was. */
export function comparisonHistory(
  { state }: Pick<Workbench, "state">,
  of: TransformName,
  limit: number,
): ComparisonSummary[] {
  const said = { reviews: state.said.reviews(of), remarks: state.said.remarks(of) };
  return (
    state
      .recentComparisons(limit, of)
      // Written by compareSides in its own shape.
      .map(({ document }) => summaryOf(document as Comparison, said))
      .toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at))
  );
}

/** A comparison as a list shows it, with what was said of it among all that was said of its transform. */
export function summaryOf(
  comparison: Comparison,
  { reviews, remarks }: { reviews: Review[]; remarks: KeptRemark[] },
): ComparisonSummary {
  const { id, at, notebook, transform, before, after, snapshot, summary, metrics } = comparison;
  return {
    id,
    at,
    notebook,
    transform,
    before: before.label,
    after: after.label,
    snapshot: snapshot.name,
    rows: summary.rows,
    outcomes: metrics.map(({ name, verdict }) => ({ name, verdict })),
    reviews: reviews.filter((each) => each.comparison === id),
    remarks: remarks.filter(({ scope }) => scope.comparison === id).length,
  };
}
