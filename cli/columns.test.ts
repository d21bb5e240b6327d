import { expect, test } from "vitest";
import { columns } from "./columns.ts";

test("columns are as wide as their widest value; numbers stand right", () => {
  const rows = [
    ["flights", "1,477,912"],
    ["ä", "3"],
  ];
  expect(columns(["name", ">rows"], rows, "  ")).toEqual([
    "  name          rows",
    "  flights  1,477,912",
    "  ä                3",
  ]);
});

test("colours take no width, and without titles there is no head", () => {
  const rows = [
    ["\x1b[31mab\x1b[39m", "x"],
    ["abc", "y"],
  ];
  expect(columns(["", ""], rows)).toEqual(["\x1b[31mab\x1b[39m   x", "abc  y"]);
});
