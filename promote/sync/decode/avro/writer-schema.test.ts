import type { Schema } from "avsc";
import { describe, expect, test } from "vitest";
import { decodeAvro, framed, recordOf, writerOf } from "./fixture.ts";
import { describeType, parseWriterSchema } from "./writer-schema.ts";

type Field = { name: string; type: unknown; [attribute: string]: unknown };

/** The row that a contract `id`, `x` keeps of a record whose writer's schema says more than its bytes need. */
async function read(type: string, field: Field, plain: unknown, value: unknown): Promise<unknown> {
  const id = { name: "id", type: "string" };
  const record = (x: unknown) => ({ type: "record", name: "Flight", fields: [id, x] }) as Schema; // as the tables below have it
  const bytes = writerOf(record({ name: "x", type: plain })).toBuffer({ id: "a", x: value });
  const input = [
    { name: "id", type: "VARCHAR", nullable: false },
    { name: field.name, type, nullable: true },
  ];
  const records = [recordOf(framed(1, bytes))];
  const decoded = await decodeAvro({ input, key: [] }, { 1: record(field) }, records);
  return decoded.failures[0]?.reason ?? decoded.values[1]?.[0];
}

describe("a writer's default has no part in reading, whatever it is", () => {
  const long = (logicalType: string) => ({ type: "long", logicalType });
  const decimal = { type: "bytes", logicalType: "decimal", precision: 4, scale: 1 };
  const uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";

  test.each<[type: string, writer: unknown, fallback: unknown, value: unknown, kept: unknown]>([
    ["TIMESTAMP", long("timestamp-millis"), 0, 5, 5000],
    ["TIMESTAMP", ["null", long("timestamp-micros")], null, null, null],
    ["DATE", { type: "int", logicalType: "date" }, 0, 7, 7],
    ["DECIMAL(4,1)", decimal, "\u0000", Buffer.from([125]), 125n],
    ["UUID", { type: "string", logicalType: "uuid" }, uuid, uuid, uuid],
    ["VARCHAR", ["string", "null"], null, { string: "b" }, "b"],
    ["BIGINT", "long", 2 ** 63, 5, 5],
    ["DOUBLE", "double", "NaN", 0.5, 0.5],
    ["VARCHAR", { type: "enum", name: "E", symbols: ["A"], default: "Z" }, "Z", "A", "A"],
    ["INTEGER[]", { type: "array", items: "int" }, "none", [1], [1]],
  ])("%s from %o, default %o", async (type, writer, fallback, value, kept) => {
    const field = { name: "x", type: writer, default: fallback, order: "none" };
    const { default: _, ...plain } = { default: undefined, ...(Object(writer) as object) };
    const bare = typeof writer === "string" || Array.isArray(writer) ? writer : plain;
    expect(await read(type, field, bare, value)).toEqual(kept);
  });
});

describe("names that Avro does not allow and Java writes all the same", () => {
  test("a field's is its column's", async () => {
    expect(await read("INTEGER", { name: "two$words", type: "int" }, "int", 3)).toBe(3);
  });

  test("a type's, its namespace's and those that refer to it", () => {
    const inner = { type: "record", name: "Outer$Inner", fields: [{ name: "n", type: "int" }] };
    const outer = {
      type: "record",
      name: "Outer",
      namespace: "my-company.air",
      fields: [
        { name: "one", type: inner },
        { name: "two", type: ["null", "my-company.air.Outer$Inner"] },
        { name: "three", type: { type: "array", items: "Outer$Inner" } },
      ],
    };
    expect(parseWriterSchema(JSON.stringify(outer))).toMatchObject({ ok: true });
  });
});

const fixed = (size: number, attributes: object): object => ({
  type: "fixed",
  name: "F",
  size,
  ...attributes,
});

test.each<[schema: object, described: string]>([
  [{ type: "string", logicalType: "timestamp-millis" }, "string"],
  [{ type: "int", logicalType: "timestamp-micros" }, "int"],
  [{ type: "long", logicalType: "constructor" }, "long"],
  [{ type: "long", logicalType: "timestamp-millis" }, "long (timestamp-millis)"],
  [{ type: "bytes", logicalType: "decimal" }, "bytes"],
  [{ type: "bytes", logicalType: "decimal", precision: 0 }, "bytes"],
  [{ type: "bytes", logicalType: "decimal", precision: 2, scale: 3 }, "bytes"],
  [{ type: "bytes", logicalType: "decimal", precision: 2, scale: -1 }, "bytes"],
  [{ type: "bytes", logicalType: "decimal", precision: 2 }, "bytes (decimal(2,0))"],
  [fixed(2, { logicalType: "decimal", precision: 5 }), "fixed F"],
  [fixed(2, { logicalType: "decimal", precision: 4 }), "fixed F (decimal(4,0))"],
  [fixed(8, { logicalType: "uuid" }), "fixed F"],
  [fixed(16, { logicalType: "uuid" }), "fixed F (uuid)"],
  [fixed(8, { logicalType: "duration" }), "fixed F"],
])("a logical type that does not fit is passed over: %o is %s", (schema, described) => {
  const parsed = parseWriterSchema(JSON.stringify(schema));
  expect(parsed.ok && describeType(parsed.value)).toBe(described);
});

test.each(['{"type":"record","name":"R"}', "{", '"constructor"', "null", "[".repeat(100_000)])(
  "what is no schema is a problem with its reason (case %#)",
  (text) => {
    expect(parseWriterSchema(text)).toMatchObject({
      ok: false,
      problem: { code: "bad-schema", message: expect.stringContaining("not an Avro schema") },
    });
  },
);
