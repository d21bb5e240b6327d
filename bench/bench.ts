/** What is asked of a measurement: of its ratio where it has one, else of the figure itself. */
export type Bar = { most: number } | { least: number };

/** One line of the table that `npm run bench` prints. */
export type Measurement = {
  label: string;
  /** The figure, in `unit`. */
  value: number;
  unit: string;
  /** What the reference took in the same run, in turn with what is measured, in `unit`; `ratio` is value / reference. */
  reference?: number;
  ratio?: number;
  bar?: Bar;
};

/** A group of measurements that share their preparation. */
export type Benchmark = { name: string; run(): Promise<Measurement[]> };

/** The middle of a list of timings; the upper one of two. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Which way a bar is missed; undefined where it is kept, or where there is none. */
export function missed({ value, ratio, bar }: Measurement): "over" | "under" | undefined {
  const judged = ratio ?? value;
  if (bar === undefined) return undefined;
  if ("most" in bar) return judged <= bar.most ? undefined : "over";
  return judged >= bar.least ? undefined : "under";
}
