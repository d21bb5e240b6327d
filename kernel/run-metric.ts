import { fail, ok, ProblemError, type Problem, type Result } from "#snapshots/problem.ts";
import type { Queries } from "#snapshots/queries.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { TableHash } from "#snapshots/table.ts";
import { keyOf } from "./evaluate.ts";
import { openSlice, type BundleDescription, type Slice, type SliceBatch } from "./guest/slice.ts";
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
  const opened = await Promise.all(
    indexes.map((index) =>
      openSlice({ bundle, entry: { kind: "metric", index }, input: info.columns }),
    ),
  );
  const slices = opened.flatMap((slice): Slice[] => (slice.ok ? [slice.value] : []));
  const failures = slices.map(() => ({
    count: 0,
    first: undefined as SliceBatch["errors"][number] | undefined,
  }));
  try {
    for (const slice of opened)
      if (!slice.ok) return fail(placedInSource(slice.problem, sourceMap));
    let ahead: Promise<Result<SliceBatch>[]> | undefined;
    for await (const batch of queries.read({ table, ...(signal ? { signal } : {}) })) {
      const next = Promise.all(slices.map((slice) => slice.run(batch, signal)));
      if (ahead) take(await ahead);
      ahead = next;
    }
    if (ahead) take(await ahead);
    const values: { value: number | null; rows: number }[] = [];
    for (const [at, slice] of slices.entries()) {
      const { count = 0, first } = failures[at] ?? {};
      if (first)
        return fail(
          placedInSource(
            metricProblem(metrics[indexes[at] ?? 0]?.name ?? "", count, first),
            sourceMap,
          ),
        );
      const value = await slice.finish();
      if (!value.ok) return fail(placedInSource(value.problem, sourceMap));
      values.push({ value: value.value.value, rows: value.value.rows });
    }
    return ok(values);
  } catch (error) {
    if (error instanceof ProblemError) return fail(placedInSource(error.problem, sourceMap));
    throw error;
  } finally {
    await Promise.all(slices.map((slice) => slice.close()));
  }

  function take(results: Result<SliceBatch>[]): void {
    results.forEach((result, at) => {
      if (!result.ok) throw new ProblemError(result.problem);
      const failure = failures[at];
      if (!failure) return;
      failure.count += result.value.errors.length;
      failure.first ??= result.value.errors[0];
    });
  }
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
