import { ok, type Result } from "#snapshots/problem.ts";
import { compareCauses, explained, type Asked } from "../compare-details.ts";
import { reviewState } from "../review/review.ts";
import type { ReviewState } from "../review/answer.ts";
import { group, type DiffReport } from "./report.ts";

/** So many rows of each kind are shown. */
const samples = 20;

/** A kept comparison as a report: its counts, outcomes and causes, some of its rows, and what was said of it. */
export async function comparisonReport(request: Asked): Promise<Result<DiffReport>> {
  const { workbench, comparison, signal } = request;
  const { transform, before, after, snapshot, metrics, contract } = comparison;
  const counted = await workbench.queries.diff({
    ...explained(comparison),
    samples,
    ...(signal ? { signal } : {}),
  });
  if (!counted.ok) return counted;
  const causes = await compareCauses(request);
  if (!causes.ok) return causes;
  const review = await reviewState(request);
  if (!review.ok) return review;
  return ok({
    left: { text: before.label, label: `${transform}: ${before.label}` },
    right: { text: after.label, label: after.label },
    summary: { ...counted.value, causes: causes.value.causes },
    search: causes.value.search,
    metrics,
    facts: [`Both ran on ${snapshot.name}.`, ...reviewFacts(review.value)],
    remarks: [
      ...[before, after].flatMap(({ label, failed }) =>
        failed > 0
          ? [`${label}: the transform failed on ${failed} input records, which made no rows.`]
          : [],
      ),
      ...contract.map(
        ({ breaks, message }) => `${breaks ? "The contract breaks" : "Contract"}: ${message}`,
      ),
    ],
  });
}

function reviewFacts({ reviews, remarks, intended, differences, since }: ReviewState): string[] {
  return [
    ...reviews.map(
      ({ by, at, note }) =>
        `Reviewed by ${by} on ${at.slice(0, 10)}${note === "" ? "." : `: ${note}`}`,
    ),
    ...(since
      ? [
          `Since the comparison of ${since.comparison.at.slice(0, 10)}: ${group(since.new)} new, ${group(since.otherwise)} otherwise, ${group(since.same)} the same, ${group(since.gone)} gone.`,
        ]
      : []),
    ...(remarks.some(({ isIntended }) => isIntended)
      ? [`${group(intended)} of ${group(differences)} differences are said to be intended.`]
      : []),
    ...remarks
      .filter(({ text, same }) => text !== "" && same > 0)
      .map(
        ({ by, text, same }) =>
          `${by}, of ${group(same)} ${same === 1 ? "difference" : "differences"}: ${text}`,
      ),
  ];
}
