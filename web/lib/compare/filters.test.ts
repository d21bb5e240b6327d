import { describe, expect, test } from "vitest";
import {
  filtersOf,
  isFiltered,
  isNarrowed,
  rowsQuery,
  valueText,
  withFilters,
  type Filters,
} from "./filters.ts";

const none: Filters = { values: [] };

describe("filters in the address", () => {
  const cases: [string, Filters][] = [
    ["none", none],
    ["a kind", { ...none, kind: "removed" }],
    ["a column and a cause", { ...none, column: "late", cause: "1f3a9c02aa17" }],
    [
      "values of one side and of either",
      {
        ...none,
        values: [
          { column: "delay", side: "left", test: "atLeast", value: "15" },
          { column: "delay", test: "atMost", value: "20" },
          { column: "state", side: "right", test: "equals", value: null },
        ],
      },
    ],
    [
      "names and values with the address's own signs",
      {
        ...none,
        column: "a&b=c",
        values: [{ column: "x:y%", test: "contains", value: "a:b&c=d\n%20" }],
      },
    ],
    ["what review says, and a remark", { ...none, review: "gone", remark: 12 }],
    ["an empty text", { ...none, values: [{ column: "note", test: "equals", value: "" }] }],
  ];
  test.each(cases)("%s come back as they went", (_, filters) => {
    const address = withFilters(new URLSearchParams("notebook=delays&kind=added&page=3"), filters);
    expect(filtersOf(new URLSearchParams(address.toString()))).toEqual({
      kind: undefined,
      column: undefined,
      cause: undefined,
      ...filters,
    });
    expect(address.get("notebook")).toBe("delays");
    expect(address.has("page")).toBe(false);
  });

  test("a condition nobody can read is left out", () => {
    const unreadable = [
      "delay",
      "atLeast:before:delay",
      "above:either:delay:1",
      "equals:either:%:1",
    ];
    const address = new URLSearchParams(unreadable.map((text) => ["where", text]));
    expect(filtersOf(address).values).toEqual([]);
  });

  test("a review or a remark nobody can read is left out", () => {
    const address = new URLSearchParams("review=old&remark=-1");
    expect(isFiltered(filtersOf(address))).toBe(false);
  });

  test("nothing chosen is no filter", () => {
    expect(isFiltered(filtersOf(new URLSearchParams("notebook=delays")))).toBe(false);
    expect(isFiltered(filtersOf(new URLSearchParams("where=null:after:state")))).toBe(true);
  });
});

test("a kind alone has no chip", () => {
  expect(isNarrowed({ kind: "changed", values: [] })).toBe(false);
  expect(isNarrowed({ review: "open", values: [] })).toBe(true);
});

test("only what became of an earlier comparison is asked with that comparison", () => {
  expect(rowsQuery({ values: [], review: "new" }, "c1")).toEqual({ review: "new", since: "c1" });
  expect(rowsQuery({ values: [], review: "new" }, undefined)).toEqual({ review: "new" });
  expect(rowsQuery({ values: [], review: "open" }, "c1")).toEqual({ review: "open" });
  expect(rowsQuery({ values: [], kind: "added", remark: 3 }, "c1")).toEqual({
    kind: "added",
    remark: "3",
  });
});

test.each([
  [{ column: "delay", test: "atLeast", value: "15" } as const, "delay ≥ 15"],
  [{ column: "delay", side: "left", test: "equals", value: null } as const, "delay is NULL before"],
  [{ column: "note", side: "right", test: "equals", value: "" } as const, "note = “” after"],
])("a chip says %o", (filter, text) => {
  expect(valueText(filter)).toBe(text);
});
