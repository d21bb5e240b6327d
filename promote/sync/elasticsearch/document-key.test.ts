import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { typedColumns, type TypedColumn } from "../values/identity.ts";
import { identityOfId, placesOf } from "./document-key.ts";

function columnsOf(types: readonly string[]): TypedColumn[] {
  return unwrap(typedColumns(types.map((type, i) => ({ name: `k${i}`, type, nullable: false }))));
}

const keys: [id: string, types: string[], key: unknown[], part?: number][] = [
  ["42", ["BIGINT"], [42]],
  ["42~p3", ["INTEGER"], [42], 3],
  ["42", ["VARCHAR"], ["42"]],
  ["AA,2001-04-01,17", ["VARCHAR", "DATE", "INTEGER"], ["AA", "2001-04-01", 17]],
  ["a~1b~0c~01", ["VARCHAR"], ["a,b~c~1"]],
  ["~e,~n", ["VARCHAR", "VARCHAR"], ["", null]],
  ["~0n", ["VARCHAR"], ["~n"]],
  ['quo"te\n', ["VARCHAR"], ['quo"te\n']],
  ["18446744073709551615", ["UBIGINT"], ["18446744073709551615"]],
  ["1.50", ["DECIMAL(9,2)"], ["1.50"]],
  ["1.5,NaN", ["DOUBLE", "DOUBLE"], [1.5, "NaN"]],
  ["true,00ff", ["BOOLEAN", "BLOB"], [true, "00ff"]],
  ["2001-04-01T10:00:00.123456", ["TIMESTAMP"], ["2001-04-01T10:00:00.123456"]],
  ["10:00:00.5", ["TIME"], ["10:00:00.5"]],
  ['["a"~1"b\\""~1null]', ["VARCHAR[]"], [["a", 'b"', null]]],
  ['{"a":1~1"b":"x"}', ["STRUCT(a INTEGER, b VARCHAR)"], [{ a: 1, b: "x" }]],
];

test.each(keys)("document %j is that of its key, and says which", (id, types, key, part = 0) => {
  const columns = columnsOf(types);
  const identity = identityOfId(columns, id);
  expect(identity?.part).toBe(part);
  expect(placesOf(columns, [{ key, part }, identity ?? { key: [], part: 0 }])).toEqual([
    { id, key },
    { id, key },
  ]);
});

test.each<[id: string, types: string[]]>([
  ["042", ["INTEGER"]],
  ["4.0", ["INTEGER"]],
  ["kXy3", ["BIGINT"]],
  ["42,1", ["BIGINT"]],
  ["42~p0", ["BIGINT"]],
  ["42~p01", ["BIGINT"]],
  ["", ["VARCHAR"]],
  ["a~b", ["VARCHAR"]],
  ["~h00", ["VARCHAR"]],
  ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", ["UUID"]],
])("document %j is none of the pipeline's", (id, types) => {
  const columns = columnsOf(types);
  const identity = identityOfId(columns, id);
  const [place] = placesOf(columns, [identity ?? { key: [], part: 0 }]);
  expect(place?.id).not.toBe(id);
});

test("what is no key of these columns has no place, and takes nobody else's", () => {
  const columns = columnsOf(["INTEGER", "VARCHAR"]);
  const keys = [[1], [1, "a"], ["x", "a"], [1, undefined], [2, "b"], [{}, []]];
  const places = placesOf(
    columns,
    keys.map((key) => ({ key, part: 0 })),
  );
  expect(places.map((place) => place?.id)).toEqual([
    undefined,
    "1,a",
    undefined,
    undefined,
    "2,b",
    undefined,
  ]);
});
