import { fail, ok, ProblemError, type Problem, type Result } from "#snapshots/problem.ts";
import type { Queries } from "#snapshots/queries.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { TableHash } from "#snapshots/table.ts";
import { keyOf } from "./evaluate.ts";
import { openSlice, type BundleDescription } from "./guest/slice.ts";
import { runtimeVersion } from "./runtime-version.ts";
import { sha256 } from "./sha256.ts";
import { placedInSource } from "./source-map.ts";

export type EvaluatedMetric = BundleDescription["metrics"][number] & { value: number | null; rows: number };

type MetricRequest = {
  store: ContentStore;
  queries: Queries;
  /** A bundle whose metrics are to be computed. */
  bundle: string;
  /** For saying where in the notebook a metric's function failed. */
  sourceMap?: string | undefined;
  metrics: BundleDescription["metrics"];
  signal?: AbortSignal | undefined;
};

/** Every metric of a bundle over one table. */
export async function evaluateMetrics(request: MetricRequest & { table: TableHash }): Promise<Result<EvaluatedMetric[]>> {
  const values: EvaluatedMetric[] = [];
  for (const index of request.metrics.keys()) {
    const value = await evaluateMetric({ ...request, index });
    if (!value.ok) return value;
    values.push(value.value);
  }
  return ok(values);
}

/** One metric of a bundle over a table, kept by content like a table. */
export async function evaluateMetric(request: MetricRequest & { table: TableHash; index: number }): Promise<Result<EvaluatedMetric>> {
  const { store, queries, bundle, index, table, signal } = request;
  const metric = request.metrics[index];
  const info = store.tableInfo(table);
  if (!metric || !info) return fail({ code: "no-metric", message: "The metric or its table is not here.", hint: "Run the cell that defines it again." });
  const key = keyOf("metric", sha256(bundle), index, table, runtimeVersion());
  const known = store.getEntry(key);
  if (known !== undefined) return ok({ ...metric, ...(JSON.parse(known) as { value: number | null; rows: number }) });
  const slice = await openSlice({ bundle, entry: { kind: "metric", index }, input: info.columns });
  if (!slice.ok) return slice;
  try {
    let failed = 0;
    let first: { message: string; line?: number; column?: number } | undefined;
    for await (const batch of queries.read({ table, ...(signal ? { signal } : {}) })) {
      const done = await slice.value.run(batch, signal);
      if (!done.ok) return fail(placedInSource(done.problem, request.sourceMap));
      failed += done.value.errors.length;
      first ??= done.value.errors[0];
    }
    if (first) return fail(placedInSource(metricProblem(metric.name, failed, first), request.sourceMap));
    const value = await slice.value.finish();
    if (!value.ok) return fail(placedInSource(value.problem, request.sourceMap));
    const result = { value: value.value.value, rows: value.value.rows };
    store.putEntry(key, JSON.stringify(result));
    return ok({ ...metric, ...result });
  } catch (error) {
    if (error instanceof ProblemError) return fail(error.problem);
    throw error;
  } finally {
    await slice.value.close();
  }
}

function metricProblem(name: string, failed: number, { message, line, column }: { message: string; line?: number; column?: number }): Problem {
  return {
    code: "records-failed",
    message: `Metric "${name}" failed for ${failed.toLocaleString("en-US")} rows. The first: ${message}`,
    hint: "Return a number for every row, or null to leave a row out.",
    at: { ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) },
  };
}
