import type { DifferenceFilter, DifferenceSet } from "#snapshots/diff.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { causeNamed, type Asked, type RowsFilter } from "../compare-details.ts";
import type { Comparison } from "../compare.ts";
import type { Remark, RemarkScope } from "./answer.ts";
import { keepDifferences } from "./kept-differences.ts";
import type { KeptRemark } from "./review-records.ts";
import { noRemark, reviewedRows, type ReviewChoice } from "./reviewed-rows.ts";
import { ownIdentity } from "./row-identity.ts";
import { nameOf } from "./transform-name.ts";

/** What one difference is called, and where a person saw it. */
export type OneDifference = {
  difference: string;
  kind: NonNullable<RemarkScope["kind"]>;
  key: unknown[];
};

/** What rows a remark is about: filters as of the list, and what reviews say of them. */
export type RemarkedRows = RowsFilter & ReviewChoice;

/** Says something of one difference, or of all that the filters leave. */
export async function remark(
  request: Asked & { text: string; isIntended: boolean; about: OneDifference | RemarkedRows },
): Promise<Result<Remark>> {
  const { workbench, text, isIntended, about } = request;
  const { state, person, now } = workbench;
  const chosen = await chosenBy(request, about);
  if (!chosen.ok) return chosen;
  const { comparison, filter, scope } = chosen.value;
  const set = await keepDifferences(request, comparison, filter, ownIdentity(comparison));
  if (!set.ok) return set;
  const differences = set.value.rows;
  if (differences === 0) return fail(nothingSaid);
  const said = { at: now().toISOString(), by: person, text, isIntended };
  const one = "difference" in about ? { difference: about.difference } : {};
  const kept = { ...said, scope, differences, filter, ...one };
  return ok(shown(state.said.addRemark(nameOf(comparison), kept), differences));
}

type Chosen = { comparison: Comparison; filter: DifferenceFilter; scope: RemarkScope };

/** What a remark is about, for the worker and for people. */
async function chosenBy(
  request: Asked,
  about: OneDifference | RemarkedRows,
): Promise<Result<Chosen>> {
  const { comparison } = request;
  if ("difference" in about) {
    const { difference, kind, key } = about;
    const by = ownIdentity(comparison);
    const of: DifferenceSet[] = [{ kind: "listed", by, differences: [difference] }];
    const scope = { comparison: comparison.id, kind, key };
    return ok({ comparison, filter: { sets: [{ of, test: "same" }] }, scope });
  }
  const { review, since, remark, ...filters } = about;
  const rows = await reviewedRows({ ...request, review, since, remark });
  if (!rows.ok) return rows;
  const { comparison: shownOf, sets } = rows.value;
  const filter = await resolved({ ...request, comparison: shownOf }, filters);
  if (!filter.ok) return filter;
  const { kind, column, values, cause } = filter.value;
  const scope: RemarkScope = {
    comparison: shownOf.id,
    ...(review ? { review } : {}),
    ...(kind ? { kind } : {}),
    ...(column === undefined ? {} : { column }),
    ...(values ? { values } : {}),
    ...(cause && about.cause !== undefined
      ? { cause: { name: about.cause, text: cause.text } }
      : {}),
  };
  return ok({
    comparison: shownOf,
    filter: { ...filter.value, ...(sets.length > 0 ? { sets } : {}) },
    scope,
  });
}

/** Takes a remark back. It stays in the records, and is shown no more. */
export function removeRemark({ workbench, comparison }: Asked, remark: number): Result<true> {
  const { state, person, now } = workbench;
  const removed = { at: now().toISOString(), by: person };
  return state.said.removeRemark(nameOf(comparison), remark, removed)
    ? ok(true)
    : fail(noRemark(remark));
}

/** A remark as people see it. */
export function shown(kept: KeptRemark, same: number): Remark {
  const { id, at, by, text, isIntended, scope, differences, difference } = kept;
  const remark = { id, at, by, text, isIntended, scope, differences, same };
  return difference === undefined ? remark : { ...remark, difference };
}

async function resolved(request: Asked, about: RowsFilter): Promise<Result<DifferenceFilter>> {
  const { cause: name, ...filter } = about;
  if (name === undefined) return ok(filter);
  const cause = await causeNamed(request, name);
  return cause.ok ? ok({ ...filter, cause: cause.value }) : cause;
}

const nothingSaid = {
  code: "no-differences",
  message: "These filters leave no difference, so there is nothing to say something about.",
  hint: "Take a filter away.",
};
