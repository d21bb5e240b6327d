import type { MetricPair, Outcome } from "../outcomes/answer.ts";

/** A metric or, below it, one of its segments, as every format of a report writes it. */
export type OutcomeLine = {
  /** `late share`; of a segment `origin = DEN`. */
  name: string;
  isSegment: boolean;
  /** Before, after, their difference and its interval. */
  figures: [string, string, string, string];
  verdict: NonNullable<Outcome["verdict"]> | "";
};

/** What a table of them is headed by. */
export const outcomeTitles = [
  "metric",
  ">before",
  ">after",
  ">difference",
  "95 % interval",
  "verdict",
];

export function outcomeLines(metrics: MetricPair[]): OutcomeLine[] {
  return metrics.flatMap((metric) => [
    { name: metric.name, isSegment: false, ...cells(metric) },
    ...(metric.segments?.list ?? []).map((segment) => ({
      name: `${metric.segments?.by} = ${segment.value ?? "NULL"}`,
      isSegment: true,
      ...cells(segment),
    })),
  ]);
}

/** What to know before believing them. */
export function outcomeNotes(metrics: MetricPair[]): string[] {
  return metrics.flatMap(({ name, noInterval, segments, warnings, resampled }) =>
    [
      ...(noInterval === null ? [] : [`no interval: ${noInterval}`]),
      ...(resampled?.budgetMs === undefined
        ? []
        : [`${resampled.resamples} resamples in ${resampled.budgetMs / 1000} s`]),
      ...(segments ? [segments.warning] : []),
      ...warnings,
    ].map((note) => `${name}: ${note}`),
  );
}

function cells(outcome: Outcome): Pick<OutcomeLine, "figures" | "verdict"> {
  const { before, after, difference, interval, verdict } = outcome;
  const between = interval ? `${signed(interval.low)} … ${signed(interval.high)}` : "–";
  return {
    figures: [number(before), number(after), signed(difference), between],
    verdict: verdict ?? "",
  };
}

function signed(value: number | null): string {
  return value !== null && value > 0 ? `+${number(value)}` : number(value).replace("-", "−");
}

function number(value: number | null): string {
  return value === null ? "–" : String(Number(value.toPrecision(6)));
}
