import { relative } from "node:path";
import type { PlacedExpectation } from "#kernel/bundle.ts";
import type { CheckDiff } from "#kernel/expectations.ts";
import type { DiffSummary } from "#snapshots/diff.ts";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { compareSides, type Comparison } from "./compare.ts";
import { readSide, type Side, type Version } from "./compare-side.ts";
import { listEnvironments } from "./environments.ts";
import type { Workbench } from "./workbench.ts";

type Request = {
  workbench: Workbench;
  notebook: string;
  expectation: PlacedExpectation;
  /** The candidate; the notebook's text stands for it where it is not made yet. */
  after: { text: string } | Side;
  signal?: AbortSignal | undefined;
};

/** What a difference was, and what of it was not expected. */
export type DiffVerdict = { summary: string; unexpected: string[]; comparison: Comparison | null };

/** Judges expectations of open notebooks: for the sessions, which know nothing of versions. */
export function diffChecker(workbench: Workbench): CheckDiff {
  return async ({ fileName, text, expectation, signal }) => {
    const notebook = relative(workbench.workspace.root, fileName);
    const judged = await judgeExpectation({
      workbench,
      notebook,
      expectation,
      after: { text },
      signal,
    });
    if (!judged.ok) {
      const { line } = expectation;
      return fail({ ...judged.problem, at: { cell: expectation.cell, line } });
    }
    const { summary, unexpected } = judged.value;
    if (unexpected.length === 0) return ok(`✓ ${expectationText(expectation)}: ${summary}`);
    return fail(notExpected(expectation, summary, unexpected));
  };
}

/** Compares a transform with the version an expectation names, on the candidate's snapshot. */
export async function judgeExpectation(request: Request): Promise<Result<DiffVerdict>> {
  const { workbench, notebook, expectation, signal } = request;
  const { transform, version } = expectation;
  if (version === null) return fail(noVersion(expectation));
  const about = { notebook, transform, signal };
  const after =
    "text" in request.after
      ? await readSide(workbench, { kind: "working", text: request.after.text }, about)
      : ok(request.after);
  if (!after.ok) return after;
  const before = await readSide(workbench, await versionOf(workbench, version), about);
  if (!before.ok && before.problem.code === "nothing-runs") {
    const summary = `Nothing of ${transform} runs in ${version} yet, so there is no difference to judge.`;
    return ok({ summary, unexpected: [], comparison: null });
  }
  if (!before.ok) return before;
  // Rows are judged here: what the metrics say would be measured for nobody.
  const { metrics: _, ...rows } = after.value;
  const compared = await compareSides({ workbench, ...about }, before.value, rows);
  if (!compared.ok) return compared;
  const { summary } = compared.value;
  const unexpected = unexpectedIn(expectation, summary);
  return ok({ summary: differenceText(summary), unexpected, comparison: compared.value });
}

/** An environment by its name, else a revision. */
async function versionOf({ git }: Workbench, name: string): Promise<Version> {
  const { environments } = await listEnvironments(git);
  const isEnvironment = environments.some((environment) => environment.name === name);
  return isEnvironment ? { kind: "environment", name } : { kind: "git", revision: name };
}

const kinds = ["changed", "added", "removed", "ambiguous"] as const;

/** What of a difference goes beyond what was expected, a sentence each. */
export function unexpectedIn(
  { columns, limits }: Pick<PlacedExpectation, "columns" | "limits">,
  summary: Pick<DiffSummary, "identical" | "rows" | "columns"> & {
    complete?: boolean;
    note?: string;
  },
): string[] {
  const counts = countsOf(summary.rows);
  const found: string[] = [];
  if (summary.complete === false)
    found.push(
      `The comparison was cut short, so nothing can be said: ${summary.note ?? "see it"}.`,
    );
  if (columns === null && limits === null && !summary.identical)
    found.push(`No difference was expected; there is one: ${differenceText(summary)}`);
  if (columns !== null) {
    const others = summary.columns.filter(({ name, status, changed }) => {
      const isMoved = changed > 0 || ["added", "removed", "typeChanged"].includes(status);
      return isMoved && !columns.includes(name);
    });
    for (const { name, status, changed } of others)
      found.push(
        `Only ${columns.join(", ") || "no column"} may change, but \`${name}\` ${moveText(status, changed)}.`,
      );
  }
  for (const kind of kinds) {
    const most = limits?.[kind];
    if (most !== undefined && counts[kind] > most)
      found.push(`At most ${number(most)} rows may be ${kind}; ${number(counts[kind])} are.`);
  }
  return found;
}

function moveText(status: string, changed: number): string {
  if (status === "added") return "was added";
  if (status === "removed") return "was removed";
  const rows = `changed in ${number(changed)} rows`;
  return status === "typeChanged" ? `has another type and ${rows}` : rows;
}

function countsOf({ changed, added, removed, ambiguous }: DiffSummary["rows"]) {
  return { changed, added, removed, ambiguous: ambiguous.left + ambiguous.right };
}

function differenceText({ rows, columns }: Pick<DiffSummary, "rows" | "columns">): string {
  const counts = countsOf(rows);
  const moved = kinds
    .filter((kind) => counts[kind] > 0)
    .map((kind) => `${number(counts[kind])} ${kind}`);
  const names = columns.filter(({ changed }) => changed > 0).map(({ name }) => name);
  const where = names.length > 0 ? ` (in ${names.join(", ")})` : "";
  return `${moved.length > 0 ? moved.join(", ") : "no row differs"}${where}, ${number(rows.equal)} equal.`;
}

/** As it is written in the cell. */
export function expectationText({
  transform,
  version,
  columns,
  limits,
}: PlacedExpectation): string {
  const only = columns ? `.changesOnly(${JSON.stringify(columns)})` : "";
  const most = Object.entries(limits ?? {}).map(([kind, rows]) => `${kind}: ${rows}`);
  const atMost = most.length > 0 ? `.atMost({ ${most.join(", ")} })` : "";
  return `expectDiff(${transform}).against(${JSON.stringify(version)})${only}${atMost}`;
}

function notExpected(
  expectation: PlacedExpectation,
  summary: string,
  unexpected: string[],
): Problem {
  const { cell, line, version } = expectation;
  return {
    code: "diff-not-expected",
    message: `${expectationText(expectation)} does not hold. ${unexpected.join(" ")} Found: ${summary}`,
    hint: `Compare with ${version} to see the rows; correct the transform, or expect what it does.`,
    at: { cell, line },
  };
}

function noVersion({ transform, cell, line }: PlacedExpectation): Problem {
  return {
    code: "diff-against-nothing",
    message: `expectDiff(${transform}) does not say what it is compared with.`,
    hint: `Name an environment or a Git revision: expectDiff(${transform}).against("production").`,
    at: { cell, line },
  };
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}
