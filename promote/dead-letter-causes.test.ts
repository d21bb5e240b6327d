import { expect, test } from "vitest";
import { foldReason, sharedReason } from "./dead-letter-causes.ts";

const cause = (reason: string) => foldReason(reason).cause;

test.each([
  [
    'column `delay` is "N/A", which is not BIGINT',
    'column `delay` is "x\\"2", which is not BIGINT',
  ],
  ["column `delay` is 500, above 100", "column `delay` is -12.5, above 100"],
  [
    'expectation "delays of a day": column `delay` is 500, above 100',
    'expectation "delays of a day": column `delay` is 612, above 100',
  ],
  // As Elasticsearch 9 puts it.
  [
    `failed to parse field [delay] of type [long] in document with id 'LAX~0SFO'. Preview of field's value: 'N/A': For input string: "N/A"`,
    `failed to parse field [delay] of type [long] in document with id 'Bob's'. Preview of field's value: '{a=1}': Cannot parse object as number`,
  ],
  ["the date 2001-04-01T10:00:00.000 is too old", "the date 1999-12-31T00:00:00.5 is too old"],
])("%j and %j have one cause", (one, other) => {
  expect(cause(one)).toBe(cause(other));
});

test.each([
  ["Column `q1` is missing", "Column `q2` is missing"],
  [
    "failed to parse field [delay] of type [long] in document with id 'LAX'. Preview of field's value: 'no'",
    "failed to parse field [distance] of type [long] in document with id 'LAX'. Preview of field's value: 'no'",
  ],
  ["undefined (reading 'delay') (line 12)", "undefined (reading 'origin') (line 12)"],
  ["x is not a function (line 12, column 5)", "x is not a function (line 14, column 5)"],
  [
    'expectation "short": column `delay` is 500, above 100',
    'expectation "long": column `delay` is 500, above 100',
  ],
])("%j and %j are two", (one, other) => {
  expect(cause(one)).not.toBe(cause(other));
});

test("a group says what its letters share, and leaves out what differs", () => {
  const folded = foldReason('expectation "d": column `delay` is 500, above 100');
  expect(sharedReason(folded, new Set())).toBe('expectation "d": column `delay` is 500, above 100');
  expect(sharedReason(folded, new Set([0]))).toBe(
    'expectation "d": column `delay` is …, above 100',
  );
});
