import { expect, test } from "vitest";
import { parsePlace, placeText, stageName, wayOut } from "./dead-letters.ts";

test("a letter's place goes through the address bar and back", () => {
  const place = { topic: "flights-v2.eu", partition: 3, offset: 12_345 };
  expect(parsePlace(placeText(place))).toEqual(place);
});

test.each([null, "", "flights", "flights/1", "flights/x/1", "a/b/1/2"])(
  "%j is no letter's place",
  (text) => {
    expect(parsePlace(text)).toBeUndefined();
  },
);

test.each([
  ["decode", /contract/, /replay/],
  ["validate", /expectation/, /replay/],
  ["transform", /transform/, /promote/],
  ["sink:search", /sink search/, /replay/],
])("a letter of stage %s has a way out", (stage, what, how) => {
  expect(wayOut(stage).what).toMatch(what);
  expect(wayOut(stage).how.join(" ")).toMatch(how);
});

test("a sink is called by its name", () => {
  expect(stageName("sink:table")).toBe("sink table");
});
