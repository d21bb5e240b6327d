import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import duckdb from "@duckdb/node-bindings";
import { afterAll, beforeAll, expect, test } from "vitest";
import { unwrap } from "../problem.ts";
import type { DigestColumn, Limits } from "../protocol.ts";
import { parseType, quoteName } from "../types.ts";
import { columnHasher } from "./canonical-hash.ts";
import { attach, chunksOf, closeDatabase, letGo, openDatabase, type Open } from "./database.ts";
import { runDigest } from "./digest.ts";
import { readVector } from "./raw.ts";
import { describeMade } from "./table-file.ts";

/** Of the row number `i`: what DuckDB stores each in its own way, and hands out from storage in as many. */
const scalars = {
  constant: "7::BIGINT",
  constantText: "'a constant text, longer than twelve'",
  dictionary: "'dictionary entry ' || (i % 5)",
  shortDictionary: "'n' || (i % 5)",
  prefixed: "'http://example.com/' || hash(i)",
  counted: "i",
  runs: "i // 100",
  scattered: "hash(i)",
  flag: "i % 3 = 0",
  allNull: "NULL::BIGINT",
  allNullText: "NULL::VARCHAR",
  someNull: "CASE WHEN i % 7 = 0 THEN NULL ELSE i END",
  nullRuns: "CASE WHEN i % 8000 < 4000 THEN NULL ELSE 3 END",
  nullDictionary: "CASE WHEN i % 7 = 0 THEN NULL ELSE 'dictionary entry ' || (i % 4) END",
  decimal: "(i % 100)::DECIMAL(5, 2)",
  fraction: "i / 3.0::DOUBLE",
  rounded: "round(i / 7.0, 2)::DOUBLE",
  notANumber: "CASE WHEN i % 2 = 0 THEN 'NaN'::DOUBLE ELSE -'NaN'::DOUBLE END",
  choice: "(CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END)::ENUM('a', 'b')",
};
const nestings: Record<string, (value: string) => string> = {
  plain: (value) => value,
  struct: (value) => `{x: ${value}, deeper: {y: ${value}}}`,
  nullableStruct: (value) => `CASE WHEN i % 11 = 0 THEN NULL ELSE {x: ${value}} END`,
  list: (value) => `CASE WHEN i % 5 = 0 THEN NULL ELSE list_resize([${value}], i % 4) END`,
  array: (value) => `array_value(${value}, ${value})`,
  arrayOfStructs: (value) => `array_value({x: ${value}})`,
  map: (value) => `MAP {i: ${value}}`,
};
const cases = Object.entries(scalars).flatMap(([name, value]) =>
  Object.entries(nestings).map(([nesting, of]) => ({ name: `${nesting} ${name}`, sql: of(value) })),
);
const rows = 10_000;

let folder: string;
let limits: Limits;
let open: Open;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "penstock-test-"));
  limits = { memoryLimit: "1GiB", spillLimit: "1GiB", spillFolder: join(folder, "s"), threads: 2 };
  open = await openDatabase(limits, limits.threads);
});
afterAll(() => {
  closeDatabase(open);
  rmSync(folder, { recursive: true });
});

async function make(file: string, select: string) {
  const path = join(folder, file);
  await attach(open.connection, path, "out", "READ_WRITE");
  await duckdb.query(open.connection, `CREATE TABLE out.main.data AS ${select}`);
  const made = unwrap(await describeMade(open.connection, "out", false));
  await letGo(open.connection, "out");
  const columns = made.data.map((column): DigestColumn => ({ ...column, table: "data" }));
  return { path, columns, rows: made.rows };
}

/** The digests of a query's columns, from its result: nothing of storage and its encodings is in them. */
async function digestsOfResult(columns: { type: string }[], select: string): Promise<string[]> {
  const types = columns.map(({ type }) => unwrap(parseType(type)));
  const hashers = types.map(() => columnHasher());
  const result = await duckdb.query(open.connection, select);
  for (const { chunk, rows: count } of chunksOf(result)) {
    types.forEach((type, index) => {
      hashers[index]?.update(readVector(duckdb.data_chunk_get_vector(chunk, index), type, count));
    });
  }
  return hashers.map((hasher) => hasher.digest().toString("hex"));
}

test("a column's digest is of its values, however DuckDB stores them", async () => {
  const columns = cases.map(({ name, sql }) => `${sql} AS ${quoteName(name)}`).join(", ");
  const select = `SELECT ${columns} FROM range(${rows}) t(i)`;
  const made = await make("encodings.duckdb", select);
  const answer = unwrap(await runDigest({ kind: "digest", ...made, hasOwnRowId: false }, limits));
  const expected = await digestsOfResult(made.columns, select);
  const named = (digests: (string | undefined)[]) =>
    Object.fromEntries(cases.map(({ name }, index) => [name, digests[index]]));
  expect(named(answer.map(({ digest }) => digest))).toEqual(named(expected));
});

test("a column called rowid is a column like another", async () => {
  const select = `SELECT 5 - i AS rowid FROM range(${rows}) t(i)`;
  const made = await make("rowid.duckdb", select);
  const answer = unwrap(await runDigest({ kind: "digest", ...made, hasOwnRowId: true }, limits));
  const [digest] = await digestsOfResult(made.columns, select);
  expect(answer).toEqual([{ digest, hasNulls: false }]);
});

test("a file with other rows than were made is no table", async () => {
  const made = await make("short.duckdb", "SELECT 1 AS a");
  const asked = runDigest({ kind: "digest", ...made, rows: 2, hasOwnRowId: false }, limits);
  await expect(asked).rejects.toThrow("has 2 rows, of which 1 were read");
});
