import { expect, test } from "vitest";
import { figureText, quantileText } from "./value.ts";

test.each([
  ["-20.0043", { min: "-1116", max: "1687" }, "BIGINT", "-20"],
  ["-0.000291859", { min: "-1118", max: "1687" }, "DOUBLE", "0"],
  ["0.123456", { min: "0", max: "1" }, "DOUBLE", "0.123"],
  ["2001-02-03 04:05:06", { min: "2001-01-01", max: "2001-04-01" }, "DATE", "2001-02-03 04:05:06"],
  ["7.2", { min: "7.2", max: "7.2" }, "DOUBLE", "7.2"],
])("the quantile %s within %o of a %s reads %s", (text, range, type, shown) => {
  expect(quantileText(text, range, type)).toBe(shown);
});

test.each([
  ["-1116", "BIGINT", "\u22121,116"],
  ["9007199254740993", "BIGINT", "9007199254740993"],
  ["7.94643217", "DOUBLE", "7.94643"],
  ["DEN", "VARCHAR", "DEN"],
  ["2001-01-01 00:00:00", "DATE", "2001-01-01"],
])("the figure %s of a %s reads %s", (text, type, shown) => {
  expect(figureText(text, type)).toBe(shown);
});
