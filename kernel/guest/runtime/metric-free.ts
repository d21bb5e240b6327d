import type { OutputColumn } from "./encode.ts";
import type { Metric } from "./metric-descriptors.ts";
import { failures, readableRows } from "./metric-rows.ts";
import type { Measure } from "./metric-runner.ts";
import { drawCounts, seededRandom } from "./random.ts";
import { rowMaker } from "./row-maker.ts";
import { shown } from "./shown.ts";

/** All rows are held as objects at once: more would not fit in a guest. */
const mostRows = 500_000;

/** A metric that is a function of all rows: they are kept, and handed to it as one array for each number. */
export function freeMeasure(metric: Metric, columns: OutputColumn[], now: () => number): Measure {
  const [compute] = metric.functions;
  const make = rowMaker(columns.map((column) => column.name));
  const problems = failures();
  const rows: unknown[] = [];

  function valueOf(some: unknown[]): number | null {
    const value = compute?.(some);
    if (typeof value === "number") return Number.isFinite(value) ? value : null;
    if (value === null || value === undefined) return null;
    throw new TypeError(
      `The metric's function returned ${shown(value)}; a metric of all rows returns one number, or null where there is none.`,
    );
  }

  return {
    columns,
    take(length, decoded) {
      if (rows.length + length > mostRows) {
        throw new TypeError(
          `metric("${metric.name}") is a function of all rows, and its table holds more than ${mostRows.toLocaleString("en-US")}. Use metric.mean, metric.ratio or one of their kin, or aggregate with sql first.`,
        );
      }
      const values = decoded.map((column) => column.columns[0] ?? []);
      for (const row of readableRows(length, decoded, problems.note)) rows.push(make(values, row));
    },
    parts: () => [],
    finish() {
      let value: number | null = null;
      try {
        value = valueOf([...rows]);
      } catch (error) {
        problems.threw(error);
      }
      return { value, rows: rows.length, ...problems.said() };
    },
    resample({ seed, count, resamples, budgetMs }, units) {
      const random = seededRandom(seed);
      const counts = new Uint32Array(count);
      const until = now() + budgetMs;
      const values: (number | null)[] = [];
      for (let at = 0; at < resamples && now() < until; at += 1) {
        drawCounts(random, counts);
        values.push(valueOf(drawn(rows, units, counts)));
      }
      return values;
    },
  };
}

/** Every row as often as its unit was drawn. */
function drawn(rows: readonly unknown[], units: Int32Array, counts: Uint32Array): unknown[] {
  const some: unknown[] = [];
  for (let row = 0; row < rows.length; row += 1) {
    const unit = units[row] ?? -1;
    const times = unit < 0 ? 0 : (counts[unit] ?? 0);
    for (let time = 0; time < times; time += 1) some.push(rows[row]);
  }
  return some;
}
