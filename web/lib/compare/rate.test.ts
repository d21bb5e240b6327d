import { expect, test } from "vitest";
import { intervalText, metricText, move, widestOf } from "./rate.ts";

test.each([
  [
    0.216,
    0.228,
    "lower",
    { text: "+0.012", relative: "+5.56 % of before", word: "higher", isWorse: true },
  ],
  [
    0.228,
    0.216,
    "lower",
    { text: "−0.012", relative: "−5.26 % of before", word: "lower", isWorse: false },
  ],
  [5, 5, "higher", { text: "0", word: "same", isWorse: undefined }],
  [0, 2, null, { text: "+2", word: "higher", isWorse: undefined }],
  [null, 2, "higher", { text: "–", word: "unknown", isWorse: undefined }],
] as const)("from %s to %s where %s is better", (before, after, better, expected) => {
  expect(move(before, after, better)).toEqual(expected);
});

test("a metric shows four digits, a whole number all of its own", () => {
  expect([metricText(0.216_049_1), metricText(1_477_912), metricText(null)]).toEqual([
    "0.216",
    "1,477,912",
    "–",
  ]);
});

test("an interval has its signs, and the line it is drawn on reaches the furthest end of all", () => {
  const interval = { low: -0.012_345, high: 0.5 };
  expect(intervalText(interval)).toBe("−0.01 … +0.50");
  expect(intervalText({ low: 0.009_68, high: 0.010_02 })).toBe("+0.00968 … +0.01002");
  expect(intervalText({ low: -12_345.6, high: 0 })).toBe("−12,346 … 0");
  expect(intervalText({ low: 2, high: 2 })).toBe("+2 … +2");
  expect(
    widestOf([
      { difference: 0.2, interval },
      { difference: -0.7, interval: null },
    ]),
  ).toBe(0.7);
  expect(widestOf([{ difference: null, interval: null }])).toBe(0);
});
