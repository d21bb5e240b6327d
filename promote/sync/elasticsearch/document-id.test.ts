import * as fc from "fast-check";
import { expect, test } from "vitest";
import { encodeStream } from "#snapshots/arrow-ipc.ts";
import { unwrap } from "#snapshots/problem.ts";
import { layOut } from "../values/arrow-layout.ts";
import { readPhysical } from "../values/arrow-read.ts";
import { typedColumns } from "../values/identity.ts";
import type { Kept } from "../values/json-values.ts";
import { JsonText } from "../values/json-text.ts";
import { idWriter } from "./document-id.ts";

function idOf(types: readonly string[], values: readonly Kept[], part = 0): string {
  const key = unwrap(
    typedColumns(types.map((type, i) => ({ name: `k${i}`, type, nullable: true }))),
  );
  const stream = encodeStream(
    key,
    key.map(({ type }, i) => layOut(type, [values[i] ?? null], 0, 1)),
  );
  const columns = readPhysical(
    stream,
    key.map(({ type }) => type),
  );
  const out = new JsonText();
  idWriter(key, columns[0]?.columns ?? [])(out, 0, part);
  const id: unknown = JSON.parse(`"${out.bytes.toString()}"`);
  return String(id);
}

const cases: [id: string, types: string[], values: Kept[], part?: number][] = [
  ["42", ["BIGINT"], [42]],
  ["-9223372036854775808", ["BIGINT"], [-(2n ** 63n)]],
  ["42~p3", ["BIGINT"], [42], 3],
  ["AA,2001-04-01,17", ["VARCHAR", "DATE", "INTEGER"], ["AA", 11_413, 17]],
  ["a~1b~0c", ["VARCHAR"], ["a,b~c"]],
  ["~e", ["VARCHAR"], [""]],
  ["~n,~n~p1", ["VARCHAR", "INTEGER"], [null, null], 1],
  ["~0n", ["VARCHAR"], ["~n"]],
  ['quo"te\n', ["VARCHAR"], ['quo"te\n']],
  ["_id", ["VARCHAR"], ["_id"]],
  ["0", ["DOUBLE"], [-0]],
  ["NaN", ["DOUBLE"], [Number.NaN]],
  ["true,00ff", ["BOOLEAN", "BLOB"], [true, new Uint8Array([0, 255])]],
  ['["a"~1"b\\""~1null]', ["VARCHAR[]"], [["a", 'b"', null]]],
];

test.each(cases)("a key is document %j", (id, types, values, part) => {
  expect(idOf(types, values, part)).toBe(id);
});

test("a key that is too long for an id is hashed, and one that just fits is not", () => {
  expect(idOf(["VARCHAR"], ["é".repeat(256)])).toBe("é".repeat(256));
  expect(idOf(["VARCHAR"], ["\n".repeat(512)])).toBe("\n".repeat(512));
  expect(idOf(["VARCHAR"], ["é".repeat(257)])).toMatch(/^~h[0-9a-f]{64}$/);
  expect(idOf(["VARCHAR"], ["é".repeat(257)])).not.toBe(idOf(["VARCHAR"], ["é".repeat(258)]));
  expect(idOf(["VARCHAR"], ["x".repeat(600)], 1)).not.toBe(idOf(["VARCHAR"], ["x".repeat(600)]));
});

test("no two keys share an id", () => {
  const text = fc.option(fc.string({ unit: fc.constantFrom("~", ",", "n", "e", "0", "1", "p") }));
  const key = fc.tuple(text, text, fc.integer({ min: 0, max: 12 }));
  fc.assert(
    fc.property(key, key, (a, b) => {
      const [one, other] = [a, b].map(([x, y, part]) => idOf(["VARCHAR", "VARCHAR"], [x, y], part));
      expect(one === other).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
    { numRuns: 1000 },
  );
});
