import type { Schema } from "avsc";
import { describe, expect, test } from "vitest";
import { decodeAvro, framed, recordOf, writerOf } from "./fixture.ts";

function recordSchema(...fields: { name: string; type: Schema; aliases?: string[] }[]): Schema {
  return { type: "record", name: "Flight", fields };
}

/** What the column keeps of a value; or the failure's reason, and the conflict where the schemas have one. */
async function read(type: string, writer: Schema, value: unknown): Promise<unknown> {
  const schema = recordSchema({ name: "x", type: writer });
  const bytes = framed(7, writerOf(schema).toBuffer({ x: value }));
  const contract = { input: [{ name: "x", type, nullable: true }], key: [] };
  const decoded = await decodeAvro(contract, { 7: schema }, [recordOf(bytes)]);
  const [failure] = decoded.failures;
  return failure?.reason ?? decoded.values[0]?.[0];
}

const decimal = (precision: number, scale: number) => ({
  type: "bytes" as const,
  logicalType: "decimal",
  precision,
  scale,
});
const long = (logicalType: string) => ({ type: "long" as const, logicalType });

describe("a writer's type that resolves to the column's gives the exact value", () => {
  test.each<[type: string, writer: unknown, value: unknown, kept: unknown]>([
    ["BOOLEAN", "boolean", true, true],
    ["INTEGER", "int", -(2 ** 31), -(2 ** 31)],
    ["TINYINT", "int", -128, -128],
    ["BIGINT", "int", 5, 5],
    ["BIGINT", "long", 2n ** 53n - 1n, 2 ** 53 - 1],
    ["BIGINT", "long", -(2n ** 53n) + 1n, -(2 ** 53) + 1],
    ["BIGINT", "long", 34359738368n, 34359738368],
    ["BIGINT", long("timestamp-millis"), 985e9, 985e9],
    ["INTEGER", { type: "int", logicalType: "date" }, 7, 7],
    ["HUGEINT", "long", -(2n ** 63n), -(2n ** 63n)],
    ["UBIGINT", "long", 2n ** 63n - 1n, 2n ** 63n - 1n],
    ["UBIGINT", decimal(20, 0), Buffer.from("00ffffffffffffffff", "hex"), 2n ** 64n - 1n],
    [
      "HUGEINT",
      { type: "fixed", name: "F", size: 3, logicalType: "decimal", precision: 5, scale: 0 },
      Buffer.from([255, 255, 254]),
      -2n,
    ],
    ["DOUBLE", "long", 2n ** 53n, 2 ** 53],
    ["DOUBLE", "int", 3, 3],
    ["DOUBLE", "float", 0.5, 0.5],
    ["FLOAT", "int", 16777216, 16777216],
    ["FLOAT", "float", -0.5, -0.5],
    ["VARCHAR", "string", "naïve 🛩", "naïve 🛩"],
    ["VARCHAR", "string", "\uFFFD", "\uFFFD"],
    ["VARCHAR", "bytes", Buffer.from("naïve"), "naïve"],
    ["VARCHAR", { type: "enum", name: "E", symbols: ["A", "B"] }, "B", "B"],
    ["ENUM('B', 'A')", { type: "enum", name: "E", symbols: ["A", "B"] }, "B", "B"],
    ["ENUM('B')", "string", "B", "B"],
    ["BLOB", "bytes", Buffer.from([0, 255]), Buffer.from([0, 255])],
    ["BLOB", "string", "é", Buffer.from("é")],
    ["BLOB", { type: "fixed", name: "F", size: 2 }, Buffer.from([1, 2]), Buffer.from([1, 2])],
    ["DECIMAL(18,3)", decimal(9, 2), Buffer.from([0xfb, 0x1e]), -12500n],
    ["DECIMAL(4,1)", decimal(9, 2), Buffer.from([120]), 12n],
    [
      "DECIMAL(38,0)",
      { type: "fixed", name: "F", size: 16, logicalType: "decimal", precision: 38, scale: 0 },
      Buffer.from("4b3b4ca85a86c47a098a223fffffffff", "hex"),
      10n ** 38n - 1n,
    ],
    ["DATE", { type: "int", logicalType: "date" }, -1, -1],
    ["TIME", { type: "int", logicalType: "time-millis" }, 1, 1000],
    ["TIME", long("time-micros"), 86_399_999_999, 86_399_999_999],
    ["TIMESTAMP", long("timestamp-millis"), -1, -1000],
    ["TIMESTAMP", long("local-timestamp-micros"), 5, 5],
    ["TIMESTAMP", long("timestamp-nanos"), 1_700_000_000_123_456_000n, 1_700_000_000_123_456],
    ["TIMESTAMP_S", long("timestamp-millis"), 2000, 2],
    ["TIMESTAMP_NS", long("timestamp-micros"), 1_700_000_000_123_456n, 1_700_000_000_123_456_000n],
    [
      "TIMESTAMP_NS",
      long("timestamp-nanos"),
      1_700_000_000_123_456_789n,
      1_700_000_000_123_456_789n,
    ],
    ["TIMESTAMP WITH TIME ZONE", long("timestamp-micros"), 5, 5],
    [
      "UUID",
      { type: "string", logicalType: "uuid" },
      "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ],
    [
      "UUID",
      { type: "fixed", name: "F", size: 16, logicalType: "uuid" },
      Buffer.from("a0eebc999c0b4ef8bb6d6bb9bd380a11", "hex"),
      "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ],
    ["JSON", "string", '{"a": 1}', '{"a": 1}'],
    ["JSON", "bytes", Buffer.from("[1]"), "[1]"],
    ["INTEGER[]", { type: "array", items: ["null", "int"] }, [{ int: 1 }, null], [1, null]],
    ["MAP(VARCHAR, BIGINT)", { type: "map", values: "int" }, { k: 1 }, [["k", 1]]],
    [
      "MAP(INTEGER, VARCHAR)",
      {
        type: "array",
        items: {
          type: "record",
          name: "Entry",
          fields: [
            { name: "value", type: "string" },
            { name: "key", type: "int" },
          ],
        },
      },
      [{ key: 1, value: "a" }],
      [[1, "a"]],
    ],
    [
      "STRUCT(a INTEGER, b VARCHAR)",
      {
        type: "record",
        name: "R",
        fields: [
          { name: "other", type: { type: "array", items: "string" } },
          { name: "a", type: "int" },
        ],
      },
      { other: ["x", "y"], a: 4 },
      [4, null],
    ],
    ["INTEGER", ["null", "int"], { int: 1 }, 1],
    ["INTEGER", ["null", "int"], null, null],
    ["INTEGER", ["string", "int"], { int: 1 }, 1],
  ])("%s from %o: %o", async (type, writer, value, kept) => {
    // The schema is as the table above has it.
    expect(await read(type, writer as Schema, value)).toEqual(kept);
  });
});

describe("a value the column cannot hold fails alone", () => {
  test.each<[type: string, writer: unknown, value: unknown, reason: string]>([
    ["TINYINT", "int", 128, "column `x` is 128, which is outside what TINYINT holds here"],
    ["BIGINT", "long", 2n ** 53n, "is 9007199254740992, which is outside what BIGINT holds"],
    ["UBIGINT", "long", -1, "column `x` is -1, which is outside"],
    ["DOUBLE", "long", 2n ** 53n + 1n, "which floating point would round"],
    ["FLOAT", "int", 16777217, "which floating point would round"],
    ["DECIMAL(4,1)", decimal(9, 2), Buffer.from([121]), "more than 1 digits after the point"],
    ["DECIMAL(2,0)", decimal(9, 0), Buffer.from([100]), "DECIMAL(2,0) cannot hold"],
    ["TIMESTAMP_S", long("timestamp-millis"), 1, "more digits than TIMESTAMP_S holds"],
    ["TIME", { type: "int", logicalType: "time-millis" }, -1, "not a time of day"],
    ["UUID", "string", "no", 'is "no", which is not a UUID'],
    ["ENUM('A')", { type: "enum", name: "E", symbols: ["A", "B"] }, "B", "not one of A"],
    ["INTEGER", ["string", "int"], { string: "a" }, "is string, which INTEGER cannot read"],
    ["INTEGER[2]", { type: "array", items: "int" }, [1], "has 1 items, which is not a list of 2"],
    [
      "MAP(INTEGER, INTEGER)",
      {
        type: "array",
        items: {
          type: "record",
          name: "Entry",
          fields: ["key", "value"].map((name) => ({ name, type: "int" })),
        },
      },
      [1, 2, 1].map((key, value) => ({ key, value })),
      "has a key twice",
    ],
    ["VARCHAR", "bytes", Buffer.from([0xff]), "not UTF-8 text"],
    ["JSON", "string", "{", 'is "{", which is not JSON'],
    ["JSON", "bytes", Buffer.from("late"), 'is "late", which is not JSON'],
  ])("%s from %o: %o", async (type, writer, value, reason) => {
    expect(await read(type, writer as Schema, value)).toContain(reason);
  });
});

describe("types that do not resolve are a conflict that names both", () => {
  test.each<[type: string, writer: unknown, value: unknown, conflict: string]>([
    [
      "INTEGER",
      "long",
      1,
      "field `x` is long in the writer's schema, which the contract's INTEGER",
    ],
    ["FLOAT", "double", 1, "is double in the writer's schema, which the contract's FLOAT cannot"],
    ["BIGINT", "string", "1", "is string"],
    [
      "UUID",
      { type: "fixed", name: "F", size: 8, logicalType: "uuid" },
      Buffer.alloc(8),
      "is fixed F in",
    ],
    ["JSON", { type: "enum", name: "E", symbols: ["A"] }, "A", "is enum"],
    ["VARCHAR", long("timestamp-millis"), 1, "is long (timestamp-millis)"],
    ["INTEGER", long("timestamp-millis"), 1, "is long (timestamp-millis)"],
    ["TIMESTAMP", "long", 1, "is long in"],
    ["TIMESTAMP WITH TIME ZONE", long("local-timestamp-micros"), 1, "(local-timestamp-micros)"],
    ["DECIMAL(4,1)", "double", 1, "is double in"],
    ["VARCHAR", decimal(9, 2), Buffer.from([1]), "is bytes (decimal(9,2))"],
    [
      "BLOB",
      { type: "fixed", name: "F", size: 12, logicalType: "duration" },
      Buffer.alloc(12),
      "is fixed F (duration)",
    ],
    ["INTEGER[]", { type: "array", items: "string" }, [], "field `x[]` is string"],
    ["INTEGER", ["null", "string"], null, "field `x` is string"],
    [
      "STRUCT(a STRUCT(b INTEGER))",
      {
        type: "record",
        name: "R",
        fields: [
          {
            name: "a",
            type: { type: "record", name: "A", fields: [{ name: "b", type: "string" }] },
          },
        ],
      },
      { a: { b: "" } },
      "field `x.a.b` is string",
    ],
  ])("%s from %o", async (type, writer, value, conflict) => {
    expect(await read(type, writer as Schema, value)).toContain(conflict);
  });
});

describe("a schema that grows", () => {
  const input = [
    { name: "id", type: "VARCHAR", nullable: false },
    { name: "delay", type: "BIGINT", nullable: true },
    { name: "two words", type: "INTEGER", nullable: true },
  ];
  const contract = { input, key: ["id"] };
  const write = (id: number, schema: Schema, value: unknown) =>
    recordOf(framed(id, writerOf(schema).toBuffer(value)));

  test("order, new fields, left-out nullable fields, wider promotions and former names pass; each record by its own schema", async () => {
    const schemas = {
      1: recordSchema({ name: "id", type: "string" }, { name: "delay", type: "int" }),
      2: recordSchema(
        { name: "gate", type: { type: "map", values: "string" } },
        { name: "delay", type: ["null", "long"] },
        { name: "id", type: "string" },
      ),
      3: recordSchema(
        { name: "two_x20_words", type: "int" },
        { name: "delay_minutes", type: "long", aliases: ["delay"] },
        { name: "id", type: "string" },
      ),
      4: recordSchema({ name: "id", type: "string" }),
    };
    const decoded = await decodeAvro(contract, schemas, [
      write(1, schemas[1], { id: "a", delay: 5 }),
      write(2, schemas[2], { gate: { n: "A1" }, delay: { long: 6 }, id: "b" }),
      write(3, schemas[3], { two_x20_words: 2, delay_minutes: 7, id: "c" }),
      write(4, schemas[4], { id: "d" }),
      write(1, schemas[1], { id: "e", delay: -1 }),
    ]);
    expect(decoded.failures).toEqual([]);
    expect(decoded.values).toEqual([
      ["a", "b", "c", "d", "e"],
      [5, 6, 7, null, -1],
      [null, null, 2, null, null],
    ]);
  });

  test("an incompatible one fails its own records, with both schemas told once; the rest goes on", async () => {
    const good = recordSchema({ name: "id", type: "string" });
    const bad = recordSchema({ name: "id", type: "string" }, { name: "delay", type: "string" });
    const without = recordSchema({ name: "delay", type: "int" });
    const decoded = await decodeAvro(contract, { 1: good, 2: bad, 3: without }, [
      write(1, good, { id: "a" }),
      write(2, bad, { id: "b", delay: "late" }),
      write(2, bad, { id: "c", delay: "late" }),
      write(3, without, { delay: 1 }),
      write(1, good, { id: "d" }),
    ]);
    expect(decoded.values[0]).toEqual(["a", "d"]);
    expect(decoded.failures.map(({ record }) => record)).toEqual([1, 2, 3]);
    expect(decoded.conflicts).toEqual([
      {
        part: "value",
        subject: "flights-value",
        schemaId: 2,
        writerSchema: JSON.stringify(bad),
        readerSchema: expect.stringContaining('"two_x20_words"'),
        conflict:
          "field `delay` is string in the writer's schema, which the contract's BIGINT cannot read",
      },
      expect.objectContaining({
        schemaId: 3,
        conflict:
          "field `id` is not in the writer's schema, and the contract's VARCHAR has no default",
      }),
    ]);
  });

  test("a record with none of the contract's fields is another record, whatever may be null", async () => {
    const nullable = input.map((column) => ({ ...column, nullable: true }));
    const other: Schema = { type: "record", name: "Other", fields: [{ name: "z", type: "int" }] };
    const flight = recordSchema({ name: "delay", type: "int" });
    const either = [flight, other] as unknown as Schema; // a union, which avsc's types nest no further
    const decoded = await decodeAvro({ input: nullable, key: [] }, { 1: other, 2: either }, [
      write(1, other, { z: 1 }),
      write(2, either, { Flight: { delay: 5 } }),
      write(2, either, { Other: { z: 1 } }),
    ]);
    expect(decoded.values[1]).toEqual([5]);
    expect(decoded.failures.map(({ record }) => record)).toEqual([0, 2]);
    expect(decoded.conflicts).toMatchObject([
      {
        schemaId: 1,
        conflict:
          "record Other of the writer's schema has none of the contract's fields `id`, `delay`, `two words`",
      },
      { schemaId: 2 },
    ]);
  });

  test("a null where the contract allows none, an unknown schema and bytes that are not Avro fail alone", async () => {
    const schema = recordSchema({ name: "id", type: ["null", "string"] });
    const decoded = await decodeAvro(contract, { 1: schema }, [
      write(1, schema, { id: null }),
      write(9, schema, { id: { string: "a" } }),
      recordOf(Buffer.from('{"id":"a"}')),
      recordOf(framed(1, Buffer.from([2, 4, 97]))),
      recordOf(framed(1, Buffer.from([2, 2, 97, 0]))),
    ]);
    expect(decoded.failures.map(({ reason }) => reason)).toEqual([
      "column `id` is null, which the contract does not allow",
      "the registry knows no schema 9",
      "the value is not Avro in Confluent's wire format",
      "column `id` ends before its value does",
      "the value goes on for 1 bytes after its last field",
    ]);
  });

  test("a tombstone's Avro key is a record by column name, or the one column's value", async () => {
    const named = recordSchema({ name: "id", type: "string" });
    const schemas = { 1: "string" as const, 2: named, 3: "int" as const };
    const key = (id: 1 | 2 | 3, value: unknown) =>
      recordOf(null, framed(id, writerOf(schemas[id]).toBuffer(value)));
    const decoded = await decodeAvro(
      contract,
      schemas,
      [key(1, "a"), key(2, { id: "a" }), key(3, 5), recordOf(null, Buffer.from("a"))],
      "avro",
    );
    expect(decoded.tombstones).toEqual([0, 1]);
    expect(decoded.token.slice(0, 2)).toEqual(["a", "a"]);
    expect(decoded.failures.map(({ reason }) => reason)).toEqual([
      "in the key, schema 3: field `id` is int in the writer's schema, which the contract's VARCHAR cannot read",
      "in the key, the key is not Avro in Confluent's wire format",
    ]);
    expect(decoded.conflicts).toMatchObject([{ part: "key", schemaId: 3 }]);
  });
});
