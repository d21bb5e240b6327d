import { decodeStream } from "./decode.ts";
import type { Metric } from "./descriptors.ts";
import { messageOf, placeOf } from "./errors.ts";
import { rowMaker } from "./row-maker.ts";
import { shown } from "./shown.ts";
import { parseColumns, type ColumnSpec, type RecordError } from "./transform-runner.ts";

export type MetricValue = { value: number | null; rows: number };

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

/** Accumulates one metric over batches, in row order. */
export function metricRunner(spec: { input: readonly ColumnSpec[]; metric: Metric }): {
  run(ipc: Uint8Array): { read: number; filtered: number; errors: RecordError[] };
  finish(): MetricValue;
} {
  const input = parseColumns(spec.input);
  const make = rowMaker(input.map((column) => column.name));
  const { kind, functions } = spec.metric;
  const sums = [compensatedSum(), compensatedSum()] as const;
  let rows = 0;
  let counted = 0;

  function take(row: unknown): boolean {
    const values = functions.map((value) => numberOf(kind, value(row)));
    if (kind === "count") {
      counted += values.length === 0 ? 1 : (values[0] ?? 0);
      return true;
    }
    const [first, second = 1] = values;
    if (first === null || first === undefined || second === null) return false;
    sums[0].add(first);
    if (kind === "ratio") sums[1].add(second);
    return true;
  }

  return {
    run(ipc) {
      const decoded = decodeStream(ipc, input);
      const errors: RecordError[] = [];
      let filtered = 0;
      for (let i = 0; i < decoded.length; i += 1) {
        const refused = decoded.refusals.get(i);
        if (refused !== undefined) {
          errors.push({ row: i, message: refused });
          continue;
        }
        try {
          if (take(make(decoded.columns, i))) rows += 1;
          else filtered += 1;
        } catch (error) {
          errors.push({ row: i, message: messageOf(error), ...placeOf(error) });
        }
      }
      return { read: decoded.length, filtered, errors };
    },
    finish() {
      const value = valueOf();
      return { value: value !== null && Number.isFinite(value) ? value : null, rows };
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
