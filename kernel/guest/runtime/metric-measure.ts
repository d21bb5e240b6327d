import type { OutputColumn } from "./encode.ts";
import type { Metric } from "./metric-descriptors.ts";
import { partsReader, type Parts } from "./metric-parts.ts";
import { failures, readableRows } from "./metric-rows.ts";
import type { Measure } from "./metric-runner.ts";
import {
  areaUnderCurve,
  calibrationBins,
  calibrationError,
  fromSums,
  rank,
  statisticOf,
} from "./metric-statistic.ts";
import { rowMaker } from "./row-maker.ts";

/** A metric that every record has its own parts in. */
export function partsMeasure(metric: Metric, columns: OutputColumn[], withParts: boolean): Measure {
  const make = rowMaker(columns.map((column) => column.name));
  const read = partsReader(metric);
  const total = totalOf(metric);
  const problems = failures();
  const parts: Parts = { first: 0, second: 0 };
  let rows = 0;
  let last: Uint8Array[] = [];

  return {
    columns,
    take(length, decoded) {
      const values = decoded.map((column) => column.columns[0] ?? []);
      const firsts = new Float64Array(withParts ? length : 0);
      const seconds = new Float64Array(withParts ? length : 0);
      const counted = new Uint8Array(withParts ? length : 0);
      for (const row of readableRows(length, decoded, problems.note)) {
        try {
          if (!read(make(values, row), parts)) continue;
        } catch (error) {
          problems.threw(error);
          continue;
        }
        rows += 1;
        total.add(parts);
        if (!withParts) continue;
        firsts[row] = parts.first;
        seconds[row] = parts.second;
        counted[row] = 1;
      }
      last = withParts ? [bytesOf(firsts), bytesOf(seconds), counted] : [];
    },
    parts: () => last,
    finish: () => ({ value: total.value(), rows, ...problems.said() }),
  };
}

function bytesOf(numbers: Float64Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

function totalOf({ kind }: Metric): { add(parts: Parts): void; value(): number | null } {
  const statistic = statisticOf[kind];
  if (statistic === "auc") return ranked();
  if (statistic === "calibration") return binned();
  const sums = [compensatedSum(), compensatedSum()] as const;
  return {
    add({ first, second }) {
      sums[0].add(first);
      sums[1].add(second);
    },
    value: () => fromSums(statistic, sums[0].value(), sums[1].value()),
  };
}

function ranked() {
  let scores = new Float64Array(1024);
  let truths = new Float64Array(1024);
  let length = 0;
  return {
    add({ first, second }: Parts): void {
      if (length === scores.length) {
        scores = grown(scores);
        truths = grown(truths);
      }
      scores[length] = first;
      truths[length] = second;
      length += 1;
    },
    value: () => areaUnderCurve(rank(scores.subarray(0, length), truths.subarray(0, length))),
  };
}

function grown(numbers: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}

function binned() {
  const gaps = Array.from({ length: calibrationBins }, () => compensatedSum());
  let records = 0;
  return {
    add({ first, second }: Parts): void {
      gaps[second]?.add(first);
      records += 1;
    },
    value: () =>
      calibrationError(
        gaps.map((gap) => gap.value()),
        records,
      ),
  };
}

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
