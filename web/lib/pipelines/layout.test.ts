import { expect, test } from "vitest";
import { laidOut } from "./layout.ts";

test("a member a line, every number and text as it came", () => {
  expect(laidOut('{"id":12345678901234567890,"a, b":"x: {1}","n":[1.50,null],"o":{}}')).toBe(
    '{\n  "id": 12345678901234567890,\n  "a, b": "x: {1}",\n  "n": [\n    1.50,\n    null\n  ],\n  "o": {}\n}',
  );
});

test.each(["", "{", "N/A", '{"a":}'])("%j is no JSON and stays as it came", (text) => {
  expect(laidOut(text)).toBeUndefined();
});
