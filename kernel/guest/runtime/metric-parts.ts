import type { RowFunction } from "./descriptors.ts";
import type { Metric, MetricKind } from "./metric-descriptors.ts";
import { calibrationBins } from "./metric-statistic.ts";
import { shown } from "./shown.ts";

/** A record's two parts, filled in by whoever reads it; docs in metric-statistic.ts. */
export type Parts = { first: number; second: number };

/** Fills a row's parts in; false where the row is left out. Throws what the metric's functions throw, and for what is no number. */
export type ReadParts = (row: unknown, parts: Parts) => boolean;

type Judge = (truth: number, prediction: number, parts: Parts) => void;

/** Below it a probability counts as this: one record that was certain and wrong would otherwise make the mean infinite. */
const leastProbability = 1e-15;

const judges: Partial<Record<MetricKind, Judge>> = {
  precision: (truth, prediction, parts) => {
    parts.first = truth * prediction;
    parts.second = prediction;
  },
  recall: (truth, prediction, parts) => {
    parts.first = truth * prediction;
    parts.second = truth;
  },
  f1: (truth, prediction, parts) => {
    parts.first = 2 * truth * prediction;
    parts.second = truth + prediction;
  },
  auc: (truth, score, parts) => {
    parts.first = score;
    parts.second = truth;
  },
  logLoss: (truth, probability, parts) => {
    const right = truth === 1 ? probability : 1 - probability;
    parts.first = -Math.log(Math.max(right, leastProbability));
    parts.second = 1;
  },
  calibration: (truth, probability, parts) => {
    parts.first = probability - truth;
    parts.second = Math.min(calibrationBins - 1, Math.floor(probability * calibrationBins));
  },
  mae: (truth, prediction, parts) => {
    parts.first = Math.abs(truth - prediction);
    parts.second = 1;
  },
  rmse: (truth, prediction, parts) => {
    parts.first = (truth - prediction) ** 2;
    parts.second = 1;
  },
};

const classes: ReadonlySet<MetricKind> = new Set(["precision", "recall", "f1"]);
const probabilities: ReadonlySet<MetricKind> = new Set(["logLoss", "calibration"]);
const errors: ReadonlySet<MetricKind> = new Set(["mae", "rmse"]);

/** How a metric's row becomes its parts. */
export function partsReader({ kind, functions }: Metric): ReadParts {
  const [first, second] = functions;
  if (kind === "count") return countReader(first);
  if (kind === "accuracy" && first && second) return accuracyReader(first, second);
  const judge = judges[kind];
  if (judge && first && second) return judgeReader(kind, first, second, judge);
  return (row, parts) => {
    const value = first === undefined ? 1 : numberOf(first(row));
    const divisor = second === undefined ? 1 : numberOf(second(row));
    if (value === null || divisor === null) return false;
    parts.first = value;
    parts.second = divisor;
    return true;
  };
}

function countReader(isCounted: RowFunction | undefined): ReadParts {
  return (row, parts) => {
    parts.first = isCounted === undefined ? 1 : (numberOf(isCounted(row)) ?? 0);
    parts.second = 1;
    return true;
  };
}

/** Labels of any kind: right where they are the same value. */
function accuracyReader(truthOf: RowFunction, predictionOf: RowFunction): ReadParts {
  return (row, parts) => {
    const truth = labelOf(truthOf(row));
    const prediction = labelOf(predictionOf(row));
    if (truth === null || prediction === null) return false;
    parts.first = truth === prediction ? 1 : 0;
    parts.second = 1;
    return true;
  };
}

function judgeReader(
  kind: MetricKind,
  truthOf: RowFunction,
  predictionOf: RowFunction,
  judge: Judge,
): ReadParts {
  return (row, parts) => {
    const truth = numberOf(truthOf(row));
    const prediction = numberOf(predictionOf(row));
    if (truth === null || prediction === null) return false;
    if (!errors.has(kind)) checkClass("truth", truth);
    if (classes.has(kind)) checkClass("prediction", prediction);
    if (probabilities.has(kind) && !(prediction >= 0 && prediction <= 1)) {
      throw new TypeError(
        `The probability is ${prediction}; it must be from 0 to 1. Scores of another range are for metric.auc.`,
      );
    }
    judge(truth, prediction, parts);
    return true;
  };
}

function checkClass(what: string, value: number): void {
  if (value === 0 || value === 1) return;
  throw new TypeError(
    `The ${what} is ${value}; it must be true or false (1 or 0), or null to leave the row out. Compare a label: (row) => row.label === "spam".`,
  );
}

function labelOf(value: unknown): string | number | bigint | boolean | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return value;
  throw new TypeError(
    `The metric's function returned ${shown(value)}; a label is a text, a number, true or false, or null to leave the row out.`,
  );
}

function numberOf(value: unknown): number | null {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === null || value === undefined) return null;
  throw new TypeError(
    `The metric's function returned ${shown(value)}; it must return a number, true or false, or null to leave the row out.`,
  );
}
