import { ok, type Result } from "#snapshots/problem.ts";
import { compareCauses, explained, findComparison } from "../compare-details.ts";
import { reviewState } from "../review/review.ts";
import type { ReviewState } from "../review/answer.ts";
import type { Workbench } from "../workbench.ts";
import { group, type DiffReport } from "./report.ts";

/** So many rows of each kind are shown. */
const samples = 20;

/** A kept comparison as a report: its counts, outcomes and causes, some of its rows, and what was said of it. */
export async function comparisonReport(request: {
  workbench: Workbench;
  id: string;
  signal?: AbortSignal | undefined;
}): Promise<Result<DiffReport>> {
  const { workbench, id, signal } = request;
  const found = findComparison(workbench, id);
  if (!found.ok) return found;
  const { transform, before, after, snapshot, metrics, contract } = found.value;
  const pairing = explained(found.value);
  const counted = await workbench.queries.diff({
    ...pairing,
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
