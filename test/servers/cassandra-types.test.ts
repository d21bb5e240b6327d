import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect } from "#promote/sync/fixture.ts";
import type { SinkContract } from "#promote/sync/ports.ts";
import { scratchKeyspace, type ScratchKeyspace } from "./cassandra-scratch.ts";
import { batchOf } from "./sink-batches.ts";

let scratch: ScratchKeyspace;
beforeAll(async () => {
  scratch = await scratchKeyspace();
});
afterAll(() => scratch.remove());

const LONG_TEXT = "wörd 🛩 ".repeat(5000);
const N128 = [
  "-170141183460469231731687303715884105728",
  "170141183460469231731687303715884105727",
];

const VALUES: [type: string, cql: string, ...values: unknown[]][] = [
  ["BOOLEAN", "boolean", true, false],
  ["TINYINT", "tinyint", -128, 127],
  ["SMALLINT", "smallint", -32768, 32767],
  ["INTEGER", "int", -2147483648, 2147483647],
  ["BIGINT", "bigint", -9007199254740991, "-9223372036854775808", "9223372036854775807"],
  ["UTINYINT", "smallint", 255, 0],
  ["USMALLINT", "int", 65535, 0],
  ["UINTEGER", "bigint", 4294967295, 0],
  ["UBIGINT", "varint", "18446744073709551615", 0, "9223372036854775808", 255, 128, 127],
  ["HUGEINT", "varint", ...N128, -1, 0, 127, 128, -128, -129, 255, 256],
  ["UHUGEINT", "varint", "340282366920938463463374607431768211455", 0, 128],
  ["FLOAT", "float", 0.5, Math.fround(3.4e38), "NaN", "-Infinity", -0, Math.fround(1e-45)],
  ["DOUBLE", "double", 0.1, 5e-324, 1.7976931348623157e308, "NaN", "Infinity", "-Infinity", -0],
  ["DECIMAL(4,2)", "decimal", "-99.99", "0.00", "0.01"],
  ["DECIMAL(18,3)", "decimal", "-123456789012345.678", "1.000"],
  ["DECIMAL(38,10)", "decimal", "1234567890123456789012345678.0123456789", "-1.0000000000"],
  ["DECIMAL(38,0)", "decimal", `-${"9".repeat(38)}`, "0"],
  ["VARCHAR", "text", "", "short", "a \"text\"\n\u0000 with 'quotes'", LONG_TEXT],
  ["JSON", "text", '{"a": [1, 2.50]}', "null"],
  ["UUID", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
  ["ENUM('a', 'it''s b', '')", "text", "it's b", "a", ""],
  ["BLOB", "blob", "", "00ff5c78", "ab".repeat(40_000)],
  ["DATE", "date", "1600-02-29", "9999-12-31", "-000043-03-15", "+012345-01-01", "1970-01-01"],
  ["TIME", "time", "15:09:26.5", "00:00:00", "23:59:59.999999"],
  [
    "TIMESTAMP",
    "timestamp",
    "2001-03-14T15:09:26.535897",
    "1600-01-01T00:00:00.000001",
    "+012345-01-01T00:00:00",
    "1969-12-31T23:59:59.999999",
    "1970-01-01T00:00:00",
  ],
  ["TIMESTAMP_S", "timestamp", "2001-03-14T15:09:26", "1969-12-31T23:59:59"],
  ["TIMESTAMP_MS", "timestamp", "2001-03-14T15:09:26.535", "1969-12-31T23:59:59.999"],
  [
    "TIMESTAMP_NS",
    "timestamp",
    "2001-03-14T15:09:26.535897932",
    "2262-04-11T23:47:16.854775806",
    "1677-09-21T00:12:43.145224194",
    "1969-12-31T23:59:59.999999999",
  ],
  ["TIMESTAMP WITH TIME ZONE", "timestamp", "2001-03-14T15:09:26.535897Z"],
  ["INTEGER[]", "text", [1, null, 3], [], [null]],
  ["INTEGER[2]", "text", [1, 2], [3, null]],
  ["VARCHAR[][]", "text", [["a", "b"], []], [[null]], []],
  ["DOUBLE[]", "text", ["NaN", 1.5, -0, 0.1, 5e-324]],
  ['STRUCT(a INTEGER, "b c" VARCHAR[])', "text", { a: 1, "b c": ["x", null] }, { a: null, "b c": [] }], // prettier-ignore
  ['STRUCT("a.b" INTEGER, "__proto__" DOUBLE)', "text", { "a.b": 1, ["__proto__"]: 0.5 }],
  ["STRUCT(a STRUCT(b DECIMAL(9,2)[]))[]", "text", [{ a: { b: ["1.50"] } }, null, { a: null }]],
  ["MAP(VARCHAR, INTEGER)", "text", [["k", 1], ["l", null]], []], // prettier-ignore
  ["MAP(INTEGER, MAP(VARCHAR, BLOB))", "text", [[1, [["a", "00ff"]]]]], // prettier-ignore
  ["TIMESTAMP_NS[]", "text", ["2001-03-14T15:09:26.535897932", null]],
];

const COLUMNS = VALUES.map(([type]) => ({ name: type, type, nullable: true }));

describe("every type goes through a table without loss", () => {
  test("as a column, nulls among the values", async () => {
    const contract: SinkContract = {
      key: [{ name: "id", type: "INTEGER", nullable: false }],
      columns: COLUMNS,
      maxParts: 1,
    };
    const sink = await scratch.open({ table: "types" });
    expect(await sink.prepare(contract)).toBeUndefined();
    const deepest = Math.max(...VALUES.map(([, , ...values]) => values.length)) + 1;
    const rows = Array.from({ length: deepest }, (_, i) =>
      Object.fromEntries(VALUES.map(([type, , ...values]) => [type, values[i] ?? null])),
    );
    const operations = rows.map((values, i) => ({ key: [i], values, offset: i }));
    const outcomes = await sink.write(batchOf(contract, operations));
    expect(outcomes).toEqual(rows.map(() => ({ kind: "written", retracted: false })));
    const stored = (await collect(sink.scan())).toSorted((a, b) => a.offset - b.offset);
    for (const [i, row] of rows.entries())
      for (const [type] of VALUES)
        expect.soft(stored[i]?.values?.[type], `${type}, value ${i}`).toStrictEqual(row[type]);
    await sink.close();
  });

  test("in the Cassandra type that docs/types.md names", async () => {
    const found = await scratch.ask(
      "select column_name, type from system_schema.columns where keyspace_name = '$keyspace' and table_name = 'types'",
    );
    const types = new Map(found.map((row) => [row["column_name"], row["type"]]));
    const physical = new Map(
      (
        await scratch.ask(
          "select name, physical from $keyspace.penstock_fields where table_name = 'types'",
        )
      ).map((row) => [row["name"], row["physical"]]),
    );
    for (const [type, cql] of VALUES) expect.soft(types.get(physical.get(type)), type).toBe(cql);
    expect(types.get("TIMESTAMP_us")).toBe("smallint");
    expect(types.get("TIMESTAMP_NS_ns")).toBe("int");
  });

  test("as part of a key", async () => {
    const contract: SinkContract = {
      key: COLUMNS,
      columns: [{ name: "n", type: "INTEGER", nullable: false }],
      maxParts: 1,
    };
    const sink = await scratch.open({ table: "keys" });
    expect(await sink.prepare(contract)).toBeUndefined();
    // A key holds 64 KiB; what is null in a second value repeats the first.
    const keys = [0, 1].map((i) => VALUES.map(([, , ...values]) => values[i] ?? values[0]));
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

  test("−0.0 and 0.0 are one identity, as in the diff", async () => {
    const contract: SinkContract = {
      key: [{ name: "x", type: "DOUBLE", nullable: false }],
      columns: [{ name: "x", type: "DOUBLE", nullable: false }],
      maxParts: 1,
    };
    const sink = await scratch.open();
    expect(await sink.prepare(contract)).toBeUndefined();
    await sink.write(
      batchOf(contract, [
        { key: [0], values: { x: 0 }, offset: 0 },
        { key: [-0], values: { x: -0 }, offset: 1 },
      ]),
    );
    const stored = await collect(sink.scan());
    expect(stored.map(({ key, values }) => [key, values])).toStrictEqual([[[0], { x: -0 }]]);
    await sink.close();
  });

  test("values stand where a person looks for them", async () => {
    const [row] = await scratch.ask(
      `select "TIMESTAMP", "TIMESTAMP_us", "INTEGER[]" from $keyspace.types where id = 0`,
    );
    expect(row).toMatchObject({
      TIMESTAMP: new Date("2001-03-14T15:09:26.535Z"),
      TIMESTAMP_us: 897,
      "INTEGER[]": "[1,null,3]",
    });
  });
});
