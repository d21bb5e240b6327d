import { expect, test } from "vitest";
import { laidOut } from "./layout.ts";

test("a member a line, every number and text as it came", () => {
  expect(laidOut('{"id":12345678901234567890,"a, b":"x: {1}","n":[1.50,null],"o":{}}')).toBe(
    '{\n  "id": 12345678901234567890,\n  "a, b": "x: {1}",\n  "n": [\n    1.50,\n    null\n  ],\n  "o": {}\n}',
  );
});

test("a text that looks like JSON stays as it is", () => {
  expect(laidOut('{"a":"[ ]","b":[ ],"c":[[]]}')).toBe(
    '{\n  "a": "[ ]",\n  "b": [],\n  "c": [\n    []\n  ]\n}',
  );
});

test("a value of a hundred thousand members, or as deep, is laid out", () => {
  const members = JSON.stringify(Array.from({ length: 100_000 }, (_, id) => ({ id })));
  expect(laidOut(members)?.split("\n")).toHaveLength(300_002);
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  expect(laidOut(deep)?.replaceAll(/\s/g, "")).toBe(deep);
});

test.each(["", "{", "N/A", '{"a":}'])("%j is no JSON and stays as it came", (text) => {
  expect(laidOut(text)).toBeUndefined();
});
