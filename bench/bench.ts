/** One line of the table that `npm run bench` prints. */
export type Measurement = {
  label: string;
  /** The figure, in `unit`. */
  value: number;
  unit: string;
  /** What the reference took in the same run, in `unit`; `ratio` is value / reference. */
  reference?: number;
  ratio?: number;
  /** What is asked for: a ratio not to exceed, or, without a reference, the figure itself. */
  bar?: number;
};

/** A group of measurements that share their preparation. */
export type Benchmark = { name: string; run(): Promise<Measurement[]> };

/** The middle of a list of timings; the upper one of two. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
