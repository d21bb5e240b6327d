import { studentQuantile, studentTails } from "./student.ts";

/** A 95 % interval of a difference, after − before. */
export type Interval = { low: number; high: number; level: 0.95 };

export type Verdict = "improved" | "worse" | "cannot tell" | "unchanged";

const alpha = 0.05;

/**
 * The expanded percentile interval (Hesterberg 2015, "What teachers should know about the bootstrap", §5.2): the percentiles of the resampled
 * differences, moved outwards for few units as Student's t does; for many it is the plain percentile interval.
 */
export function intervalOf(differences: Float64Array, units: number): Interval {
  const sorted = differences.toSorted();
  const tail = normalBelow(
    -Math.sqrt(units / (units - 1)) * studentQuantile(1 - alpha / 2, units - 1),
  );
  return { low: percentile(sorted, tail), high: percentile(sorted, 1 - tail), level: 0.95 };
}

/** Two-sided, of no difference: the difference over the resamples' standard deviation, by Student's t. */
export function pValue(difference: number, differences: Float64Array, units: number): number {
  const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  const squares = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (differences.length - 1));
  if (deviation === 0) return difference === 0 ? 1 : 0;
  const t = (Math.abs(difference) / deviation) * Math.sqrt((units - 1) / units);
  return studentTails(t, units - 1);
}

/** Holm (1979): which of several p-values stand when the chance of a single false one is to stay below 5 %. In their order. */
export function holm(values: number[]): boolean[] {
  const order = [...values.keys()].toSorted((a, b) => (values[a] ?? 1) - (values[b] ?? 1));
  const failing = order.findIndex((at, rank) => (values[at] ?? 1) > alpha / (values.length - rank));
  const standing = new Set(failing < 0 ? order : order.slice(0, failing));
  return values.map((_, at) => standing.has(at));
}

/** What an interval says, where a way is declared good. */
export function verdictOf(
  better: "higher" | "lower" | null,
  isUnchanged: boolean,
  interval: Interval | null,
): Verdict | null {
  if (better === null) return null;
  if (isUnchanged) return "unchanged";
  if (interval === null || (interval.low <= 0 && interval.high >= 0)) return "cannot tell";
  return interval.low > 0 === (better === "higher") ? "improved" : "worse";
}

/** Linear between order statistics (Hyndman & Fan's definition 6, whose tails do not shrink). */
function percentile(sorted: Float64Array, at: number): number {
  const place = Math.min(Math.max(at * (sorted.length + 1) - 1, 0), sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? 0;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? low;
  return low === high ? low : low + (place - below) * (high - low);
}

/** Φ, by Abramowitz & Stegun 26.2.17: within 1e-7. */
function normalBelow(z: number): number {
  const t = 1 / (1 + 0.231_641_9 * Math.abs(z));
  const series = [0.319_381_53, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
  const sum = series.reduceRight((rest, factor) => (rest + factor) * t, 0);
  const above = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
  return z < 0 ? above : 1 - above;
}
