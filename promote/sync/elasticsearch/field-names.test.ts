import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fieldOf } from "./field-names.ts";

test.each([
  ["delay", "delay"],
  ["Delay of arrival (min)", "Delay of arrival (min)"],
  ["late %", "late %"],
  ["größe", "größe"],
  ["a.b", "a%2Eb"],
  ["a%2Eb", "a%252Eb"],
  ["", "%"],
  ["%", "%25"],
  ["  ", "%20%20"],
  ["_id", "%5Fid"],
  ["__proto__", "%5F_proto__"],
  ["_penstock", "%5Fpenstock"],
  ["a_b", "a_b"],
  ["count(*)", "count(%2A)"],
  ["line\nbreak", "line%0Abreak"],
])("column %j is field %j", (column, field) => {
  expect(fieldOf(column)).toBe(field);
});

test("a name of any length is a field Elasticsearch takes, and no two names give one field", () => {
  const hostile = fc.oneof(
    fc.string({ unit: fc.constantFrom("%", "2", "E", ".", "_", "*", " ", "~", "a", "A") }),
    fc.string({ unit: "binary", maxLength: 400, size: "max" }),
    fc.constant("x".repeat(300)),
    fc.constant(fieldOf("x".repeat(300))),
  );
  fc.assert(
    fc.property(hostile, hostile, (a, b) => {
      const field = fieldOf(a);
      expect(field).toMatch(/^[^_.*]([^.*]*)$/su);
      expect(Buffer.byteLength(field)).toBeLessThanOrEqual(250);
      expect(field === fieldOf(b)).toBe(a.toWellFormed() === b.toWellFormed());
    }),
    { numRuns: 2000 },
  );
});
