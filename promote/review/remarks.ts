import type { DifferenceFilter, DifferenceSet } from "#snapshots/diff.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { causeNamed, findComparison, type RowsFilter } from "../compare-details.ts";
import type { Workbench } from "../workbench.ts";
import type { Remark, RemarkScope } from "./answer.ts";
import { keepDifferences } from "./kept-differences.ts";
import type { KeptRemark } from "./review-state.ts";
import { noRemark, reviewedRows, type ReviewChoice } from "./reviewed-rows.ts";
import { nameOf } from "./transform-name.ts";

type Asked = { workbench: Workbench; id: string; signal?: AbortSignal | undefined };

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
  const { workbench, id, text, isIntended, about } = request;
  const { state, person, now } = workbench;
  const found = findComparison(workbench, id);
  if (!found.ok) return found;
  const said = { at: now().toISOString(), by: person, text, isIntended };
  if ("difference" in about) {
    const { difference, kind, key } = about;
    const of: DifferenceSet = { kind: "listed", differences: [difference] };
    const scope = { comparison: id, kind, key };
    const kept = { ...said, scope, differences: 1, difference, of };
    return ok(shown(state.reviews.addRemark(nameOf(found.value), kept), 1));
  }
  const { review, since, remark: remarkId, ...filters } = about;
  const rows = await reviewedRows({ workbench, id, review, since, remark: remarkId });
  if (!rows.ok) return rows;
  const { comparison, sets } = rows.value;
  const filter = await resolved({ ...request, id: comparison.id }, filters);
  if (!filter.ok) return filter;
  const chosen = { ...filter.value, ...(sets.length > 0 ? { sets } : {}) };
  const set = await keepDifferences(request, comparison, chosen);
  if (!set.ok) return set;
  const { hash, rows: differences } = set.value;
  if (differences === 0) return fail(nothingSaid);
  const { kind, column, values, cause } = filter.value;
  const scope: RemarkScope = {
    comparison: comparison.id,
    ...(review ? { review } : {}),
    ...(kind ? { kind } : {}),
    ...(column === undefined ? {} : { column }),
    ...(values ? { values } : {}),
    ...(cause && about.cause !== undefined
      ? { cause: { name: about.cause, text: cause.text } }
      : {}),
  };
  const kept = { ...said, scope, differences, of: { kind: "set" as const, hash } };
  return ok(shown(state.reviews.addRemark(nameOf(found.value), kept), differences));
}

/** Takes a remark back. It stays in the records, and is shown no more. */
export function removeRemark({ workbench, id }: Asked, remark: number): Result<true> {
  const { state, person, now } = workbench;
  const found = findComparison(workbench, id);
  if (!found.ok) return found;
  const removed = { at: now().toISOString(), by: person };
  return state.reviews.removeRemark(nameOf(found.value), remark, removed)
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
