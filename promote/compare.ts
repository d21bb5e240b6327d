import { setImmediate } from "node:timers/promises";
import { evaluate, evaluateTransform } from "#kernel/evaluate.ts";
import type { RecordError } from "#kernel/run-transform.ts";
import type { DiffRequest, DiffSummary } from "#snapshots/diff.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import type { TableHash, TableInfo } from "#snapshots/table.ts";
import { readSnapshot } from "#snapshots/workspace.ts";
import { canonicalJson, hashOf } from "./canonical-json.ts";
import { readSide, type Side, type Version } from "./compare-side.ts";
import { contractChanges, type ContractChange } from "./compatibility.ts";
import { compareOutcomes } from "./outcomes/compare-outcomes.ts";
import type { MetricPair } from "./outcomes/answer.ts";
import type { Workbench } from "./workbench.ts";

export type { Version } from "./compare-side.ts";
export type { MetricPair } from "./outcomes/answer.ts";

/** What one version made of the snapshot: read = written + filtered + failed, each in input records. */
export type ComparedSide = {
  version: Version;
  label: string;
  table: TableInfo;
  read: number;
  written: number;
  filtered: number;
  failed: number;
  /** The first failures. */
  errors: RecordError[];
  /** SHA-256 of the bytes that ran. */
  bundle: string;
};

/** Two versions of a transform on one snapshot. Its id is a hash of what went in: the same question has the same answer. */
export type Comparison = {
  id: string;
  at: string;
  notebook: string;
  transform: string;
  snapshot: { name: string; hash: TableHash };
  before: ComparedSide;
  after: ComparedSide;
  /** Columns rows were paired by, or their position in the snapshot. */
  key: string[] | "position";
  summary: DiffSummary;
  metrics: MetricPair[];
  contract: ContractChange[];
};

type Key = Comparison["key"];

/** `last`: what the same question was answered last, to be looked at until it is known whether that still holds. */
export type CompareProgress = { step: string; fraction?: number; last?: Comparison };

export type CompareRequest = {
  workbench: Workbench;
  notebook: string;
  transform: string;
  before: Version;
  after: Version;
  /** Compare on another snapshot than the one the later version names. */
  snapshot?: string | undefined;
  key?: string[] | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: CompareProgress) => void) | undefined;
};

/** Runs two versions on the same snapshot and compares what they made, row by row and metric by metric. */
export async function compare(request: CompareRequest): Promise<Result<Comparison>> {
  const { workbench, onProgress } = request;
  const last = request.snapshot || request.key ? undefined : lastComparison(workbench, request);
  onProgress?.({ step: "Building both versions", ...(last ? { last } : {}) });
  // Reading and bundling hold the thread: what is known already goes out first.
  if (last) await setImmediate();
  const before = await readSide(workbench, request.before, request);
  if (!before.ok) return before;
  const after = await readSide(workbench, request.after, request);
  if (!after.ok) return after;
  const compared = await compareSides(request, before.value, after.value);
  if (compared.ok) workbench.state.askComparison(compared.value.id, workbench.now());
  return compared;
}

/** The same for versions that are bundles already. */
export async function compareSides(
  request: Omit<CompareRequest, "before" | "after">,
  before: Side,
  after: Side,
): Promise<Result<Comparison>> {
  const { workbench, notebook, transform, signal } = request;
  const { store, state, now } = workbench;
  const input = await inputOf(workbench, after, request.snapshot, signal);
  if (!input.ok) return input;
  const key = request.key ?? "position";
  const id = hashOf({
    format: 2,
    notebook,
    transform,
    snapshot: input.value,
    key,
    before: identityOf(before),
    after: identityOf(after),
    metrics: after.metrics?.sha256,
  }).slice(0, 24);

  const known = readComparison(workbench, id);
  if (known && [known.before, known.after].every(({ table }) => store.tableInfo(table.hash))) {
    return ok(known);
  }

  // What one of two tasks side by side still does when the other has failed ends when the comparison does.
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const sides = await runBoth(
    request,
    { before, after, input: input.value.hash, key },
    either,
  ).finally(() => stop.abort());
  if (!sides.ok) return sides;
  const { left, right, summary, metrics } = sides.value;

  const comparison: Comparison = {
    id,
    at: now().toISOString(),
    notebook,
    transform,
    snapshot: input.value,
    key,
    before: left,
    after: right,
    summary,
    metrics,
    contract: contractChanges(before.output, after.output),
  };
  state.putComparison({ id, document: comparison });
  return ok(comparison);
}

/** Both sides, what differs between them, and what each measures. */
async function runBoth(
  request: Pick<CompareRequest, "workbench" | "transform" | "signal" | "onProgress">,
  { before, after, input, key }: { before: Side; after: Side; input: TableHash; key: Key },
  signal: AbortSignal,
) {
  const { workbench, transform, onProgress } = request;
  const left = await runSide(workbench, before, transform, input, request);
  if (!left.ok) return left;
  const right = await runSide(workbench, after, transform, input, request);
  if (!right.ok) return right;
  const tables = { before: left.value.table.hash, after: right.value.table.hash };
  onProgress?.({ step: "Comparing rows and measuring outcomes" });
  const [summary, metrics] = await Promise.all([
    diffOnce(workbench, {
      left: { kind: "table", hash: tables.before },
      right: { kind: "table", hash: tables.after },
      key,
      signal,
    }),
    compareOutcomes({
      workbench,
      metrics: after.metrics,
      transform,
      ...tables,
      input: { expression: after.input, table: input },
      signal,
    }),
  ]);
  if (!summary.ok) return summary;
  if (!metrics.ok) return metrics;
  const found = { summary: summary.value, metrics: metrics.value };
  return ok({ left: left.value, right: right.value, ...found });
}

/** Two tables are compared once: the counts are kept by their hashes. */
async function diffOnce(
  { store, queries }: Workbench,
  request: DiffRequest,
): Promise<Result<DiffSummary>> {
  const { left, right, key } = request;
  const entry = `diff 2 ${JSON.stringify([left, right, key])}`;
  const known = store.getEntry(entry);
  // Written below under a key that holds both tables' hashes.
  if (known !== undefined) return ok(JSON.parse(known) as DiffSummary);
  const summary = await queries.diff(request);
  if (summary.ok) store.putEntry(entry, JSON.stringify(summary.value));
  return summary;
}

/** What tells a side from another in a comparison's id: its bytes and tables, and the name it was asked for by. */
function identityOf({ label, sha256, lookups }: Side) {
  return { label, sha256, lookups };
}

// Written by compareSides in this file's own shape.
export function readComparison(
  { state }: Pick<Workbench, "state">,
  id: string,
): Comparison | undefined {
  return state.comparison(id) as Comparison | undefined;
}

/** The comparisons somebody asked for last, newest first; `at` is when they asked. */
export function recentComparisons(
  { state }: Pick<Workbench, "state">,
  limit: number,
): Comparison[] {
  const recent = state.recentComparisons(limit);
  return recent.map(({ askedAt, document }) => ({ ...(document as Comparison), at: askedAt }));
}

/** The last answer to a question asked in the same words; either version may have changed since. */
export function lastComparison(
  workbench: Pick<Workbench, "state" | "store">,
  question: Pick<CompareRequest, "notebook" | "transform" | "before" | "after">,
): Comparison | undefined {
  const words = ({ notebook, transform, before, after }: typeof question) =>
    canonicalJson({ notebook, transform, before, after });
  return recentComparisons(workbench, 50).find(
    ({ notebook, transform, before, after }) =>
      words({ notebook, transform, before: before.version, after: after.version }) ===
        words(question) &&
      [before, after].every(({ table }) => workbench.store.tableInfo(table.hash)),
  );
}

/** The table both sides run on: the named snapshot, else what the later version reads. */
async function inputOf(
  { workspace, store, queries }: Workbench,
  { input }: Side,
  snapshot: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Result<{ name: string; hash: TableHash }>> {
  const name = snapshot ?? (input.kind === "snapshot" ? input.name : undefined);
  if (name !== undefined) {
    const manifest = readSnapshot(workspace, name);
    return manifest.ok ? ok({ name, hash: manifest.value.hash }) : manifest;
  }
  const evaluated = await evaluate({ workspace, store, queries }, input, undefined, { signal });
  if (!evaluated.ok) return evaluated;
  return ok({ name: "a query's result", hash: evaluated.value.table.hash });
}

/** One version over the whole input; from the store's cache when these bytes have read this table before. */
export async function runSide(
  { workspace, store, queries }: Workbench,
  side: Side,
  transform: string,
  input: TableHash,
  request: Pick<CompareRequest, "signal" | "onProgress">,
): Promise<Result<ComparedSide>> {
  const { signal, onProgress } = request;
  const step = `Running ${side.label}`;
  onProgress?.({ step });
  const ran = await evaluateTransform({
    workspace,
    store,
    queries,
    transform,
    input,
    bundle: side.bundle,
    sourceMap: side.sourceMap,
    lookups: side.lookups,
    output: side.output.columns,
    signal,
    onProgress: (fraction) =>
      onProgress?.({
        step,
        fraction,
      }),
  });
  if (!ran.ok) return ran;
  const { table, read, written, filtered, failed, errors } = ran.value;
  const { version, label, sha256: bundle } = side;
  return ok({ version, label, table, read, written, filtered, failed, errors, bundle });
}
