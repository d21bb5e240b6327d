import { fail, ok, ProblemError, type Problem, type Result } from "#snapshots/problem.ts";
import type { Queries } from "#snapshots/queries.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { TableHash } from "#snapshots/table.ts";
import { keyOf } from "./evaluate.ts";
import { openSlice, type BundleDescription, type SliceBatch } from "./guest/slice.ts";
import { runtimeVersion } from "./runtime-version.ts";
import { sha256 } from "./sha256.ts";
import { placedInSource } from "./source-map.ts";

export type EvaluatedMetric = BundleDescription["metrics"][number] & {
  value: number | null;
  rows: number;
};

type MetricRequest = {
  store: ContentStore;
  queries: Queries;
  /** A bundle whose metrics are to be computed. */
  bundle: string;
  /** For saying where in the notebook a metric's function failed. */
  sourceMap?: string | undefined;
  metrics: BundleDescription["metrics"];
  table: TableHash;
  signal?: AbortSignal | undefined;
};

/** Metrics of a bundle over one table, all of them unless `only` says which, in one pass. Kept by content like tables. */
export async function evaluateMetrics(
  request: MetricRequest & { only?: number[] },
): Promise<Result<EvaluatedMetric[]>> {
  const { metrics, store, bundle, table } = request;
  const indexes = request.only ?? [...metrics.keys()];
  const key = (index: number) => keyOf("metric", sha256(bundle), index, table, runtimeVersion());
  const missing = indexes.filter((index) => store.getEntry(key(index)) === undefined);
  if (missing.length > 0) {
    const made = await compute(request, missing);
    if (!made.ok) return made;
    made.value.forEach((value, at) => store.putEntry(key(missing[at] ?? 0), JSON.stringify(value)));
  }
  return ok(
    indexes.flatMap((index) => {
      const metric = metrics[index];
      const kept = store.getEntry(key(index));
      // Written above, under a key that holds the runtime's version.
      return metric && kept !== undefined
        ? [{ ...metric, ...(JSON.parse(kept) as { value: number | null; rows: number }) }]
        : [];
    }),
  );
}

async function compute(
  request: MetricRequest,
  indexes: number[],
): Promise<Result<{ value: number | null; rows: number }[]>> {
  const { store, queries, bundle, table, signal, sourceMap, metrics } = request;
  const info = store.tableInfo(table);
  if (!info)
    return fail({
      code: "table-missing",
      message: `Table ${table.slice(0, 12)} is not in the content store.`,
      hint: "Run the cell that makes it again.",
    });
  const opened = await openSlice({
    bundle,
    entry: { kind: "metrics", indexes },
    input: info.columns,
  });
  if (!opened.ok) return fail(placedInSource(opened.problem, sourceMap));
  const slice = opened.value;
  try {
    // A count of rows looks at no column: one is read for the number of them.
    const columns = slice.columns.length > 0 ? slice.columns : names(info.columns).slice(0, 1);
    let ahead: Promise<Result<SliceBatch>> | undefined;
    for await (const batch of queries.read({ table, columns, ...(signal ? { signal } : {}) })) {
      const next = slice.run(batch, signal);
      const done = await ahead;
      if (done?.ok === false) return fail(placedInSource(done.problem, sourceMap));
      ahead = next;
    }
    const last = await ahead;
    if (last?.ok === false) return fail(placedInSource(last.problem, sourceMap));
    const values = await slice.finish();
    if (!values.ok) return fail(placedInSource(values.problem, sourceMap));
    for (const [at, { failed, first }] of values.value.entries()) {
      if (!first) continue;
      const { name = "" } = metrics[indexes[at] ?? 0] ?? {};
      return fail(placedInSource(metricProblem(name, failed, first), sourceMap));
    }
    return ok(values.value.map(({ value, rows }) => ({ value, rows })));
  } catch (error) {
    if (error instanceof ProblemError) return fail(placedInSource(error.problem, sourceMap));
    throw error;
  } finally {
    await slice.close();
  }
}

function names(columns: { name: string }[]): string[] {
  return columns.map((column) => column.name);
}

function metricProblem(
  name: string,
  failed: number,
  { message, line, column }: { message: string; line?: number; column?: number },
): Problem {
  return {
    code: "records-failed",
    message: `Metric "${name}" failed for ${failed.toLocaleString("en-US")} rows. The first: ${message}`,
    hint: "Return a number for every row, or null to leave a row out.",
    at: { ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) },
  };
}
