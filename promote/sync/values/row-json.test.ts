import * as fc from "fast-check";
import { expect, test } from "vitest";
import { encodeStream } from "#snapshots/arrow-ipc.ts";
import { unwrap } from "#snapshots/problem.ts";
import { parseType } from "#snapshots/types.ts";
import { layOut } from "./arrow-layout.ts";
import { readPhysical } from "./arrow-read.ts";
import { JsonText } from "./json-text.ts";
import { converterFor, Refusal, type Kept } from "./json-values.ts";
import { fieldsWriter, valueWriter } from "./row-json.ts";

/** A value through Arrow and out again as JSON text. */
function written(type: string, ...values: Kept[]): string[] {
  const sqlType = unwrap(parseType(type));
  const stream = encodeStream(
    [{ name: "x", type: sqlType }],
    [layOut(sqlType, values, 0, values.length)],
  );
  const write = valueWriter(sqlType, readPhysical(stream, [sqlType])[0]?.columns[0]);
  return values.map((_, row) => {
    const out = new JsonText(1);
    write(out, row);
    return out.bytes.toString();
  });
}

function kept(type: string, value: unknown): Kept {
  const converted = converterFor(unwrap(parseType(type)))(value);
  if (converted instanceof Refusal) throw new Error(converted.reason);
  return converted;
}

test.each([
  ["BOOLEAN", [true, false]],
  ["TINYINT", [-128, 127]],
  ["SMALLINT", [-32768, 32767]],
  ["INTEGER", [-2147483648, 2147483647]],
  ["BIGINT", [-9007199254740991, 9007199254740991, 1_000_000_000, 999_999_999, -1]],
  ["UTINYINT", [0, 255]],
  ["USMALLINT", [0, 65535]],
  ["UINTEGER", [0, 4294967295]],
  ["UBIGINT", [0, 9007199254740991, "9007199254740992", "18446744073709551615"]],
  [
    "HUGEINT",
    [
      "-170141183460469231731687303715884105728",
      "170141183460469231731687303715884105727",
      -1,
      "-9007199254740992",
    ],
  ],
  ["UHUGEINT", [0, "340282366920938463463374607431768211455"]],
  ["FLOAT", [0.5, -2, Math.fround(0.1), Math.fround(3.4e38), "NaN", "-Infinity"]],
  [
    "DOUBLE",
    [0.1, -0, 5e-324, 1.7976931348623157e308, 1e21, 1e15, -123456789012, "NaN", "Infinity"],
  ],
  ["DECIMAL(4,2)", ["-99.99", "0.00", "-0.01"]],
  ["DECIMAL(18,0)", ["999999999999999999", "-1"]],
  ["DECIMAL(38,10)", ["1234567890123456789012345678.0123456789", "-1.0000000000", "-0.0000000001"]],
  ["DECIMAL(38,38)", ["0.99999999999999999999999999999999999999"]],
  ["VARCHAR", ["", 'a "quoted" \\ back', "\u0000\u0001\b\t\n\f\r\u001f\u007f\u2028", "ünï 🛩"]],
  ["UUID", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]],
  ["ENUM('a', 'it''s b')", ["it's b"]],
  ["BLOB", ["", "00ff5c78"]],
  ["DATE", ["1600-02-29", "0001-01-01", "9999-12-31", "1969-12-31", "-000043-03-15"]],
  ["TIME", ["15:09:26.5", "00:00:00", "23:59:59.999999"]],
  [
    "TIMESTAMP",
    [
      "2001-03-14T15:09:26.535897",
      "1969-12-31T23:59:59.999999",
      "0001-01-01T00:00:00",
      "9999-12-31T23:59:59.999999",
      "-001000-01-01T00:00:00.5",
      "+012345-01-01T00:00:00",
    ],
  ],
  ["TIMESTAMP_S", ["2001-03-14T15:09:26", "9999-12-31T23:59:59"]],
  ["TIMESTAMP_MS", ["2001-03-14T15:09:26.535", "1969-12-31T23:59:59.01"]],
  [
    "TIMESTAMP_NS",
    [
      "2001-03-14T15:09:26.535897932",
      "1677-09-21T00:12:43.145224193",
      "2262-04-11T23:47:16.854775807",
    ],
  ],
  ["TIMESTAMP WITH TIME ZONE", ["2001-03-14T15:09:26.535897Z"]],
  ["INTEGER[]", [[1, null, 3], []]],
  ["INTEGER[2]", [[3, null]]],
  ["VARCHAR[][]", [[["a", '"'], []], [[null]]]],
  ['STRUCT(a INTEGER, "b""c" VARCHAR[])', [{ a: 1, 'b"c': ["x", null] }]],
  [
    "MAP(VARCHAR, INTEGER)",
    [
      [
        ["k", 1],
        ["l", null],
      ],
      [],
    ],
  ],
])("%s is written as the JSON it came from", (type, values) => {
  const texts = written(type, null, ...values.map((value) => kept(type, value)), null);
  expect(texts.map((text): unknown => JSON.parse(text))).toEqual([null, ...values, null]);
});

test("a BIGINT beyond ±2^53 is its digits as text", () => {
  expect(written("BIGINT", -(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, -(2n ** 53n))).toEqual([
    '"-9223372036854775808"',
    '"9223372036854775807"',
    '"9007199254740992"',
    '"-9007199254740992"',
  ]);
});

test("texts of any characters and length come back as they were", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.integer({ min: 4000, max: 9000 }).map((length) => '\n"é'.repeat(length)),
  );
  fc.assert(
    fc.property(text, (value) => {
      expect(JSON.parse(written("VARCHAR", value)[0] ?? "")).toBe(value.toWellFormed());
    }),
  );
});

test("numbers come back bit by bit", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(JSON.parse(written("DOUBLE", value)[0] ?? "")).toBe(value);
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(written("BIGINT", value)[0]?.replaceAll('"', "")).toBe(String(value));
    }),
  );
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      expect(written("BIGINT", value)[0]).toBe(String(value));
    }),
  );
});

test.each([
  ["TIMESTAMP", 2n ** 55n],
  ["TIMESTAMP_NS", 2n ** 63n - 1n],
  ["TIMESTAMP_MS", 2n ** 53n - 1n],
  ["TIMESTAMP_S", 2n ** 43n],
])("a %s reads back as itself", (type, most) => {
  fc.assert(
    fc.property(fc.bigInt({ min: -most, max: most }), (value) => {
      const back = kept(type, JSON.parse(written(type, value)[0] ?? ""));
      expect(typeof back === "number" ? BigInt(back) : back).toBe(value);
    }),
  );
});

test("a row's fields are separated, and named as JSON needs", () => {
  const type = unwrap(parseType("INTEGER"));
  const stream = encodeStream(
    [
      { name: "a", type },
      { name: "b", type },
    ],
    [layOut(type, [1], 0, 1), layOut(type, [null], 0, 1)],
  );
  const write = fieldsWriter(
    [
      { name: 'a"', type },
      { name: "b", type },
    ],
    readPhysical(stream, [type, type])[0]?.columns ?? [],
  );
  const out = new JsonText();
  write(out, 0);
  expect(out.bytes.toString()).toBe('"a\\"":1,"b":null');
});
