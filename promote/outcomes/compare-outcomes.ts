import { statisticOf } from "#kernel/guest/runtime/metric-statistic.ts";
import {
  evaluateMetrics,
  readMetricParts,
  type MetricParts,
  type MetricRequest,
} from "#kernel/run-metric.ts";
import { fail, ok, ProblemError, type Problem, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";
import { sha256 } from "../canonical-json.ts";
import type { Side } from "../compare-side.ts";
import type { MetricPair, Outcome } from "./answer.ts";
import { freeOutcome } from "./free.ts";
import { rowPairing, type PairRows, type Paired, type PairedTables } from "./pair.ts";
import { interrupted, isFunctionsOwn } from "./problem.ts";
import { metricTables, type MetricTables } from "./tables.ts";
import { openOutcomesThread } from "./thread.ts";
import type { Workbench } from "../workbench.ts";

export type OutcomesRequest = {
  workbench: Pick<Workbench, "workspace" | "store" | "queries">;
  /** The later version's: its metrics are asked of both tables. */
  metrics: Side["metrics"];
  /** What made the tables, and what they were made from. */
  transform: string;
  before: TableHash;
  after: TableHash;
  input: { expression: Side["input"]; table: TableHash };
  signal: AbortSignal;
};

type Described = MetricRequest["metrics"][number];
type Asked = { index: number; metric: Described; tables: PairedTables };

/** Rows times metrics that are held at once, 17 bytes each on either side. */
const mostParts = 8_000_000;

/**
 * Every metric before and after with the interval of the difference. The same bundles over the same tables give the same numbers; but a free
 * metric's interval, which has as many resamples as its time allows.
 */
export async function compareOutcomes(request: OutcomesRequest): Promise<Result<MetricPair[]>> {
  const { metrics, workbench, signal } = request;
  if (!metrics) return ok([]);
  const { store, queries } = workbench;
  const { code: bundle, metrics: described } = metrics;
  const thread = openOutcomesThread(signal);
  const pairRows = rowPairing({ store, queries, signal });
  const context = { store, queries, signal, bundle, metrics: described, thread, pairRows };
  try {
    const pairs = await pairsOf(request, context, described);
    return signal.aborted ? fail(interrupted) : pairs;
  } catch (error) {
    if (error instanceof ProblemError) return fail(error.problem);
    throw error;
  } finally {
    await thread.close();
  }
}

type Context = Omit<MetricRequest, "table"> & {
  signal: AbortSignal;
  thread: ReturnType<typeof openOutcomesThread>;
  pairRows: PairRows;
};

async function pairsOf(
  request: OutcomesRequest,
  context: Context,
  described: Described[],
): Promise<Result<MetricPair[]>> {
  const pairs = new Map<number, MetricPair>();
  const asked: Asked[] = [];
  for (const [index, metric] of described.entries()) {
    const tables = await metricTables(request, metric.table);
    if (!tables.ok) return tables;
    if (tables.value.kind === "both") {
      asked.push({ index, metric, tables: tables.value });
      continue;
    }
    const pair = await withoutTable(context, metric, index, tables.value);
    if (!pair.ok) return pair;
    pairs.set(index, pair.value);
  }
  for (const some of passes(request.workbench, asked)) {
    const found = await measured(context, some);
    if (!found.ok) return found;
    for (const [at, pair] of found.value.entries()) pairs.set(some[at]?.index ?? 0, pair);
  }
  return ok([...described.keys()].flatMap((index) => pairs.get(index) ?? []));
}

/** A metric whose table is not there on both sides: its failure is its own, and the others are compared. */
async function withoutTable(
  context: Context,
  metric: Described,
  index: number,
  tables: Exclude<MetricTables, { kind: "both" }>,
): Promise<Result<MetricPair>> {
  if (tables.kind === "none") return ok(unmeasured(metric, null, tables.reason));
  const after = await evaluateMetrics({ ...context, table: tables.after, only: [index] });
  if (!after.ok) return after;
  return ok(withoutBefore(metric, after.value[0]?.value ?? null, tables.problem));
}

/** Metrics of one pair of tables go over them in one pass, as many as memory allows; a free metric goes by itself. */
function passes({ store }: Pick<Workbench, "store">, asked: Asked[]): Asked[][] {
  const free = asked.filter(({ metric }) => metric.kind === "free");
  const groups = Map.groupBy(
    asked.filter(({ metric }) => metric.kind !== "free"),
    ({ tables }) => `${tables.before} ${tables.after}`,
  );
  return [
    ...[...groups.values()].flatMap((group) => {
      const [{ tables } = { tables: undefined }] = group;
      const sides = tables ? [tables.before, tables.after] : [];
      const rows = Math.max(...sides.map((side) => store.tableInfo(side)?.rows ?? 0));
      const size = Math.max(1, Math.floor(mostParts / Math.max(rows, 1)));
      return Array.from({ length: Math.ceil(group.length / size) }, (_, at) =>
        group.slice(at * size, (at + 1) * size),
      );
    }),
    ...free.map((one) => [one]),
  ];
}

async function measured(context: Context, asked: Asked[]): Promise<Result<MetricPair[]>> {
  const [{ metric, index, tables } = {}] = asked;
  if (!metric || index === undefined || !tables) return ok([]);
  if (metric.kind === "free") return freeMeasured(context, { metric, index, tables });
  const only = asked.map(({ index }) => index);
  const [was, is] = await Promise.all([
    readMetricParts({ ...context, table: tables.before, only }),
    tables.before === tables.after
      ? undefined
      : readMetricParts({ ...context, table: tables.after, only }),
  ]);
  const after = is ?? was;
  if (!after.ok) return after;
  if (!was.ok && !isFunctionsOwn(was.problem)) return was;
  // The metrics are written for the later version's columns: where earlier rows lack what one needs, the others still have a number.
  if (!was.ok && asked.length > 1) {
    const pairs: MetricPair[] = [];
    for (const one of asked) {
      const found = await measured(context, [one]);
      if (!found.ok) return found;
      pairs.push(...found.value);
    }
    return ok(pairs);
  }
  const pairs: MetricPair[] = [];
  for (const [at, one] of asked.entries()) {
    const late = after.value[at];
    if (!late) continue;
    if (!was.ok) {
      pairs.push(withoutBefore(one.metric, late.value, was.problem));
      continue;
    }
    const early = was.value[at];
    if (!early) continue;
    const pair = await bootstrapped(context, one, early, late);
    if (!pair.ok) return pair;
    pairs.push(pair.value);
  }
  return ok(pairs);
}

async function bootstrapped(
  context: Context,
  { metric, tables, index }: Asked,
  early: MetricParts,
  late: MetricParts,
): Promise<Result<MetricPair>> {
  const values = { before: early.value, after: late.value };
  const paired = await context.pairRows(tables, metric);
  if (!paired.isPaired) return ok(withoutInterval(metric, values, paired));
  const statistic = statisticOf[metric.kind];
  if (statistic === "free") throw new TypeError("A free metric has no parts.");
  const answer = await context.thread.outcomeOf({
    statistic,
    better: metric.better ?? null,
    before: { ...early, unit: paired.before },
    after: { ...late, unit: paired.after },
    units: paired.units,
    isWhole: paired.isWhole && statistic === "total",
    seed: seedOf(context, tables, index),
    by: paired.by,
    segments: paired.segments,
  });
  if (!answer.ok) return answer;
  const { resampled, segments, ...outcome } = answer.value;
  return ok({
    ...named(metric),
    ...outcome,
    // As the guest summed them: the same digits as under the notebook's cell.
    ...values,
    difference: differenceOf(values),
    resampled,
    segments,
    warnings: warningsOf(metric, paired, resampled.units),
  });
}

async function freeMeasured(
  context: Context,
  { metric, tables, index }: Asked,
): Promise<Result<MetricPair[]>> {
  const [was, is] = await Promise.all(
    [tables.before, tables.after].map((table) =>
      evaluateMetrics({ ...context, table, only: [index] }),
    ),
  );
  if (!was || !is) throw new TypeError("A side is missing.");
  if (!is.ok) return is;
  const after = is.value[0]?.value ?? null;
  if (!was.ok)
    return isFunctionsOwn(was.problem) ? ok([withoutBefore(metric, after, was.problem)]) : was;
  const values = { before: was.value[0]?.value ?? null, after };
  const paired = await context.pairRows(tables, metric);
  if (!paired.isPaired) return ok([withoutInterval(metric, values, paired)]);
  const seed = seedOf(context, tables, index);
  const found = await freeOutcome(context, {
    index,
    tables,
    paired,
    seed,
    values,
    better: metric.better ?? null,
  });
  if (!found.ok) return found;
  const { resampled, ...outcome } = found.value;
  const warnings = warningsOf(metric, paired, resampled.units);
  return ok([{ ...named(metric), ...outcome, resampled, segments: null, warnings }]);
}

/** What is compared decides what is drawn. */
function seedOf({ bundle }: Context, { before, after }: PairedTables, index: number): number[] {
  const hash = sha256(JSON.stringify(["outcome 1", sha256(bundle), index, before, after]));
  return [0, 8, 16, 24].map((at) => Number.parseInt(hash.slice(at, at + 8), 16));
}

function named({ name, kind, better }: Described): Pick<MetricPair, "name" | "kind" | "better"> {
  return { name, kind, better: better ?? null };
}

type Values = { before: number | null; after: number | null };

function differenceOf({ before, after }: Values): number | null {
  return before === null || after === null ? null : after - before;
}

const nothing = {
  interval: null,
  verdict: null,
  resampled: null,
  segments: null,
} satisfies Partial<MetricPair>;

function withoutBefore(metric: Described, after: number | null, problem: Problem): MetricPair {
  const reason = `The earlier version's rows do not give it: ${problem.message}`;
  return unmeasured(metric, after, reason);
}

function unmeasured(metric: Described, after: number | null, noInterval: string): MetricPair {
  const outcome: Outcome = { before: null, after, difference: null, ...nothing, noInterval };
  return { ...named(metric), ...outcome, ...nothing, warnings: metric.warnings ?? [] };
}

function withoutInterval(
  metric: Described,
  values: Values,
  paired: Extract<Paired, { isPaired: false }>,
): MetricPair {
  const difference = differenceOf(values);
  const verdict = metric.better === undefined || difference === null ? null : "cannot tell";
  const warnings = warningsOf(metric, paired, manyClusters);
  return {
    ...named(metric),
    ...values,
    difference,
    ...nothing,
    verdict,
    noInterval: paired.reason,
    warnings,
  };
}

/** Below so many clusters an interval is a rough one: the t quantiles help, and cannot make up for what was not seen. */
const manyClusters = 20;

function warningsOf(
  { resample, warnings = [] }: Described,
  paired: Paired,
  units: number,
): string[] {
  const isRough = resample !== undefined && units < manyClusters;
  const rough = `\`${resample?.by}\` has only ${units} values: an interval from so few clusters is rough, and usually too short.`;
  return [...warnings, ...paired.warnings, ...(isRough ? [rough] : [])];
}
