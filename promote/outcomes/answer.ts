import type { Statistic } from "#kernel/guest/runtime/metric-statistic.ts";
import { holm, intervalOf, pValue, verdictOf, type Interval, type Verdict } from "./interval.ts";
import { mostDrawn } from "./resample.ts";
import { chosenRows, measure, presentUnits, withoutUncounted, type SideRows } from "./measure.ts";

/** A number on both sides, what it moved by, and how sure that is. */
export type Outcome = {
  before: number | null;
  after: number | null;
  /** after − before; null where a side has no number. */
  difference: number | null;
  /** 95 %, of the difference; null where there is none, and `noInterval` says why. */
  interval: Interval | null;
  noInterval: string | null;
  /** Null where the metric says not which way is better. */
  verdict: Verdict | null;
};

/** What was drawn for the intervals: `units` records or clusters, `resamples` times, from `seed`. */
export type Resampled = {
  by: "record" | { column: string };
  units: number;
  resamples: number;
  /** A free metric's: as many resamples as fitted this time. */
  budgetMs?: number;
};

export type Segment = Outcome & {
  /** The column's value; days as 2001-03-01; null for NULL. */
  value: string | null;
  /** Rows of both sides together. */
  rows: number;
};

/** The largest segments first. Their verdicts hold for all of them together (Holm 1979). */
export type Segments = { by: string; list: Segment[]; of: number; warning: string };

/** A metric of the later version's notebook, before and after. `before` is null where the earlier rows do not give it. */
export type MetricPair = Outcome & {
  name: string;
  kind: string;
  better: "higher" | "lower" | null;
  /** Null where nothing was drawn. */
  resampled: Resampled | null;
  segments: Segments | null;
  /** What to know before believing it. */
  warnings: string[];
};

export type OutcomeRequest = {
  statistic: Exclude<Statistic, "free">;
  better: "higher" | "lower" | null;
  before: SideRows;
  after: SideRows;
  units: number;
  /** Records that neither side has a row of are drawn too. */
  isWhole: boolean;
  seed: number[];
  by: Resampled["by"];
  segments: { by: string; before: Int32Array; after: Int32Array; values: (string | null)[] } | null;
};

export type OutcomeAnswer = Outcome & { resampled: Resampled; segments: Segments | null };

/** So many segments get a number of their own. */
const mostSegments = 20;
/** Drawing few units costs nothing, and their tails are what a small sample turns on. */
const resamplesOf = (units: number): number => (units <= mostDrawn ? 2_000 : 1_000);
const leastUnits = 2;
const leastShare = 0.95;

/** A metric's outcome, and its segments'. Pure: the same request has the same answer. */
export function outcomeOf(request: OutcomeRequest): OutcomeAnswer {
  const { before, after, by, segments } = request;
  const drawn = drawnUnits(request, before, after);
  const { p: _, ...whole } = one(request, drawn);
  return {
    ...whole,
    resampled: { by, units: drawn.units, resamples: resamplesOf(drawn.units) },
    segments: segments && segmentsOf(request, segments),
  };
}

type Sides = { before: SideRows; after: SideRows; units: number };

/**
 * The units that are drawn. Of a number that is a sum, how many are left out is part; any other is of the units it counts: those it leaves
 * out would dilute the draws, and make few units look like many.
 */
function drawnUnits(
  { statistic, isWhole, units }: OutcomeRequest,
  before: SideRows,
  after: SideRows,
): Sides {
  if (isWhole) return { before, after, units };
  if (statistic === "total") return presentUnits(before, after, units);
  return presentUnits(withoutUncounted(before), withoutUncounted(after), units);
}

function one(
  { statistic, better, seed, by }: OutcomeRequest,
  { before, after, units }: Sides,
): Outcome & { p: number } {
  const resamples = resamplesOf(units);
  const answer = measure({ statistic, before, after, units, seed, resamples });
  return judged(answer, { better, by, units, resamples });
}

/** What the differences of some resamples say. */
export function judged(
  answer: Pick<Outcome, "before" | "after"> & { isUnchanged: boolean; differences: Float64Array },
  asked: { better: "higher" | "lower" | null } & Resampled,
): Outcome & { p: number } {
  const { before, after, isUnchanged, differences } = answer;
  const { better, units } = asked;
  const difference = before === null || after === null ? null : after - before;
  const noInterval = isUnchanged ? null : reasonOf(difference, differences.length, asked);
  const isKnown = difference !== null && noInterval === null;
  const interval = !isKnown
    ? null
    : isUnchanged
      ? { low: 0, high: 0, level: 0.95 as const }
      : intervalOf(differences, units);
  const p = isKnown && !isUnchanged ? pValue(difference, differences, units) : 1;
  const verdict = difference === null ? null : verdictOf(better, isUnchanged, interval);
  return { before, after, difference, interval, noInterval, verdict, p };
}

function reasonOf(difference: number | null, got: number, { by, units, resamples }: Resampled) {
  if (difference === null) return "One side has no number.";
  if (units < leastUnits) {
    return by === "record"
      ? "There is only one record."
      : `All rows have one value of \`${by.column}\`: nothing can be drawn.`;
  }
  if (got >= resamples * leastShare) return null;
  return `Of ${resamples.toLocaleString("en-US")} resamples only ${got.toLocaleString("en-US")} gave a number on both sides: what the metric needs is too rare.`;
}

function segmentsOf(
  request: OutcomeRequest,
  { by, before: was, after: is, values }: NonNullable<OutcomeRequest["segments"]>,
): Segments {
  const sizes = new Float64Array(values.length);
  for (const codes of [was, is]) for (const code of codes) sizes[code] = (sizes[code] ?? 0) + 1;
  const largest = [...values.keys()]
    .filter((code) => (sizes[code] ?? 0) > 0)
    .toSorted((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || a - b);
  const measured = largest.slice(0, mostSegments).map((code) => {
    const before = chosenRows(request.before, (row) => was[row] === code);
    const after = chosenRows(request.after, (row) => is[row] === code);
    const { p, ...outcome } = one(request, drawnUnits(request, before, after));
    return { p, segment: { value: values[code] ?? null, rows: sizes[code] ?? 0, ...outcome } };
  });
  const standing = holm(measured.map(({ p }) => p));
  const list = measured.map(({ segment }, at) =>
    isClaim(segment.verdict) && !standing[at]
      ? { ...segment, verdict: "cannot tell" as const }
      : segment,
  );
  return { by, list, of: largest.length, warning: warningOf(list.length, largest.length) };
}

function isClaim(verdict: Verdict | null): boolean {
  return verdict === "improved" || verdict === "worse";
}

function warningOf(shown: number, of: number): string {
  const left = of > shown ? ` of ${of.toLocaleString("en-US")} (the largest)` : "";
  return `${shown} segments${left} are ${shown} comparisons: of ${shown} intervals one in twenty misses by chance alone. The verdicts allow for that (Holm); the intervals do not.`;
}
