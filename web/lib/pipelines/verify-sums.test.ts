import { expect, test } from "vitest";
import { columnsOf, planLines, sentenceOf, sums } from "./verify-sums.ts";

const counts = {
  left: 113,
  right: 116,
  equal: 100,
  changed: 4,
  removed: 3,
  added: 2,
  unverifiable: 1,
  moving: { left: 6, right: 9 },
};

test("both sums add up to what should be and what is", () => {
  const total = (terms: { value: number }[]) => terms.reduce((sum, { value }) => sum + value, 0);
  expect(total(sums(counts).should)).toBe(counts.left);
  expect(total(sums(counts).is)).toBe(counts.right);
});

test("a changed row shows the columns that differ, a missing one all of them", () => {
  const expected = { partition: 0, offset: 1, row: '[["id",1],["delay",5]]' };
  const found = { partition: 0, offset: 1, row: '[["id",1],["delay",7]]' };
  expect(columnsOf({ kind: "changed", key: "[1]", part: 0, expected, found })).toEqual([
    { name: "delay", should: "5", is: "7" },
  ]);
  expect(columnsOf({ kind: "removed", key: "[1]", part: 0, expected, found: null })).toEqual([
    { name: "id", should: "1" },
    { name: "delay", should: "5" },
  ]);
});

test("the answer is a sentence, the plan a line a step", () => {
  expect(sentenceOf([{ sink: "table", counts }])).toBe("table has 9 differences.");
  expect(
    sentenceOf([{ sink: "table", counts: { ...counts, changed: 0, removed: 0, added: 0 } }]),
  ).toBe("Every row is what the topic says: 100 in table.");
  expect(
    planLines({
      partitions: [{ topic: "flights", partition: 2, identities: 1 }],
      clears: 2,
      strays: [{ sink: "search", documents: 1 }],
    }),
  ).toEqual([
    "1 identity of `flights`, partition 2, written again from their records",
    "1 document of `search` deleted: of no identity, written by somebody else",
    "2 rows removed, which no record of the topic accounts for",
  ]);
});
