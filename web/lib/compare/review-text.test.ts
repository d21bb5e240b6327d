import { expect, test } from "vitest";
import type { ComparisonSummary, RemarkScope } from "#promote/review/answer.ts";
import {
  comparisonName,
  intendedCounts,
  outcomeCounts,
  reviewTotal,
  sameText,
  scopeChips,
  sinceCounts,
} from "./review-text.ts";

const comparison: ComparisonSummary = {
  id: "c1",
  at: "2026-11-25T10:00:00Z",
  notebook: "delays",
  transform: "delays",
  before: "last commit (abc1234)",
  after: "working copy",
  snapshot: "flights@2001q1",
  rows: {
    left: 9,
    right: 9,
    equal: 0,
    changed: 9,
    added: 0,
    removed: 0,
    ambiguous: { keys: 0, left: 0, right: 0 },
  },
  outcomes: [],
  reviews: [],
  remarks: 0,
};
const since = { comparison, new: 54, otherwise: 12, same: 14_280, gone: 3 };
const state = { reviews: [], differences: 14_346, intended: 14_280, remarks: [], since };

test("a review says what became of the differences since, and how many are intended", () => {
  const texts = [...sinceCounts(since), ...intendedCounts(state)].map(({ text }) => text);
  expect(texts).toEqual([
    "54 new",
    "12 otherwise",
    "14,280 the same",
    "3 gone",
    "14,280 of 14,346 intended",
    "66 open",
  ]);
});

test("the list has room for what the review has counted", () => {
  expect(reviewTotal("gone", state)).toBe(3);
  expect(reviewTotal("open", state)).toBe(66);
  expect(reviewTotal("gone", { ...state, since: null })).toBeUndefined();
  expect(reviewTotal(undefined, state)).toBeUndefined();
});

const scopes: [string[], RemarkScope, string[]][] = [
  [["all differences"], { comparison: "c1" }, []],
  [
    ["changed rows", "late changed", "origin = DEN", "delay = 15"],
    {
      comparison: "c1",
      kind: "changed",
      column: "late",
      values: [{ column: "origin", test: "equals", value: "DEN" }],
      cause: { name: "1f", text: "delay = 15" },
    },
    [],
  ],
  [["record 12"], { comparison: "c1", kind: "changed", key: [11, 0] }, []],
  [["record 12, its row 3"], { comparison: "c1", key: [11, 2] }, []],
  [["origin = DEN, day = 3"], { comparison: "c1", key: ["DEN", 3] }, ["origin", "day"]],
  [["origin = NULL"], { comparison: "c1", key: [null] }, ["origin"]],
  [["one row"], { comparison: "c1", key: [] }, []],
];
test.each(scopes)("%j is what a remark on %j is about", (chips, scope, keys) => {
  expect(scopeChips(scope, keys)).toEqual(chips);
});

test.each([
  [{ same: 14_346, differences: 14_346 }, "all 14,346"],
  [{ same: 14_280, differences: 14_346 }, "14,280 of 14,346"],
  [{ same: 0, differences: 14_346 }, "none any more"],
  [{ same: 1, differences: 1 }, "still the same"],
])("of a remark's differences %o: %s", (remark, text) => {
  expect(sameText(remark)).toBe(text);
});

test("a comparison is called by its last review, else by its time", () => {
  const review = { id: 1, comparison: "c1", at: "2026-11-25T10:00:00Z", by: "Ada", note: "" };
  const now = Date.parse("2026-11-25T12:00:00Z");
  expect(comparisonName({ ...comparison, reviews: [review] }, now)).toBe(
    "the review by Ada, 2 h ago: last commit (abc1234) → working copy",
  );
  expect(comparisonName(comparison, now)).toMatch(/^the comparison of 2026-11-2\d \d\d:00: last/);
});

test("verdicts are counted, the worst first", () => {
  const outcomes = (["unchanged", "worse", null, "unchanged"] as const).map((verdict, index) => ({
    name: String(index),
    verdict,
  }));
  expect(outcomeCounts(outcomes)).toEqual([
    { word: "worse", many: 1 },
    { word: "unchanged", many: 2 },
    { word: "no verdict", many: 1 },
  ]);
  expect(outcomeCounts([])).toEqual([]);
});
