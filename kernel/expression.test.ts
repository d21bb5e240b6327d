import { expect, test } from "vitest";
import { readsClock } from "./expression.ts";
import type { TableExpression } from "./guest/slice.ts";

const query = (text: string, values: TableExpression[] = []): TableExpression => ({
  kind: "sql",
  strings: values.length === 0 ? [text] : [text, ""],
  values,
});

test.each([
  ["select now()", true],
  ["select CURRENT_DATE - 1", true],
  ["select age(t) from x", true],
  ["select age(t, u) from x", false],
  ["select today, now from x", false],
  ["select 'now()' -- now()\n/* now() */ as \"now()\"", false],
])("%s reads a clock: %j", (text, expected) => {
  expect(readsClock(query(text))).toBe(expected);
});

test("a query over one that reads a clock does so too; a snapshot does not", () => {
  expect(readsClock(query("select * from ", [query("select now()")]))).toBe(true);
  expect(readsClock(query("select * from ", [{ kind: "snapshot", name: "a@1" }]))).toBe(false);
});
