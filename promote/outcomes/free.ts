import { resampleMetric, type MetricRequest } from "#kernel/run-metric.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import { judged, type Outcome, type Resampled } from "./answer.ts";
import type { Paired, PairedTables } from "./pair.ts";
import { isFunctionsOwn } from "./problem.ts";

type Context = Omit<MetricRequest, "table">;

/** What both sides' resamples together may take; the sides run beside each other. */
const budgetMs = 10_000;
const wanted = 1_000;
/** Fewer say nothing about a 95 % interval's ends. */
const least = 200;

/** A free metric's outcome: its function is called on resampled rows, as often as the budget allows. */
export async function freeOutcome(
  context: Context,
  asked: {
    index: number;
    tables: PairedTables;
    paired: Extract<Paired, { isPaired: true }>;
    seed: number[];
    values: Pick<Outcome, "before" | "after">;
    better: "higher" | "lower" | null;
  },
): Promise<Result<Outcome & { resampled: Resampled }>> {
  const { index, tables, paired, seed, values, better } = asked;
  const isUnchanged = tables.before === tables.after;
  if (isUnchanged) {
    const resampled = { by: paired.by, units: paired.units, resamples: 0, budgetMs };
    const answer = { ...values, isUnchanged, differences: new Float64Array(0) };
    const { p: _, ...outcome } = judged(answer, { better, ...resampled });
    return ok({ ...outcome, resampled });
  }
  const draw = { seed, count: paired.units, resamples: wanted, budgetMs };
  const [was, is] = await Promise.all([
    resampleMetric({ ...context, table: tables.before, index }, draw, paired.before),
    resampleMetric({ ...context, table: tables.after, index }, draw, paired.after),
  ]);
  const failed = was.ok ? (is.ok ? undefined : is.problem) : was.problem;
  for (const side of [was, is]) if (!side.ok && !isFunctionsOwn(side.problem)) return side;
  const early = was.ok ? was.value : [];
  const late = is.ok ? is.value : [];
  const resamples = Math.min(early.length, late.length);
  const differences = Float64Array.from(
    late.slice(0, resamples).flatMap((value, at) => {
      const before = early[at] ?? null;
      return value === null || before === null ? [] : [value - before];
    }),
  );
  const resampled = { by: paired.by, units: paired.units, resamples, budgetMs };
  const answer = { ...values, isUnchanged, differences };
  const { p: _, ...outcome } = judged(answer, { better, ...resampled });
  if (outcome.difference === null || resamples >= least) return ok({ ...outcome, resampled });
  const noInterval = failed
    ? `Its function failed on resampled rows: ${failed.message}`
    : `Only ${resamples} resamples fitted its budget of ${budgetMs / 1000} s; an interval needs ${least}. Metrics with parts per record, such as metric.mean, have no such limit.`;
  const verdict = better === null ? null : "cannot tell";
  return ok({ ...outcome, interval: null, noInterval, verdict, resampled });
}
