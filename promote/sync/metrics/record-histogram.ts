import type { Definition } from "./catalog.ts";

type Labels = Record<string, string>;
type Series = { labels: Labels; counts: Float64Array; sum: number };

/**
 * A histogram of ages that takes a whole batch at a time, which prom-client's cannot. Each record counts, and none costs more than a comparison
 * or two: neighbours in a batch are about as old as each other, so that most fall between the bounds the last one fell between.
 */
export class RecordHistogram {
  readonly #definition: Definition;
  /** Of the buckets, in milliseconds; the last one is without end. */
  readonly #boundsMs: readonly number[];
  readonly #series = new Map<string, Series>();

  constructor(definition: Definition) {
    this.#definition = definition;
    this.#boundsMs = [...(definition.buckets ?? []).map((seconds) => seconds * 1000), Infinity];
  }

  /** Records of the future (a producer's clock that is ahead) are of age 0. */
  addAges(labels: Labels, records: readonly { timestampMs: number }[], nowMs: number): void {
    const series = this.#seriesOf(labels);
    const bounds = this.#boundsMs;
    let bucket = 0;
    let above = -1;
    let upTo = bounds[0] ?? Infinity;
    let inBucket = 0;
    let sumMs = 0;
    for (const { timestampMs } of records) {
      const age = nowMs > timestampMs ? nowMs - timestampMs : 0;
      sumMs += age;
      if (age <= above || age > upTo) {
        series.counts[bucket] = (series.counts[bucket] ?? 0) + inBucket;
        inBucket = 0;
        bucket = bounds.findIndex((bound) => age <= bound);
        above = bounds[bucket - 1] ?? -1;
        upTo = bounds[bucket] ?? Infinity;
      }
      inBucket++;
    }
    series.counts[bucket] = (series.counts[bucket] ?? 0) + inBucket;
    series.sum += sumMs / 1000;
  }

  /** In Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
  text(): string {
    const { name, help, buckets = [] } = this.#definition;
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
    for (const { labels, counts, sum } of this.#series.values()) {
      const own = Object.entries(labels).map(([label, value]) => `${label}="${escape(value)}"`);
      let count = 0;
      for (const [i, inBucket] of counts.entries()) {
        count += inBucket;
        const le = `le="${buckets[i] ?? "+Inf"}"`;
        lines.push(`${name}_bucket{${[...own, le].join(",")}} ${count}`);
      }
      lines.push(
        `${name}_sum{${own.join(",")}} ${sum}`,
        `${name}_count{${own.join(",")}} ${count}`,
      );
    }
    return `${lines.join("\n")}\n`;
  }

  #seriesOf(labels: Labels): Series {
    const key = this.#definition.labels.map((name) => labels[name]).join("\0");
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const series = { labels, counts: new Float64Array(this.#boundsMs.length), sum: 0 };
    this.#series.set(key, series);
    return series;
  }
}

function escape(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
