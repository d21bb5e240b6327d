import type { Schema } from "avsc";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { contractSchema } from "./contract-schema.ts";
import { decodeAvro, framed, recordOf, writerOf } from "./fixture.ts";

function bytesOf(value: bigint): Buffer {
  let size = 1;
  while (BigInt.asIntN(size * 8, value) !== value) size++;
  const hex = BigInt.asUintN(size * 8, value)
    .toString(16)
    .padStart(size * 2, "0");
  return Buffer.from(hex, "hex");
}

const safe = fc.maxSafeInteger();
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const near = (value: bigint): number | bigint =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value;

/** By type: values as the column keeps them, and as avsc's writer takes them. */
const CASES: Record<string, { kept: fc.Arbitrary<unknown>; written?: (kept: unknown) => unknown }> =
  {
    BOOLEAN: { kept: fc.boolean() },
    INTEGER: { kept: fc.integer() },
    BIGINT: { kept: safe },
    UINTEGER: { kept: fc.nat(2 ** 32 - 1) },
    HUGEINT: {
      kept: fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n }),
      written: (kept) => bytesOf(kept as bigint),
    },
    DOUBLE: { kept: fc.double() },
    VARCHAR: { kept: fc.string({ unit: "binary" }) },
    BLOB: { kept: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
    "DECIMAL(38,10)": {
      kept: fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
      written: (kept) => bytesOf(kept as bigint),
    },
    DATE: { kept: fc.integer() },
    TIMESTAMP: { kept: int64.map(near) },
    TIMESTAMP_NS: { kept: int64.map(near) },
    "BIGINT[]": {
      kept: fc.array(fc.option(safe)),
      written: (kept) => (kept as (number | null)[]).map((n) => (n === null ? null : { long: n })),
    },
    "STRUCT(a BOOLEAN, b DATE)": {
      kept: fc.tuple(fc.boolean(), fc.integer()),
      written: (kept) => {
        const [a, b] = kept as [boolean, number];
        return { a: { boolean: a }, b: { int: b } };
      },
    },
  };

test.each(Object.entries(CASES))(
  "%s: decoding what was written by the contract's own schema gives it back",
  async (type, { kept, written = (value: unknown) => value }) => {
    const columns = [{ name: "x", type, nullable: true }];
    const schema = unwrap(contractSchema(columns, "Row")) as Schema;
    const writer = writerOf(schema);
    const branch = branchOf(schema);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(kept), { maxLength: 20 }), async (values) => {
        const records = values.map((value) =>
          recordOf(
            framed(1, writer.toBuffer({ x: value === null ? null : { [branch]: written(value) } })),
          ),
        );
        const decoded = await decodeAvro({ input: columns, key: [] }, { 1: schema }, records);
        expect(decoded.failures).toEqual([]);
        expect(decoded.values[0]).toEqual(values);
      }),
      { numRuns: 60 },
    );
  },
);

/** The name of a nullable field's other branch. */
function branchOf(schema: Schema): string {
  const text = JSON.stringify(schema);
  const { fields } = JSON.parse(text) as { fields: { type: [string, unknown] }[] }; // made by contractSchema
  const type = fields[0]?.type[1];
  if (typeof type === "string") return type;
  const { type: kind, name } = type as { type: string; name?: string };
  return name ?? kind;
}

test("bytes of any kind end in rows or reasons, never in a throw or a hang", async () => {
  const tree = {
    type: "record" as const,
    name: "Tree",
    fields: [
      { name: "id", type: "string" as const },
      { name: "children", type: { type: "array" as const, items: "Tree" } },
      {
        name: "tags",
        type: { type: "map" as const, values: { type: "array" as const, items: "null" as const } },
      },
      { name: "x", type: ["null" as const, "long" as const] },
    ],
  };
  const input = [
    { name: "id", type: "VARCHAR", nullable: true },
    { name: "tags", type: "MAP(VARCHAR, BOOLEAN[])", nullable: true },
    { name: "x", type: "BIGINT", nullable: true },
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 })), async (values) => {
      const records = values.map((bytes) => recordOf(framed(1, bytes)));
      const decoded = await decodeAvro({ input, key: [] }, { 1: tree }, records);
      expect(decoded.rows + decoded.failures.length).toBe(values.length);
    }),
    { numRuns: 300 },
  );
  const deep = recordOf(
    framed(1, Buffer.from([0, ...Array.from({ length: 100_000 }, () => [2, 0]).flat()])),
  );
  const decoded = await decodeAvro({ input, key: [] }, { 1: tree }, [deep]);
  expect(decoded.failures[0]?.reason).toContain("nested deeper than");
});
