import { formatType } from "#snapshots/types.ts";
import { columnsRead } from "./columns-read.ts";
import { decodeStream, type Decoded } from "./decode.ts";
import type { OutputColumn } from "./encode.ts";
import type { ErrorPlace } from "./errors.ts";
import { freeMeasure } from "./metric-free.ts";
import type { Metric } from "./metric-descriptors.ts";
import { partsMeasure } from "./metric-measure.ts";
import { parseColumns, type ColumnSpec } from "./transform-runner.ts";

/** `failed` rows threw or could not be read; `first` is the first of them. */
export type MetricValue = {
  value: number | null;
  rows: number;
  failed: number;
  first?: { message: string } & ErrorPlace;
};

/** One metric over batches, in row order. */
export type Measure = {
  /** What it can look at. */
  columns: OutputColumn[];
  take(length: number, decoded: Decoded[]): void;
  /** The parts of the last batch's rows: every row's first, every row's second, then whether it counts. None for a free metric. */
  parts(): Uint8Array[];
  finish(): MetricValue;
  /** A free metric's number for each of some resamplings, as far as the time goes. */
  resample?(request: Resampling, units: Int32Array): (number | null)[];
};

/** `units` says which unit each row belongs to, negative for rows that are left out; of `count` units as many are drawn. */
export type Resampling = { seed: number[]; count: number; resamples: number; budgetMs: number };

/**
 * Accumulates metrics over batches, in row order, all in one pass. `columns` are those that any of them can look at: a batch needs
 * to hold no others. Each metric makes rows of its own, so that none sees what another did to one.
 */
export function metricsRunner(spec: {
  input: readonly ColumnSpec[];
  metrics: readonly Metric[];
  withParts: boolean;
  now: () => number;
}): {
  columns: string[];
  run(ipc: Uint8Array): { read: number; parts: Uint8Array[] };
  finish(): MetricValue[];
  resample(metric: number, request: Resampling, units: Int32Array): (number | null)[];
} {
  const input = parseColumns(spec.input);
  const measures = spec.metrics.map((metric): Measure =>
    metric.kind === "free"
      ? freeMeasure(metric, input, spec.now)
      : partsMeasure(metric, columnsOf(metric, input), spec.withParts),
  );
  const used = new Set(measures.flatMap(({ columns }) => columns.map((column) => column.name)));
  return {
    columns: input.map((column) => column.name).filter((column) => used.has(column)),
    run(ipc) {
      const { length } = decodeStream(ipc, []);
      const shared = new Map<OutputColumn, Decoded>();
      const decode = (column: OutputColumn): Decoded => {
        const decoded = shared.get(column) ?? decodeStream(ipc, [column]);
        if (isImmutable(column)) shared.set(column, decoded);
        return decoded;
      };
      for (const measure of measures) measure.take(length, measure.columns.map(decode));
      return { read: length, parts: measures.flatMap((measure) => measure.parts()) };
    },
    finish: () => measures.map((measure) => measure.finish()),
    resample: (metric, request, units) => measures[metric]?.resample?.(request, units) ?? [],
  };
}

/** Whether functions cannot change the column's values for each other. */
function isImmutable({ type }: OutputColumn): boolean {
  return !/DATE|TIMESTAMP|BLOB|\[|STRUCT|MAP/.test(formatType(type));
}

function columnsOf({ functions }: Metric, input: OutputColumn[]): OutputColumn[] {
  const names = input.map((column) => column.name);
  const read = functions.map((value) => columnsRead(value, names));
  return read.includes(undefined)
    ? input
    : input.filter(({ name }) => read.some((columnNames) => columnNames?.includes(name)));
}
