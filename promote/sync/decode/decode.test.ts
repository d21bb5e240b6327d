import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrowToRows } from "#snapshots/arrow.ts";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { decodeBatch, openJsonDecoder } from "./decode.ts";
import { layoutOf } from "./layout.ts";
import type { KeyReader, RowReader } from "./rows.ts";
import type { SourceRecord } from "../ports.ts";

function record(value: unknown, key: string | null = null): SourceRecord {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return {
    offset: 0,
    timestampMs: 0,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(text),
    headers: [],
  };
}

function contractOf(type: string, nullable = false): { input: Column[]; key: string[] } {
  return {
    input: [
      { name: "id", type: "VARCHAR", nullable: false },
      { name: "x", type, nullable },
    ],
    key: ["id"],
  };
}

/** A date may carry hidden digits below the millisecond; they are not compared here. */
function plain(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : value;
}

/** What the guest would see of one value, or the reason it never does. */
function decodeOne(type: string, value: unknown, nullable = false): unknown {
  const decoder = unwrap(openJsonDecoder(contractOf(type, nullable)));
  const decoded = decoder.decode([record({ id: "a", x: value })], 0);
  const [failure] = decoded.failures;
  if (failure !== undefined) return failure.reason;
  return arrowToRows(decoded.encode(0, 1))[0]?.["x"];
}

describe("a value that holds to its type reaches the guest as docs/types.md says", () => {
  test.each([
    ["BOOLEAN", true, true],
    ["TINYINT", -128, -128],
    ["UINTEGER", 4294967295, 4294967295],
    ["BIGINT", -9007199254740991, -9007199254740991],
    ["BIGINT", 4294967296, 4294967296],
    ["UBIGINT", "18446744073709551615", 18446744073709551615n],
    ["HUGEINT", "-170141183460469231731687303715884105728", -(2n ** 127n)],
    ["UHUGEINT", 7, 7n],
    ["DOUBLE", -0.0001, -0.0001],
    ["DOUBLE", "NaN", NaN],
    ["FLOAT", "-Infinity", -Infinity],
    ["DECIMAL(18,3)", "-12.5", "-12.500"],
    [
      "DECIMAL(38,0)",
      "99999999999999999999999999999999999999",
      "99999999999999999999999999999999999999",
    ],
    ["DECIMAL(4,2)", 12.25, "12.25"],
    ["DECIMAL(18,9)", 0.0000005, "0.000000500"],
    ["DECIMAL(38,20)", -1.5e-7, "-0.00000015000000000000"],
    ["VARCHAR", "naïve 🛩", "naïve 🛩"],
    [
      "VARCHAR",
      "a text that is a good deal longer than twenty-four characters, ünïcode",
      "a text that is a good deal longer than twenty-four characters, ünïcode",
    ],
    ["UUID", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    ["ENUM('a', 'b')", "b", "b"],
    ["BLOB", "00ff", new Uint8Array([0, 255])],
    ["DATE", "2001-03-14", new Date("2001-03-14")],
    ["DATE", "1600-02-29", new Date("1600-02-29")],
    ["TIMESTAMP", "2001-03-14T15:09:26.535", new Date("2001-03-14T15:09:26.535Z")],
    ["TIMESTAMP", "2001-03-14 15:09:26Z", new Date("2001-03-14T15:09:26Z")],
    ["TIMESTAMP", "1969-12-31T23:59:59", new Date("1969-12-31T23:59:59Z")],
    ["TIMESTAMP_S", "2001-03-14T15:09:26", new Date("2001-03-14T15:09:26Z")],
    ["TIMESTAMP WITH TIME ZONE", "2001-03-14T01:30:00+02:00", new Date("2001-03-13T23:30:00Z")],
    ["TIME", "15:09:26.5", "15:09:26.5"],
    ["JSON", '{"late": [1]}', '{"late": [1]}'],
    ["INTEGER[]", [1, null, 3], [1, null, 3]],
    ["STRUCT(a INTEGER, b VARCHAR)", { a: 1, b: null }, { a: 1, b: null }],
    ["MAP(VARCHAR, INTEGER)", [["k", 1]], new Map([["k", 1]])],
  ])("%s %j", (type, value, wanted) => {
    expect(plain(decodeOne(type, value))).toEqual(plain(wanted));
  });
});

describe("a value that does not is refused with its column and itself", () => {
  test.each([
    ["BIGINT", "N/A", 'column `x` is "N/A", which is not BIGINT'],
    ["BIGINT", 1.5, "column `x` is 1.5, which is not BIGINT"],
    ["BIGINT", 1e16, /^column `x` is 10000000000000000, which is outside/],
    ["TINYINT", 128, /outside what TINYINT holds/],
    ["UBIGINT", "-1", /outside/],
    ["UBIGINT", 1e17, /send its digits as text/],
    ["BOOLEAN", 1, "column `x` is 1, which is not true or false"],
    ["VARCHAR", "\ud800", /is "\\ud800", which is not Unicode text: half of a surrogate pair/],
    ["JSON", "\udc00", /not Unicode text/],
    ["JSON", "late", 'column `x` is "late", which is not JSON'],
    ["JSON[]", ["{}", "{"], 'column `x` is "{", which is not JSON'],
    ["MAP(VARCHAR, INTEGER)", [["a\ud800", 1]], /not Unicode text/],
    [
      "MAP(DECIMAL(3,1), INTEGER)",
      [
        ["1", 1],
        ["1.0", 2],
      ],
      'column `x` has the key "1.0" twice',
    ],
    ["DOUBLE", "12", 'column `x` is "12", which is not a number'],
    ["FLOAT", 1e39, /within FLOAT's range/],
    ["DECIMAL(4,2)", "1.234", /more than 2 digits/],
    ["DECIMAL(38,20)", 1e-21, /more than 20 digits/],
    ["DECIMAL(38,20)", 1e-200, /not DECIMAL/],
    ["DECIMAL(4,2)", "123", /cannot hold/],
    ["DECIMAL(38,18)", 0.1 + 0.2, /send a decimal this long as text/],
    ["VARCHAR", 5, "column `x` is 5, which is not text"],
    ["ENUM('a', 'b')", "c", /not one of a, b/],
    ["UUID", "no", /not a UUID/],
    ["BLOB", "0", /not hexadecimal pairs/],
    ["DATE", "2001-02-29", /not a date/],
    ["DATE", "2001-02-28T01:00:00", /not a date/],
    ["TIMESTAMP", "2001-03-14T15:09:26+02:00", /without an offset/],
    ["TIMESTAMP", "2001-03-14T25:09:26", /not a date and time/],
    ["TIMESTAMP", "2001-03-14T15:09:26.5358979", /more digits than TIMESTAMP holds/],
    ["TIMESTAMP", 985e9, /not a date and time/],
    ["TIMESTAMP WITH TIME ZONE", "2001-03-14T15:09:26", /with its zone/],
    ["TIME", "24:00:00", /not a time/],
    ["INTEGER[]", { a: 1 }, /not INTEGER\[\]/],
    ["INTEGER[]", [1, "x"], 'column `x` is "x", which is not INTEGER'],
    ["STRUCT(a INTEGER)", {}, "column `x` has no field a"],
    ["INTEGER", null, "column `x` is null, which the contract does not allow"],
    ["INTEGER", undefined, "column `x` is missing"],
  ])("%s %j", (type, value, reason) => {
    expect(decodeOne(type, value)).toEqual(expect.stringMatching(reason));
  });

  test("a JSON column keeps its numbers as they were sent", () => {
    const decoder = unwrap(openJsonDecoder(contractOf("JSON")));
    const sent = ['{"n":[12345678901234567890,1e400,-0]}', "1e400", "12345678901234567890", "5"];
    const decoded = decoder.decode(
      sent.map((x) => record(`{"id":"a","x":${x}}`)),
      0,
    );
    expect(decoded.values[1]).toEqual(sent);
  });

  test("so does JSON within a list, a struct or a map; numbers beside it are read as ever", () => {
    const type = "STRUCT(j JSON, d DOUBLE, l MAP(INTEGER, JSON)[])";
    const decoder = unwrap(openJsonDecoder(contractOf(type)));
    const long = "0.12345678901234567890";
    const sent = `{"j":{"n":12345678901234567890},"d":${long},"l":[[[7,1e400]]]}`;
    const decoded = decoder.decode(
      [record(`{"id":"a","x":${sent}}`), record(`{"id":"a","x":{"j":${long},"d":1e400,"l":[]}}`)],
      0,
    );
    expect(decoded.values[1]).toEqual([
      ['{"n":12345678901234567890}', Number(long), [[[7, "1e400"]]]],
    ]);
    expect(decoded.failures[0]?.reason).toBe(
      "column `x` is Infinity, which is not within DOUBLE's range",
    );
  });

  test("numbers that are one FLOAT are one identity", () => {
    const input = [{ name: "id", type: "FLOAT", nullable: false }];
    const decoder = unwrap(openJsonDecoder({ input, key: ["id"] }));
    const { token } = decoder.decode(
      [record('{"id":0.1}'), record('{"id":0.10000000149011612}')],
      0,
    );
    expect(token[1]).toBe(token[0]);
  });

  test("a tombstone's key finds the identity whose JSON was sent so", () => {
    const input = [{ name: "id", type: "JSON", nullable: false }];
    const decoder = unwrap(openJsonDecoder({ input, key: ["id"] }));
    const id = '{"n":12345678901234567890}';
    const { token } = decoder.decode([record(`{"id":${id}}`), record(null, `{"id":${id}}`)], 0);
    expect(token[1]).toBe(token[0]);
  });

  test("so does a key that is a number of many digits and nothing else", () => {
    const input = [{ name: "id", type: "JSON", nullable: false }];
    const decoder = unwrap(openJsonDecoder({ input, key: ["id"] }));
    const id = "12345678901234567890";
    const { token } = decoder.decode([record(`{"id":${id}}`), record(null, id)], 0);
    expect(token).toEqual([id, id]);
  });

  test.each(["DOUBLE", "FLOAT", "BIGINT", "DECIMAL(4,1)"])(
    "a number that JSON.parse makes infinite is no %s",
    (type) => {
      const decoder = unwrap(openJsonDecoder(contractOf(type)));
      const { failures } = decoder.decode([record('{"id":"a","x":1e400}')], 0);
      expect(failures[0]?.reason).toMatch(/^column `x` is Infinity, which is not/);
    },
  );

  test("a null passes where the contract allows it", () => {
    expect(decodeOne("INTEGER", null, true)).toBeNull();
  });

  test.each([
    ["not JSON", "{", /^the value is not JSON: "\{"$/],
    ["not an object", "[1]", /^the value is \[1\], which is not an object$/],
    ["no object's own column", '{"id":"a"}', "column `constructor` is missing"],
  ])("%s", (_, text, reason) => {
    const input = [
      { name: "id", type: "VARCHAR", nullable: false },
      { name: "constructor", type: "VARCHAR", nullable: true },
    ];
    const decoded = unwrap(openJsonDecoder({ input, key: ["id"] })).decode([record(text)], 0);
    expect(decoded.failures).toEqual([
      { record: 0, stage: "decode", reason: expect.stringMatching(reason) },
    ]);
  });
});

describe("a record of any depth is a dead letter, and those behind it are rows", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);

  test.each<[column: string, text: string, reason: RegExp]>([
    [
      "VARCHAR",
      deep,
      /^the value is a value nested deeper than 500 levels, which is not an object/,
    ],
    ["VARCHAR", `{"id":"a","x":${deep}}`, /^column `x` is a value nested deeper than 500 levels/],
    ["BIGINT", `{"id":"a","x":${deep}}`, /which is not BIGINT$/],
    ["JSON", `{"id":"a","x":${deep}}`, /^column `x` is a value nested deeper than 500 levels$/],
    ["INTEGER[][]", `{"id":"a","x":${deep}}`, /which is not INTEGER$/],
  ])("%s", (type, text, reason) => {
    const decoder = unwrap(openJsonDecoder(contractOf(type, true)));
    const { rows, failures } = decoder.decode([record(text), record({ id: "b", x: null })], 0);
    expect(rows).toBe(1);
    expect(failures).toEqual([
      { record: 0, stage: "decode", reason: expect.stringMatching(reason) },
    ]);
  });

  test("what JSON allows at a depth that is kept is kept", () => {
    const nested = "[".repeat(400) + "]".repeat(400);
    const decoder = unwrap(openJsonDecoder(contractOf("JSON")));
    expect(decoder.decode([record(`{"id":"a","x":${nested}}`)], 0).values[1]).toEqual([nested]);
  });
});

test("whatever a reader throws on one record is that record's failure, and no trace of it is left", () => {
  const layout = unwrap(layoutOf(contractOf("VARCHAR")));
  const readRow: RowReader = {
    of: "text",
    read(text, row) {
      row[0] = text;
      if (text === "b") throw new RangeError("Maximum call stack size exceeded");
      row[1] = text;
      return undefined;
    },
  };
  const readKey: KeyReader = () => {
    throw new TypeError("no key");
  };
  const records = [record("a"), record("b"), record(null, "k"), record("c")];
  const decoded = decodeBatch(layout, { readRow, readKey }, records, 0);
  expect(decoded.values[0]).toEqual(["a", "c"]);
  expect([...decoded.recordOfRow]).toEqual([0, 3]);
  expect([...decoded.keyRow]).toEqual([0, -1, -1, 1]);
  expect(decoded.failures).toEqual([
    {
      record: 1,
      stage: "decode",
      reason: "reading it failed: Maximum call stack size exceeded",
    },
    { record: 2, stage: "decode", reason: "reading it failed: no key" },
  ]);
});

describe("identity", () => {
  const pair = {
    input: [
      { name: "a", type: "BIGINT", nullable: false },
      { name: "b", type: "VARCHAR", nullable: true },
    ],
    key: ["b", "a"],
  };

  test("a tombstone finds it in the key: a value, an array, an object, or plain text", () => {
    const text = unwrap(openJsonDecoder(contractOf("INTEGER", true)));
    const found = text.decode(
      [
        record({ id: "k-1", x: 1 }),
        record(null, "k-1"),
        record(null, '"k-1"'),
        record(null, '{"id":"k-1"}'),
        record({ id: "17", x: 1 }),
        record(null, "17"),
      ],
      0,
    );
    expect(found.failures).toEqual([]);
    expect(found.token).toEqual(["k-1", "k-1", "k-1", "k-1", "17", "17"]);
    expect(found.tombstones).toEqual([1, 2, 3, 5]);
    const both = unwrap(openJsonDecoder(pair)).decode(
      [
        record({ a: 1, b: "x" }),
        record(null, '["x",1]'),
        record(null, '{"a":1,"b":"x"}'),
        record(null, "x"),
        record(null, '{"a":1}'),
      ],
      0,
    );
    expect(new Set(both.token.slice(0, 3)).size).toBe(1);
    expect(both.failures.map((failure) => failure.reason)).toEqual([
      'the key "x" holds no `b`',
      'the key "{\\"a\\":1}" holds no `b`',
    ]);
  });

  test("a null in it is refused even where its column may be null", () => {
    const decoded = unwrap(openJsonDecoder(pair)).decode([record({ a: 1, b: null })], 0);
    expect(decoded.failures).toEqual([
      {
        record: 0,
        stage: "decode",
        reason: "column `b` is null, which the contract does not allow",
      },
    ]);
  });

  test("one that the contract lacks is a problem with a way out", () => {
    expect(openJsonDecoder({ ...pair, key: ["c"] })).toMatchObject({
      ok: false,
      problem: { code: "identity-missing", hint: expect.any(String) },
    });
  });

  test("two spellings of one moment are one identity", () => {
    const decoder = unwrap(
      openJsonDecoder({ input: [{ name: "t", type: "TIMESTAMP", nullable: false }], key: ["t"] }),
    );
    const { token } = decoder.decode(
      [
        record({ t: "2001-04-01T00:00:00" }),
        record({ t: "2001-04-01 00:00:00.000Z" }),
        record(null, '"2001-04-01"'),
      ],
      0,
    );
    expect(new Set(token).size).toBe(1);
  });
});

test("whatever the records, each is a row, a tombstone or a failure, and rows come through as they are", () => {
  const value = fc.oneof(
    fc.record({ id: fc.string(), x: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) }),
    fc.anything(),
    fc.constant(null),
  );
  const decoder = unwrap(openJsonDecoder(contractOf("INTEGER")));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 30 }), (values) => {
      const records = values.map((v, i) =>
        record(
          v === null
            ? null
            : (JSON.stringify(v, (_, inner: unknown) =>
                typeof inner === "bigint" ? String(inner) : inner,
              ) ?? "?"),
          `k${i}`,
        ),
      );
      const decoded = decoder.decode(records, 0);
      expect(decoded.rows + decoded.tombstones.length + decoded.failures.length).toBe(
        values.length,
      );
      const rows = arrowToRows(decoded.encode(0, decoded.rows));
      rows.forEach((row, i) => expect(values[decoded.recordOfRow[i] ?? -1]).toMatchObject(row));
    }),
  );
});
