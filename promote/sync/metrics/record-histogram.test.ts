import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecordHistogram } from "./record-histogram.ts";

const definition = {
  name: "age_seconds",
  help: "Ages.",
  labels: ["pipeline"],
  buckets: [0.1, 1, 60],
};
const nowMs = 1_000_000;

function countsOf(ages: readonly number[]): { text: string; buckets: number[] } {
  const histogram = new RecordHistogram(definition);
  histogram.addAges(
    { pipeline: "delays" },
    ages.map((age) => ({ timestampMs: nowMs - age })),
    nowMs,
  );
  const text = histogram.text();
  const buckets = [...text.matchAll(/^age_seconds_bucket.* (\d+)$/gm)].map(([, n]) => Number(n));
  return { text, buckets };
}

describe("a histogram of a batch's ages", () => {
  test("counts every record in the bucket of its age", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -100, max: 100_000 })), (ages) => {
        const expected = [0.1, 1, 60, Infinity].map(
          (bound) => ages.filter((age) => Math.max(0, age) <= bound * 1000).length,
        );
        expect(countsOf(ages).buckets).toEqual(expected);
      }),
    );
  });

  test("is text as Prometheus reads it, whatever a name holds", () => {
    const histogram = new RecordHistogram(definition);
    histogram.addAges({ pipeline: 'a"b\\c\nd' }, [{ timestampMs: nowMs - 500 }], nowMs);
    expect(histogram.text()).toBe(String.raw`# HELP age_seconds Ages.
# TYPE age_seconds histogram
age_seconds_bucket{pipeline="a\"b\\c\nd",le="0.1"} 0
age_seconds_bucket{pipeline="a\"b\\c\nd",le="1"} 1
age_seconds_bucket{pipeline="a\"b\\c\nd",le="60"} 1
age_seconds_bucket{pipeline="a\"b\\c\nd",le="+Inf"} 1
age_seconds_sum{pipeline="a\"b\\c\nd"} 0.5
age_seconds_count{pipeline="a\"b\\c\nd"} 1
`);
  });

  test("a clock that is ahead counts as no age at all", () => {
    expect(countsOf([-5_000]).text).toContain('age_seconds_sum{pipeline="delays"} 0\n');
  });
});
