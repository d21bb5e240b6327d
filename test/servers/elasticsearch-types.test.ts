import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect } from "#promote/sync/fixture.ts";
import type { SinkContract } from "#promote/sync/ports.ts";
import { scratchIndex, type ScratchIndex } from "./elasticsearch-scratch.ts";
import { batchOf } from "./sink-batches.ts";

let scratch: ScratchIndex;
beforeAll(async () => {
  scratch = await scratchIndex();
});
afterAll(() => scratch.remove());

const LONG_TEXT = "wörd 🛩 ".repeat(5000);

const VALUES: [type: string, ...values: unknown[]][] = [
  ["BOOLEAN", true, false],
  ["TINYINT", -128, 127],
  ["SMALLINT", -32768, 32767],
  ["INTEGER", -2147483648, 2147483647],
  ["BIGINT", -9007199254740991, "-9223372036854775808", "9223372036854775807"],
  ["UTINYINT", 255, 0],
  ["USMALLINT", 65535, 0],
  ["UINTEGER", 4294967295, 0],
  ["UBIGINT", "18446744073709551615", 0],
  ["HUGEINT", "-170141183460469231731687303715884105728", 1],
  ["UHUGEINT", "340282366920938463463374607431768211455", 1],
  ["FLOAT", 0.5, Math.fround(3.4e38), "NaN"],
  ["DOUBLE", 0.1, 5e-324, 1.7976931348623157e308, "NaN", "Infinity", "-Infinity", -0],
  ["DECIMAL(4,2)", "-99.99", "0.00"],
  ["DECIMAL(18,3)", "-123456789012345.678", "1.000"],
  ["DECIMAL(38,10)", "1234567890123456789012345678.0123456789", "-1.0000000000"],
  ["VARCHAR", "", "short", 'a "text"\n\u0000 with what JSON escapes', LONG_TEXT],
  ["JSON", '{"a": [1, 2.50]}'],
  ["UUID", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  ["ENUM('a', 'it''s b')", "it's b", "a"],
  ["BLOB", "", "00ff5c78", "ab".repeat(40_000)],
  ["DATE", "1600-02-29", "9999-12-31", "-000043-03-15", "+012345-01-01"],
  ["TIME", "15:09:26.5", "00:00:00"],
  [
    "TIMESTAMP",
    "2001-03-14T15:09:26.535897",
    "1600-01-01T00:00:00.000001",
    "+012345-01-01T00:00:00",
  ],
  ["TIMESTAMP_S", "2001-03-14T15:09:26", "1969-12-31T23:59:59"],
  ["TIMESTAMP_MS", "2001-03-14T15:09:26.535"],
  ["TIMESTAMP_NS", "2001-03-14T15:09:26.535897932", "2262-04-11T23:47:16.854775807"],
  ["TIMESTAMP WITH TIME ZONE", "2001-03-14T15:09:26.535897Z"],
  ["INTEGER[]", [1, null, 3], [], [null]],
  ["INTEGER[2]", [1, 2], [3, null]],
  ["VARCHAR[][]", [["a", "b"], []], [[null]], []],
  ["DOUBLE[]", ["NaN", 1.5]],
  ['STRUCT(a INTEGER, "b c" VARCHAR[])', { a: 1, "b c": ["x", null] }, { a: null, "b c": [] }],
  ['STRUCT("a.b" INTEGER, "__proto__" DOUBLE)', { "a.b": 1, ["__proto__"]: 0.5 }],
  ["STRUCT(a STRUCT(b DECIMAL(9,2)[]))[]", [{ a: { b: ["1.50"] } }, null, { a: null }]],
  ["MAP(VARCHAR, INTEGER)", [["k", 1], ["l", null]], []], // prettier-ignore
  ["MAP(INTEGER, MAP(VARCHAR, BLOB))", [[1, [["a", "00ff"]]]]], // prettier-ignore
];

describe("every type goes through an index without loss", () => {
  test("as a column, nulls among the values", async () => {
    const contract: SinkContract = {
      key: [{ name: "id", type: "INTEGER", nullable: false }],
      columns: VALUES.map(([type]) => ({ name: type, type, nullable: true })),
      maxParts: 1,
    };
    const sink = await scratch.open({ index: "columns" });
    expect(await sink.prepare(contract)).toBeUndefined();
    const deepest = Math.max(...VALUES.map(([, ...values]) => values.length)) + 1;
    const rows = Array.from({ length: deepest }, (_, i) =>
      Object.fromEntries(VALUES.map(([type, ...values]) => [type, values[i] ?? null])),
    );
    const operations = rows.map((values, i) => ({ key: [i], values, offset: i }));
    const outcomes = await sink.write(batchOf(contract, operations));
    expect(outcomes).toEqual(rows.map(() => ({ kind: "written", retracted: false })));
    const stored = await collect(sink.scan());
    const found = stored.toSorted((a, b) => a.offset - b.offset).map(({ values }) => values);
    for (const [i, row] of rows.entries())
      for (const [type] of VALUES)
        expect.soft(found[i]?.[type], `${type}, value ${i}`).toStrictEqual(row[type]);
    await sink.close();
  });

  test("as part of a key", async () => {
    const contract: SinkContract = {
      key: VALUES.map(([type]) => ({ name: type, type, nullable: true })),
      columns: [{ name: "n", type: "INTEGER", nullable: false }],
      maxParts: 1,
    };
    const sink = await scratch.open({ index: "keys" });
    expect(await sink.prepare(contract)).toBeUndefined();
    const keys = [0, 1].map((i) => VALUES.map(([, ...values]) => values[i] ?? null));
    const batch = batchOf(
      contract,
      keys.map((key, n) => ({ key, values: { n }, offset: n })),
    );
    await sink.write(batch);
    await sink.write(batch);
    const stored = await collect(sink.scan());
    expect(stored.toSorted((a, b) => a.offset - b.offset).map(({ key }) => key)).toStrictEqual(
      keys,
    );
    await sink.close();
  });

  test("and is found by what people search for", async () => {
    const found = async (query: object): Promise<unknown> =>
      scratch.ask("POST", `/${scratch.options.connection.prefix}columns/_count`, { query });
    const queries: [object, number][] = [
      [{ term: { BIGINT: "9223372036854775807" } }, 1],
      [{ range: { BIGINT: { lt: "-9223372036854775807" } } }, 1],
      [{ term: { UBIGINT: "18446744073709551615" } }, 1],
      [{ range: { "HUGEINT.number": { lt: -1e38 } } }, 1],
      [{ term: { "DECIMAL(4,2)": "-99.99" } }, 1],
      [{ range: { "DECIMAL(4,2).number": { lte: 0 } } }, 2],
      [{ match: { "VARCHAR.text": "wörd" } }, 1],
      [{ term: { VARCHAR: "short" } }, 1],
      [{ range: { TIMESTAMP: { gte: "2001-03-14", lt: "2001-03-15" } } }, 1],
      [{ term: { BLOB: "00ff5c78" } }, 1],
      [{ term: { "INTEGER[]": 3 } }, 1],
      [{ term: { "DOUBLE[]": 1.5 } }, 1],
      [{ term: { _ignored: "DOUBLE" } }, 3],
      [{ term: { "STRUCT(a INTEGER, \"b c\" VARCHAR[]).a": 1 } }, 1], // prettier-ignore
      [{ range: { "STRUCT(a STRUCT(b DECIMAL(9,2)[]))[].a.b.number": { gt: 1 } } }, 1],
    ];
    for (const [query, count] of queries)
      expect.soft(await found(query), JSON.stringify(query)).toMatchObject({ count });
  });
});
