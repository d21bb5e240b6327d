import { fail, ok, ProblemError, type Problem, type Result } from "#snapshots/problem.ts";
import type { Queries } from "#snapshots/queries.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { TableHash, TableInfo } from "#snapshots/table.ts";
import { keyOf } from "./evaluate.ts";
import { decodeStream } from "./guest/runtime/decode.ts";
import { statisticOf } from "./guest/runtime/metric-statistic.ts";
import {
  openSlice,
  type BundleDescription,
  type MetricValue,
  type Slice,
  type SliceBatch,
} from "./guest/slice.ts";
import { runtimeVersion } from "./runtime-version.ts";
import { sha256 } from "./sha256.ts";
import { placedInSource } from "./source-map.ts";

/** What a bundle says of a metric, and what the notebook's text says against believing it (fitted.ts): that is no guest's to say. */
export type DescribedMetric = BundleDescription["metrics"][number] & {
  warnings?: string[] | undefined;
};

export type EvaluatedMetric = DescribedMetric & {
  value: number | null;
  rows: number;
};

/** What each row of a table contributes to a metric, in row order: see metric-statistic.ts. */
export type MetricParts = {
  value: number | null;
  rows: number;
  first: Float64Array;
  second: Float64Array;
  /** 1 where the row counts; 0 where it is left out. */
  counted: Uint8Array;
};

export type MetricRequest = {
  store: ContentStore;
  queries: Queries;
  /** A bundle whose metrics are to be computed. */
  bundle: string;
  /** For saying where in the notebook a metric's function failed. */
  sourceMap?: string | undefined;
  metrics: DescribedMetric[];
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
  const values = await onePass(request, indexes, { withParts: false }, (slice) =>
    finished(slice, request, indexes),
  );
  return values.ok ? ok(values.value.map(({ value, rows }) => ({ value, rows }))) : values;
}

/** Some of a bundle's metrics over one table with every row's parts: 17 bytes a row and metric. None of them may be free. */
export async function readMetricParts(
  request: MetricRequest & { only: number[] },
): Promise<Result<MetricParts[]>> {
  const { store, table, metrics, only } = request;
  if (only.some((index) => statisticOf[metrics[index]?.kind ?? "free"] === "free"))
    throw new TypeError("A free metric has no parts.");
  const length = store.tableInfo(table)?.rows ?? 0;
  const parts = only.map(() => ({
    first: new Float64Array(length),
    second: new Float64Array(length),
    counted: new Uint8Array(length),
  }));
  let at = 0;
  const take = ({ rows, read }: SliceBatch): boolean => {
    if (rows.byteLength !== read * 17 * only.length || at + read > length) return false;
    for (const [index, { first, second, counted }] of parts.entries()) {
      const bytes = rows.slice(index * read * 17, (index + 1) * read * 17);
      first.set(new Float64Array(bytes.buffer, 0, read), at);
      second.set(new Float64Array(bytes.buffer, read * 8, read), at);
      counted.set(bytes.subarray(read * 16), at);
    }
    at += read;
    return true;
  };
  const values = await onePass(request, only, { withParts: true, take }, (slice) =>
    finished(slice, request, only),
  );
  if (!values.ok) return values;
  return ok(
    parts.map((part, index) => {
      const { value = null, rows = 0 } = values.value[index] ?? {};
      return { value, rows, ...part };
    }),
  );
}

/** A free metric's numbers over resampled rows: as many as fit its budget. */
export async function resampleMetric(
  request: MetricRequest & { index: number },
  resampling: { seed: number[]; count: number; resamples: number; budgetMs: number },
  units: Int32Array,
): Promise<Result<(number | null)[]>> {
  return onePass(request, [request.index], { withParts: false }, (slice) =>
    slice.resample({ metric: 0, ...resampling }, units, request.signal),
  );
}

type Sent = { rows: number; answer: Promise<Result<SliceBatch>> };
type Pass = { withParts: boolean; take?: (batch: SliceBatch) => boolean };

/** Feeds a table to a slice guest with some of the bundle's metrics, and asks it at the end. */
async function onePass<Answer>(
  request: MetricRequest,
  indexes: number[],
  { withParts, take = () => true }: Pass,
  ask: (slice: Slice) => Promise<Result<Answer>>,
): Promise<Result<Answer>> {
  const { store, queries, bundle, table, signal, sourceMap } = request;
  const info = store.tableInfo(table);
  if (!info)
    return fail({
      code: "table-missing",
      message: `Table ${table.slice(0, 12)} is not in the content store.`,
      hint: "Run the cell that makes it again.",
    });
  const opened = await openSlice({
    bundle,
    entry: { kind: "metrics", indexes, withParts },
    input: info.columns,
  });
  if (!opened.ok) return fail(placedInSource(opened.problem, sourceMap));
  const slice = opened.value;
  let rows = 0;
  const settle = async (sent: Sent | undefined): Promise<void> => {
    if (!sent) return;
    const done = await sent.answer;
    if (!done.ok) throw new ProblemError(done.problem);
    // How many rows there were is known here, and not the guest's to say.
    if (done.value.read !== sent.rows || !take(done.value)) throw new ProblemError(partsMissing);
    rows += sent.rows;
  };
  try {
    let ahead: Sent | undefined;
    const columns = columnsToRead(slice, info);
    for await (const batch of queries.read({ table, columns, ...(signal ? { signal } : {}) })) {
      const next = { rows: decodeStream(batch, []).length, answer: slice.run(batch, signal) };
      await settle(ahead);
      ahead = next;
    }
    await settle(ahead);
    if (rows !== info.rows) throw new ProblemError(partsMissing);
    const answer = await ask(slice);
    if (!answer.ok) return fail(placedInSource(answer.problem, sourceMap));
    return answer;
  } catch (error) {
    if (error instanceof ProblemError) return fail(placedInSource(error.problem, sourceMap));
    throw error;
  } finally {
    await slice.close();
  }
}

const partsMissing: Problem = {
  code: "guest-garbage",
  message: "The guest answered with other parts than its rows have, and was ended.",
  hint: "Nothing of this metric was kept. Run again.",
};

/** A count of rows looks at no column: one is read for the number of them. */
function columnsToRead(slice: Slice, info: TableInfo): string[] {
  return slice.columns.length > 0 ? slice.columns : names(info.columns).slice(0, 1);
}

/** What the guest says of its metrics; a row that failed fails the metric. */
async function finished(
  slice: Slice,
  { metrics }: MetricRequest,
  indexes: number[],
): Promise<Result<MetricValue[]>> {
  const values = await slice.finish();
  if (!values.ok) return values;
  for (const [at, { failed, first }] of values.value.entries()) {
    if (!first) continue;
    const { name = "" } = metrics[indexes[at] ?? 0] ?? {};
    return fail(metricProblem(name, failed, first));
  }
  return values;
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
