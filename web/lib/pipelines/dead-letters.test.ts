import { expect, test } from "vitest";
import { parsePlace, placeText, stageName, wayOut } from "./dead-letters.ts";

test("a letter's place goes through the address bar and back", () => {
  const place = { topic: "flights-v2.eu", incarnation: "Qx_1-A", partition: 3, offset: 12_345 };
  for (const stage of ["decode", "sink:table", "sink:topic flights.late"] as const)
    expect(parsePlace(placeText({ ...place, stage }))).toEqual({ ...place, stage });
});

test.each([
  null,
  "",
  "flights",
  "flights/1",
  "flights/1/2",
  "flights/x/1/decode/a",
  "flights/1/2/read/a",
  "a/b/1/2/decode/a",
])("%j is no letter's place", (text) => {
  expect(parsePlace(text)).toBeUndefined();
});

test.each([
  ["decode", /contract/, /replay/],
  ["validate", /expectation/, /replay/],
  ["transform", /transform/, /promote/],
  ["sink:search", /sink search/, /replay/],
])("a letter of stage %s has a way out", (stage, what, how) => {
  expect(wayOut(stage).what).toMatch(what);
  expect(wayOut(stage).how.join(" ")).toMatch(how);
});

test("no way out promises that a letter goes by itself", () => {
  const ways = ["decode", "validate"].map((stage) => wayOut(stage).how.join(" "));
  for (const way of ways) expect(way).toMatch(/dismiss/);
});

test("a sink is called by its name", () => {
  expect(stageName("sink:table")).toBe("sink table");
});
