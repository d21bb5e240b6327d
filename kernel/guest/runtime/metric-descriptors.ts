import { isDescriptor, isTable, type RowFunction, type Table } from "./descriptors.ts";

export type MetricKind =
  | "mean"
  | "sum"
  | "count"
  | "ratio"
  | "accuracy"
  | "precision"
  | "recall"
  | "f1"
  | "auc"
  | "logLoss"
  | "calibration"
  | "mae"
  | "rmse"
  | "free";

/** A number claimed of a table. `functions` are of a row; a free metric has one, of all rows. */
export type Metric = {
  penstock: "metric";
  name: string;
  table: Table;
  kind: MetricKind;
  better?: "higher" | "lower";
  /** The column whose values are its segments. */
  by?: string;
  /** Resampled by the values of a column, in place of record by record. */
  resample?: Readonly<{ by: string }>;
  functions: readonly RowFunction[];
};

type Shape = { least: number; most: number; takes: string; better?: "higher" | "lower" };

const pair = { least: 2, most: 2 };
const judged = "the truth's function of a row, then the prediction's";
const scored = "the truth's function of a row, then the probability's";

/** Helpers know which way is good; of a mean or a sum only the notebook does. */
const shapes: Record<Exclude<MetricKind, "free">, Shape> = {
  mean: { least: 1, most: 1, takes: "a function of a row" },
  sum: { least: 1, most: 1, takes: "a function of a row" },
  count: { least: 0, most: 1, takes: "a function of a row, or none" },
  ratio: { ...pair, takes: "two functions of a row" },
  accuracy: { ...pair, takes: judged, better: "higher" },
  precision: { ...pair, takes: judged, better: "higher" },
  recall: { ...pair, takes: judged, better: "higher" },
  f1: { ...pair, takes: judged, better: "higher" },
  auc: { ...pair, takes: "the truth's function of a row, then the score's", better: "higher" },
  logLoss: { ...pair, takes: scored, better: "lower" },
  calibration: { ...pair, takes: scored, better: "lower" },
  mae: { ...pair, takes: judged, better: "lower" },
  rmse: { ...pair, takes: judged, better: "lower" },
};

/** `metric.mean(…)` and its kin, and `metric(name, table, (rows) => number)` itself. */
export function createMetric(): unknown {
  const free = metricOf("free", {
    least: 1,
    most: 1,
    takes: "a function of all rows: metric(name, table, (rows) => number)",
  });
  const kinds = Object.entries(shapes).map(([kind, shape]) => [
    kind,
    metricOf(kind as MetricKind, shape),
  ]);
  return Object.freeze(Object.assign(free, Object.fromEntries(kinds)));
}

function metricOf(kind: MetricKind, shape: Shape) {
  const call = kind === "free" ? "metric" : `metric.${kind}`;
  return (name: unknown, input: unknown, ...rest: unknown[]): Metric => {
    if (typeof name !== "string" || name === "") {
      throw new TypeError(`${call}() takes its name first: ${call}("late share", …).`);
    }
    if (!isTable(input)) throw new TypeError(`${call}("${name}") takes a table second.`);
    const functions = rest.filter((item) => typeof item === "function") as RowFunction[];
    if (functions.length < shape.least || functions.length > shape.most) {
      throw new TypeError(`${call}("${name}") takes ${shape.takes} after the table.`);
    }
    const options = rest.find((item) => item !== null && typeof item === "object") ?? {};
    return Object.freeze({
      penstock: "metric" as const,
      name,
      table: input,
      kind,
      ...(shape.better === undefined ? {} : { better: shape.better }),
      ...optionsOf(`${call}("${name}")`, kind, options),
      functions: Object.freeze(functions),
    });
  };
}

function optionsOf(
  call: string,
  kind: MetricKind,
  options: object,
): Pick<Metric, "better" | "by" | "resample"> {
  const { better, by, resample, ...others } = options as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new TypeError(`${call} has no option \`${unknown}\`; it has better, by and resample.`);
  }
  if (better !== undefined && better !== "higher" && better !== "lower") {
    throw new TypeError(`better says which way is good: "higher" or "lower".`);
  }
  if (by !== undefined && (typeof by !== "string" || by === "")) {
    throw new TypeError(`by names the column whose values are the segments: { by: "origin" }.`);
  }
  if (by !== undefined && kind === "free") {
    throw new TypeError(
      `${call} is a function of all rows, which has no segments. Write it as metric.mean, metric.ratio or one of their kin.`,
    );
  }
  const { by: cluster } = (resample ?? {}) as { by?: unknown };
  if (resample !== undefined && (typeof cluster !== "string" || cluster === "")) {
    throw new TypeError(
      `resample names the column whose values are drawn together: { resample: { by: "date" } }.`,
    );
  }
  return {
    ...(better === undefined ? {} : { better }),
    ...(by === undefined ? {} : { by }),
    ...(resample === undefined ? {} : { resample: Object.freeze({ by: cluster as string }) }),
  };
}

export function isMetric(value: unknown): value is Metric {
  return isDescriptor(value, "metric");
}
