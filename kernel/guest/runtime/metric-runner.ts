import { formatType } from "#snapshots/types.ts";
import { columnsRead } from "./columns-read.ts";
import { decodeStream, type Decoded } from "./decode.ts";
import type { Metric } from "./descriptors.ts";
import type { OutputColumn } from "./encode.ts";
import { messageOf, placeOf, type ErrorPlace } from "./errors.ts";
import { rowMaker } from "./row-maker.ts";
import { shown } from "./shown.ts";
import { parseColumns, type ColumnSpec } from "./transform-runner.ts";

/** `failed` rows threw or could not be read; `first` is the first of them. */
export type MetricValue = {
  value: number | null;
  rows: number;
  failed: number;
  first?: { message: string } & ErrorPlace;
};

/** Neumaier's compensated sum: the result depends on the order of rows alone, never on batches. */
function compensatedSum() {
  let sum = 0;
  let lost = 0;
  return {
    add(value: number): void {
      const next = sum + value;
      lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
      sum = next;
    },
    value: (): number => (Number.isFinite(sum) ? sum + lost : sum),
  };
}

/**
 * Accumulates metrics over batches, in row order, all in one pass. `columns` are those that any of them can look at: a batch needs
 * to hold no others. Each metric makes rows of its own, so that none sees what another did to one.
 */
export function metricsRunner(spec: { input: readonly ColumnSpec[]; metrics: readonly Metric[] }): {
  columns: string[];
  run(ipc: Uint8Array): { read: number };
  finish(): MetricValue[];
} {
  const input = parseColumns(spec.input);
  const measures = spec.metrics.map((metric) => measureOf(metric, input));
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
      return { read: length };
    },
    finish: () => measures.map((measure) => measure.finish()),
  };
}

/** Whether functions cannot change the column's values for each other. */
function isImmutable({ type }: OutputColumn): boolean {
  return !/DATE|TIMESTAMP|BLOB|\[|STRUCT|MAP/.test(formatType(type));
}

function measureOf({ kind, functions }: Metric, input: OutputColumn[]) {
  const names = input.map((column) => column.name);
  const read = functions.map((value) => columnsRead(value, names));
  const columns = read.includes(undefined)
    ? input
    : input.filter(({ name }) => read.some((columnNames) => columnNames?.includes(name)));
  const make = rowMaker(columns.map((column) => column.name));
  const [first, second] = functions;
  const sums = [compensatedSum(), compensatedSum()] as const;
  let rows = 0;
  let counted = 0;
  let failed = 0;
  let failure: MetricValue["first"];

  function fails(message: string, place: ErrorPlace = {}): void {
    failed += 1;
    failure ??= { message, ...place };
  }

  function add(row: unknown): void {
    const value = first === undefined ? 1 : numberOf(kind, first(row));
    const divisor = second === undefined ? 1 : numberOf(kind, second(row));
    if (kind === "count") counted += value ?? 0;
    else if (value === null || divisor === null) return;
    else {
      sums[0].add(value);
      if (kind === "ratio") sums[1].add(divisor);
    }
    rows += 1;
  }

  return {
    columns,
    take(length: number, decoded: Decoded[]): void {
      const values = decoded.map((column) => column.columns[0] ?? []);
      const refusing = decoded.filter((column) => column.refusals.size > 0);
      for (let i = 0; i < length; i += 1) {
        const refused =
          refusing.length > 0 ? refusing.find((column) => column.refusals.has(i)) : undefined;
        if (refused) {
          fails(refused.refusals.get(i) ?? "");
          continue;
        }
        try {
          add(make(values, i));
        } catch (error) {
          fails(messageOf(error), placeOf(error));
        }
      }
    },
    finish(): MetricValue {
      const value = valueOf();
      return {
        value: value !== null && Number.isFinite(value) ? value : null,
        rows,
        failed,
        ...(failure ? { first: failure } : {}),
      };
    },
  };

  function valueOf(): number | null {
    if (kind === "count") return counted;
    if (kind === "sum") return sums[0].value();
    if (kind === "mean") return rows === 0 ? null : sums[0].value() / rows;
    return sums[1].value() === 0 ? null : sums[0].value() / sums[1].value();
  }
}

function numberOf(kind: string, value: unknown): number | null {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === null || value === undefined) return kind === "count" ? 0 : null;
  throw new TypeError(
    `The metric's function returned ${shown(value)}; it must return a number, true or false, or null to leave the row out.`,
  );
}
