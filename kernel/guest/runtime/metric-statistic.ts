import type { MetricKind } from "./metric-descriptors.ts";

/**
 * How a metric's parts make its number. Every record has two parts, `first` and `second`:
 *
 * - `total`: the sum of first. `ratio`: the sum of first over the sum of second; `rootRatio`: its square root.
 * - `calibration`: first is probability − truth, second the bin: the bins' absolute sums over the number of records.
 * - `auc`: first is the score, second the truth (1 or 0).
 * - `free`: it has no parts.
 */
export type Statistic = "total" | "ratio" | "rootRatio" | "calibration" | "auc" | "free";

export const statisticOf: Record<MetricKind, Statistic> = {
  mean: "ratio",
  sum: "total",
  count: "total",
  ratio: "ratio",
  accuracy: "ratio",
  precision: "ratio",
  recall: "ratio",
  // 2·TP / (predicted + actual): the harmonic mean of precision and recall as one ratio of sums.
  f1: "ratio",
  auc: "auc",
  logLoss: "ratio",
  calibration: "calibration",
  mae: "ratio",
  rmse: "rootRatio",
  free: "free",
};

/** Bins of equal width that expected calibration error is taken over (Naeini, Cooper & Hauskrecht 2015). */
export const calibrationBins = 10;

/** null where the sums give no number. */
export function fromSums(statistic: Statistic, first: number, second: number): number | null {
  if (statistic === "total") return finite(first);
  if (second === 0) return null;
  return finite(statistic === "rootRatio" ? Math.sqrt(first / second) : first / second);
}

/** `gaps`: per bin, the sum of probability − truth. */
export function calibrationError(gaps: ArrayLike<number>, records: number): number | null {
  if (records === 0) return null;
  let sum = 0;
  for (let bin = 0; bin < gaps.length; bin += 1) sum += Math.abs(gaps[bin] ?? 0);
  return finite(sum / records);
}

/** Scores from low to high; `ends` marks the last of each run of equal scores. */
export type Ranking = { order: Uint32Array; isPositive: Uint8Array; ends: Uint8Array };

export function rank(scores: Float64Array, truths: Float64Array): Ranking {
  const order = Uint32Array.from(scores.keys());
  order.sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  const isPositive = new Uint8Array(order.length);
  const ends = new Uint8Array(order.length);
  for (let at = 0; at < order.length; at += 1) {
    const row = order[at] ?? 0;
    isPositive[at] = truths[row] ?? 0;
    ends[at] = at + 1 < order.length && scores[order[at + 1] ?? 0] === scores[row] ? 0 : 1;
  }
  return { order, isPositive, ends };
}

/** The chance that a positive record's score is above a negative one's, ties counted half: the Mann–Whitney form, one pass. */
export function areaUnderCurve(
  { order, isPositive, ends }: Ranking,
  weights?: ArrayLike<number>,
): number | null {
  let below = 0;
  let positives = 0;
  let area = 0;
  let tiedPositive = 0;
  let tiedNegative = 0;
  for (let at = 0; at < order.length; at += 1) {
    const weight = weights === undefined ? 1 : (weights[order[at] ?? 0] ?? 0);
    if (isPositive[at] === 1) tiedPositive += weight;
    else tiedNegative += weight;
    if (ends[at] === 0) continue;
    area += tiedPositive * (below + tiedNegative / 2);
    below += tiedNegative;
    positives += tiedPositive;
    tiedPositive = 0;
    tiedNegative = 0;
  }
  return positives === 0 || below === 0 ? null : area / (positives * below);
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
