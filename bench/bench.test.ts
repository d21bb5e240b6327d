import { expect, test } from "vitest";
import { median, missed, type Bar } from "./bench.ts";

const cases: [value: number, ratio: number | undefined, bar: Bar | undefined, says?: string][] = [
  [12, undefined, { most: 12 }],
  [13, undefined, { most: 12 }, "over"],
  [9, undefined, { least: 10 }, "under"],
  [10, undefined, { least: 10 }],
  [900, 1.4, { most: 1.5 }],
  [900, 1.6, { most: 1.5 }, "over"],
  [900, undefined, undefined],
  [Number.NaN, undefined, { most: 12 }, "over"],
  [Number.NaN, undefined, { least: 12 }, "under"],
];

test.each(cases)("%d (ratio %s) against %o: %s", (value, ratio, bar, says) => {
  const measurement = { label: "", unit: "ms", value };
  expect(missed({ ...measurement, ...(ratio ? { ratio } : {}), ...(bar ? { bar } : {}) })).toBe(
    says,
  );
});

test("the middle of timings", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(3);
  expect(median([])).toBeNaN();
});
