import { describe, expect, test } from "vitest";
import type { DiffColumn, DiffSummary } from "#snapshots/diff.ts";
import { listed, sums, verdict } from "./verdict.ts";

type Rows = DiffSummary["rows"];
const none: Rows = {
  left: 0,
  right: 0,
  equal: 0,
  changed: 0,
  added: 0,
  removed: 0,
  ambiguous: { keys: 0, left: 0, right: 0 },
};

function column(name: string, more: Partial<DiffColumn> = {}): DiffColumn {
  return {
    name,
    status: "compared",
    leftType: "BIGINT",
    rightType: "BIGINT",
    rule: null,
    changed: 0,
    nullToValue: 0,
    valueToNull: 0,
    ...more,
  };
}

function summary(
  rows: Partial<Rows>,
  columns: DiffColumn[] = [column("delay"), column("late")],
  identical = false,
): DiffSummary {
  return {
    identical,
    complete: true,
    keys: [],
    byPosition: true,
    rows: { ...none, ...rows },
    columns,
    renameCandidates: [],
    samples: { changed: [], added: [], removed: [], ambiguous: [] },
    causes: [],
    elapsedMs: 41,
  };
}

const changedLate = [column("delay"), column("late", { changed: 606 })];

describe("the answer is a sentence", () => {
  const cases: [string, DiffSummary, string][] = [
    [
      "identical",
      summary({ left: 19_977, right: 19_977, equal: 19_977 }, [column("delay")], true),
      "Nothing changed. All 19,977 rows are equal.",
    ],
    [
      "two empty tables",
      summary({}, [column("delay")], true),
      "Nothing changed. Both sides are empty.",
    ],
    [
      "only changes",
      summary({ left: 1_000, right: 1_000, equal: 394, changed: 606 }, changedLate),
      "606 of 1,000 rows changed, only in `late`.",
    ],
    [
      "everything at once",
      summary(
        {
          left: 19_977,
          right: 19_697,
          equal: 19_062,
          changed: 606,
          added: 23,
          removed: 303,
          ambiguous: { keys: 3, left: 6, right: 6 },
        },
        changedLate,
      ),
      "606 of 19,977 rows changed, only in `late`; 23 are new, 303 are gone and 12 cannot be told apart.",
    ],
    [
      "only removals",
      summary({ left: 10, right: 9, equal: 9, removed: 1 }),
      "No row changed: 1 is gone.",
    ],
    [
      "nothing in common",
      summary({ left: 2, right: 3, removed: 2, added: 3 }),
      "No row is the same: 3 are new and 2 are gone.",
    ],
    [
      "another schema, equal rows",
      summary({ left: 5, right: 5, equal: 5 }, [
        column("delay"),
        column("risk", { status: "added" }),
      ]),
      "All 5 rows hold the same values. Columns: `risk` new.",
    ],
  ];
  test.each(cases)("%s", (_, given, sentence) => {
    expect(verdict(given)).toBe(sentence);
  });
});

test("both sides add up in sight, without terms that are zero", () => {
  const rows = {
    left: 19_977,
    right: 19_697,
    equal: 19_062,
    changed: 606,
    added: 23,
    removed: 303,
    ambiguous: { keys: 3, left: 6, right: 6 },
  };
  expect(sums(summary(rows))).toEqual({
    before: "19,977 = 19,062 + 606 + 303 + 6",
    after: "19,697 = 19,062 + 606 + 23 + 6",
  });
  expect(sums(summary({ left: 7, right: 7, equal: 7 }))).toEqual({ before: "7", after: "7" });
});

test("the list holds changed, added and removed rows once and ambiguous ones on both sides", () => {
  const given = summary({
    changed: 2,
    added: 3,
    removed: 4,
    ambiguous: { keys: 1, left: 2, right: 3 },
  });
  expect(listed(given, undefined)).toBe(14);
  expect(listed(given, "ambiguous")).toBe(5);
  expect(listed(given, "added")).toBe(3);
});
