import { placeOf } from "#kernel/analysis.ts";
import { labelIndex } from "#kernel/locate.ts";
import { sliceCells } from "#kernel/notebook-slice.ts";
import type { ProfilePair } from "#snapshots/diff-profile.ts";
import type {
  CausesResult,
  DiffCause,
  DiffKind,
  DiffPage,
  DiffPairing,
  DiffRowsRequest,
  ValueFilter,
} from "#snapshots/diff.ts";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";
import { hashOf } from "./canonical-json.ts";
import { readComparison, type Comparison } from "./compare.ts";
import { workingText } from "./notebook-bundle.ts";
import { notebookPath } from "./notebook-name.ts";
import type { Workbench } from "./workbench.ts";

/** What is asked of a kept comparison. */
export type Asked = {
  workbench: Workbench;
  comparison: Comparison;
  signal?: AbortSignal | undefined;
};

/** A cause and what an address calls it: a hash of what it says, so that it stays while the search goes further. */
export type NamedCause = DiffCause & { name: string };
export type Causes = Pick<CausesResult, "search"> & { causes: NamedCause[] };

export const causesBudgetMs = 10_000;

export function findComparison(workbench: Workbench, id: string): Result<Comparison> {
  const comparison = readComparison(workbench, id);
  return comparison ? ok(comparison) : fail(notFound(id));
}

/** Which of the rows that differ. `cause` is a name from `compareCauses`. */
export type RowsFilter = {
  kind?: DiffKind;
  column?: string;
  values?: ValueFilter[];
  cause?: string;
};

/** A page of the rows that differ; `total` counts what the filters leave. */
export async function compareRows(
  request: Asked & RowsFilter & Pick<DiffRowsRequest, "identity" | "sets" | "offset" | "limit">,
): Promise<Result<DiffPage>> {
  const { workbench, comparison, signal, cause: name, ...page } = request;
  const cause = name === undefined ? ok(undefined) : await causeNamed(request, name);
  if (!cause.ok) return cause;
  return workbench.queries.diffRows({
    ...explained(comparison),
    ...page,
    ...(cause.value ? { cause: cause.value } : {}),
    ...(signal ? { signal } : {}),
  });
}

/** What explains the differences. A search is kept, and done again to look further, or where it was cut short with nothing found. */
export async function compareCauses(
  request: Asked & { budgetMs?: number | undefined },
): Promise<Result<Causes>> {
  const { workbench, comparison, signal, budgetMs = causesBudgetMs } = request;
  const { store, queries } = workbench;
  const pairing = explained(comparison);
  const entry = `causes 1 ${JSON.stringify(pairing)}`;
  const text = store.getEntry(entry);
  if (text !== undefined) {
    // Written below under a key that holds every table's hash.
    const { causes, search } = JSON.parse(text) as CausesResult;
    if (search.complete || (search.budgetMs >= budgetMs && causes.length > 0))
      return ok({ causes: named(causes), search });
  }
  const searched = await queries.diffCauses({
    ...pairing,
    budgetMs,
    ...(signal ? { signal } : {}),
  });
  if (!searched.ok) return searched;
  store.putEntry(entry, JSON.stringify(searched.value));
  return ok({ causes: named(searched.value.causes), search: searched.value.search });
}

/** One column of both sides at a glance. */
export async function compareProfile(
  request: Asked & { column: string },
): Promise<Result<ProfilePair>> {
  const { workbench, comparison, column, signal } = request;
  return workbench.queries.diffProfile({
    ...pairingOf(comparison),
    column,
    ...(signal ? { signal } : {}),
  });
}

/** Every row that differs into a file; how many they are. */
export async function compareExport(
  request: Asked & { format: "parquet" | "csv"; out: string },
): Promise<Result<{ rows: number }>> {
  const { workbench, comparison, format, out } = request;
  return workbench.queries.diffExport({ ...explained(comparison), format, out });
}

/** Where the working notebook defines the transform: the line of the file, counted from 1, and what it says. */
export type TransformPlace = {
  file: string;
  line: number;
  cell: number;
  cellLine: number;
  text: string;
};

/** Undefined where the working notebook has no such transform any more. */
export function transformPlace(
  workbench: Workbench,
  { notebook, transform }: Pick<Comparison, "notebook" | "transform">,
): TransformPlace | undefined {
  const text = workingText(workbench, notebook);
  if (!text.ok) return undefined;
  for (const { label, firstLine, analysis } of sliceCells(text.value)) {
    const statement = analysis.statements.find(({ defines }) => defines.includes(transform));
    const index = labelIndex(label);
    if (!statement || index === undefined) continue;
    const cellLine = placeOf(analysis.file, statement.node.getStart(analysis.file)).line;
    const line = firstLine + cellLine;
    const words = text.value.split(/\r\n|\n|\r/)[line - 1]?.trim() ?? "";
    return { file: notebookPath(notebook), line, cell: index + 1, cellLine, text: words };
  }
  return undefined;
}

export async function causeNamed(request: Asked, name: string): Promise<Result<DiffCause>> {
  const found = await compareCauses(request);
  if (!found.ok) return found;
  const cause = found.value.causes.find((each) => each.name === name);
  if (cause) return ok(cause);
  return fail({
    code: "cause-unknown",
    message: "The cause by which the rows are filtered is none of those found for this comparison.",
    hint: "Take the filter away, or choose one of the causes that are listed.",
  });
}

function named(causes: DiffCause[]): NamedCause[] {
  return causes.map((cause) => {
    const { scope, why, from } = cause;
    return { ...cause, name: hashOf({ scope, why, from }).slice(0, 12) };
  });
}

function pairingOf({ before, after, key }: Comparison): DiffPairing {
  return {
    left: { kind: "table", hash: before.table.hash },
    right: { kind: "table", hash: after.table.hash },
    key,
  };
}

/** Rows are paired with the snapshot's by their position. */
export function explained(comparison: Comparison): DiffPairing & { input?: TableHash } {
  const pairing = pairingOf(comparison);
  return comparison.key === "position" ? { ...pairing, input: comparison.snapshot.hash } : pairing;
}

function notFound(id: string): Problem {
  return {
    code: "comparison-not-found",
    message: `There is no comparison ${id} in this workspace.`,
    hint: "Run it again: both versions are named on the compare page.",
  };
}
