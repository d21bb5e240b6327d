import type { DifferenceFilter, DifferenceSet, RowIdentity } from "#snapshots/diff.ts";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { findComparison, type Asked } from "../compare-details.ts";
import { readComparison, type Comparison } from "../compare.ts";
import type { Workbench } from "../workbench.ts";
import type { ReviewFilter } from "./answer.ts";
import { keepDifferences } from "./kept-differences.ts";
import type { KeptRemark } from "./review-records.ts";
import { commonIdentity, ownIdentity } from "./row-identity.ts";
import { nameOf } from "./transform-name.ts";

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
  const { workbench, comparison, review: filter, remark: remarkId } = request;
  const remarks = workbench.state.said.remarks(nameOf(comparison));
  const sets: ReviewedRows["sets"] = [];
  const of = (shown: Comparison) => ok({ comparison: shown, identity: ownIdentity(shown), sets });
  if (remarkId !== undefined) {
    const about = remarks.find((each) => each.id === remarkId);
    if (!about) return fail(noRemark(remarkId));
    const set = await remarkSets(request, [about]);
    if (!set.ok) return set;
    sets.push({ of: set.value.flat(), test: "same" });
  }
  if (filter === undefined) return of(comparison);
  if (filter === "intended" || filter === "open") {
    const intended = remarks.filter(({ isIntended }) => isIntended);
    const set = await remarkSets(request, intended);
    if (!set.ok) return set;
    sets.push({ of: set.value.flat(), test: filter === "intended" ? "same" : "notSame" });
    return of(comparison);
  }
  const earlier = await earlierComparison(workbench, comparison, request.since);
  if (!earlier.ok) return earlier;
  if (!earlier.value) return fail(notReviewed);
  const { comparison: then, identity } = earlier.value;
  const [shown, against] = filter === "gone" ? [then, comparison] : [comparison, then];
  const kept = await keepDifferences(request, against, {}, identity);
  if (!kept.ok) return kept;
  const set: DifferenceSet = { kind: "set", hash: kept.value.hash, by: identity };
  sets.push({ of: [set], test: filter === "gone" ? "new" : filter });
  return of(shown);
}

/** For each remark the differences it is about, named as the comparison's own are; none where nothing says which row is which. */
export async function remarkSets(
  request: Asked,
  remarks: KeptRemark[],
): Promise<Result<DifferenceSet[][]>> {
  const { workbench, comparison } = request;
  const sets: DifferenceSet[][] = [];
  for (const { scope, filter } of remarks) {
    const about = readComparison(workbench, scope.comparison);
    const identity = about && (await commonIdentity(workbench, about, comparison));
    if (identity && !identity.ok) return identity;
    const by = identity?.value;
    const kept = about && by && (await keepDifferences(request, about, filter, by));
    // What was said of tables that are no more holds for nothing that can be seen.
    if (kept && !kept.ok && kept.problem.code !== "no-such-table") return kept;
    sets.push(by && kept?.ok ? [{ kind: "set", hash: kept.value.hash, by }] : []);
  }
  return ok(sets);
}

export type Earlier = { comparison: Comparison; identity: RowIdentity };

/** The one named; else the last of the transform that was reviewed, of those made before this one that it can be held against. */
export async function earlierComparison(
  workbench: Workbench,
  comparison: Comparison,
  named: string | undefined,
): Promise<Result<Earlier | undefined>> {
  if (named !== undefined) return namedComparison(workbench, comparison, named);
  for (const { comparison: id } of workbench.state.said.reviews(nameOf(comparison))) {
    const then = id === comparison.id ? undefined : readComparison(workbench, id);
    if (!then || Date.parse(then.at) > Date.parse(comparison.at)) continue;
    const identity = await commonIdentity(workbench, then, comparison);
    if (!identity.ok) {
      if (identity.problem.code === "no-such-table") continue;
      return identity;
    }
    if (identity.value) return ok({ comparison: then, identity: identity.value });
  }
  return ok(undefined);
}

async function namedComparison(
  workbench: Workbench,
  comparison: Comparison,
  named: string,
): Promise<Result<Earlier>> {
  const found = findComparison(workbench, named);
  if (!found.ok) return found;
  const [other, own] = [nameOf(found.value), nameOf(comparison)];
  if (other.notebook !== own.notebook || other.transform !== own.transform) {
    return fail({
      code: "other-transform",
      message: `The comparison ${named} is of ${other.transform} in ${other.notebook}, not of ${own.transform} in ${own.notebook}.`,
      hint: "Differences are compared between comparisons of one transform.",
    });
  }
  const identity = await commonIdentity(workbench, found.value, comparison);
  if (!identity.ok) return identity;
  if (identity.value) return ok({ comparison: found.value, identity: identity.value });
  return fail({
    code: "rows-unknown",
    message: `Nothing says which row of the comparison ${named.slice(0, 8)} is which of this one: they are of different snapshots or keys, and not all tables carry an identity that no two rows share.`,
    hint: "Compare both by the same key, or on the same snapshot.",
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
