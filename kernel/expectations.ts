import type { Problem, Result } from "#snapshots/problem.ts";
import { buildMetrics, type PlacedExpectation } from "./bundle.ts";
import type { CellRun } from "./cell-runner.ts";
import type { Output } from "./document.ts";

/** Compares the notebook's version with the one expected against, and says in a sentence what was found; a Problem where it is not as expected. */
export type CheckDiff = (request: {
  /** Absolute path of the notebook, and its text. */
  fileName: string;
  text: string;
  expectation: PlacedExpectation;
  signal: AbortSignal;
}) => Promise<Result<string>>;

/** Judges a cell's expectations one after another. */
export async function showExpectations(
  { context, text, fileName, captured, label, checkDiff, signal }: CellRun,
  problemOutput: (problem: Problem) => Output,
): Promise<Output[]> {
  if (!checkDiff) return [];
  const { workspace } = context;
  const bundle = await buildMetrics(
    { workspace, notebookText: text, fileName, captured },
    { inCell: label },
  );
  if (!bundle.ok) return [problemOutput(bundle.problem)];
  const outputs: Output[] = [];
  for (const expectation of bundle.value.expectations) {
    const checked = await checkDiff({ fileName, text, expectation, signal });
    outputs.push(
      checked.ok
        ? { kind: "text", stream: "value", text: checked.value }
        : problemOutput(checked.problem),
    );
  }
  return outputs;
}
