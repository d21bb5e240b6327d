import * as fc from "fast-check";
import { expect, test } from "vitest";
import { mayRound, parseExactly } from "./exact-json.ts";

const rewritten = (text: string): string => JSON.stringify(parseExactly(text));

test.each<[text: string, rewritten: string]>([
  ['{"id":12345678901234567890}', '{"id":12345678901234567890}'],
  ["[1e400,-1e400,1e-400]", "[1e400,-1e400,1e-400]"],
  ["[-0,-0.0,0]", "[-0,-0.0,0]"],
  ["[0.12345678901234567]", "[0.12345678901234567]"],
  ["[1e300,1E+300]", "[1e+300,1e+300]"],
  ["[1000000000000000000000]", "[1e+21]"],
  ["1.50", "1.5"],
  ["12345678901234567890", "12345678901234567890"],
  ['"1e400"', '"1e400"'],
])("%s is written again as %s", (text, again) => {
  expect(mayRound(text) ? rewritten(text) : JSON.stringify(JSON.parse(text))).toBe(again);
});

test.each(['"2001-03-04"', '"a0e12399-9c0b-4ef8-bb6d-1e123d380a11"', "1e20", "-1.5"])(
  "%s is not looked at twice",
  (value) => {
    expect(mayRound(`{"x":${value}}`)).toBe(false);
  },
);

test("what cannot be rounded is written again as JSON.stringify does", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(rewritten(text)).toBe(text);
    }),
  );
});

test("a number that would be changed may round", () => {
  const digits = fc.stringMatching(/^-?(?:0|[1-9]\d{0,24})(?:\.\d{1,20})?(?:[eE][+-]?\d{1,4})?$/);
  fc.assert(
    fc.property(digits, (number) => {
      const text = `{"x":${number}}`;
      expect(mayRound(text) || rewritten(text) === JSON.stringify(JSON.parse(text))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
