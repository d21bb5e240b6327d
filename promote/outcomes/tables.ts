import { evaluate } from "#kernel/evaluate.ts";
import type { TableExpression } from "#kernel/guest/slice.ts";
import { ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";
import type { PairedTables } from "./pair.ts";
import { isTablesOwn } from "./problem.ts";
import type { Workbench } from "../workbench.ts";

type Request = {
  workbench: Pick<Workbench, "workspace" | "store" | "queries">;
  transform: string;
  before: TableHash;
  after: TableHash;
  input: { expression: TableExpression; table: TableHash };
  signal: AbortSignal;
};

/** A metric's table on both sides; on the later alone, and why not on the earlier; or on none, and why. */
export type MetricTables =
  | ({ kind: "both" } & PairedTables)
  | { kind: "after"; after: TableHash; problem: Problem }
  | { kind: "none"; reason: string };

/** The metric's own table on both sides: the transform's output, or what is made of it. */
export async function metricTables(
  { workbench, transform, before, after, input, signal }: Request,
  table: TableExpression,
): Promise<Result<MetricTables>> {
  const isOwn = table.kind === "transform" && table.name === transform;
  if (isOwn) return ok({ kind: "both", before, after, input: input.table, isOwn });
  // Its rows know their positions in the rows of a transform between, not in the snapshot; and that one is no part of what is compared.
  const other = transformsOf(table).find((name) => name !== transform);
  if (other !== undefined)
    return ok({
      kind: "none",
      reason: `It is judged on rows of another transform, \`${other}\`: compare the versions of \`${other}\` to have it.`,
    });
  const made = (side: TableHash) => {
    const given = { [transform]: { table: side, input: input.expression } };
    return evaluate(workbench, table, undefined, { signal, given });
  };
  const is = await made(after);
  if (!is.ok) {
    if (!isTablesOwn(is.problem)) return is;
    const reason = `The later version's rows do not give its table: ${is.problem.message}`;
    return ok({ kind: "none", reason });
  }
  const late = is.value.table.hash;
  const was = await made(before);
  if (!was.ok)
    return isTablesOwn(was.problem)
      ? ok({ kind: "after", after: late, problem: was.problem })
      : was;
  const early = was.value.table.hash;
  return ok({ kind: "both", before: early, after: late, input: input.table, isOwn });
}

function transformsOf(table: TableExpression): string[] {
  if (table.kind === "transform") return [table.name];
  if (table.kind === "split") return transformsOf(table.input);
  if (table.kind === "snapshot") return [];
  return table.values.flatMap((value) => (value.kind === "literal" ? [] : transformsOf(value)));
}
