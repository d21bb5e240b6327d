import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DiffPairing, DiffSide } from "./diff.ts";
import { unwrap } from "./problem.ts";
import { withDuckDB } from "./test-duckdb.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
let pairing: DiffPairing;

beforeAll(async () => {
  here = temporaryWorkspace();
  const huge = 2n ** 100n;
  const left = await here.table(
    `SELECT range AS id, 'a,"b' || range AS "A", ${huge}::HUGEINT + range AS h, range AS a FROM range(10)`,
  );
  const right = await here.table(
    `SELECT range AS id, 'a,"b' || range AS "A", ${huge}::HUGEINT + range + (range = 3)::INTEGER AS h, range AS a FROM range(1, 11)`,
  );
  pairing = {
    left: { kind: "table", hash: left.hash },
    right: { kind: "table", hash: right.hash },
    key: ["id"],
  };
});
afterAll(() => here.close());

const out = (name: string) => join(here.workspace.root, name);

test("every differing row is written as CSV, in the order of the key, and nothing is left behind", async () => {
  const made = await here.queries.diffExport({ ...pairing, out: out("o.csv"), format: "csv" });
  expect(unwrap(made)).toEqual({ rows: 3 });
  const big = (more: bigint) => String(2n ** 100n + more);
  expect(readFileSync(out("o.csv"), "utf8").split("\n")).toEqual([
    "kind,key.id,before.id,before.A,before.h,before.a_1,after.id,after.A,after.h,after.a_1,changed",
    `removed,0,0,"a,""b0",${big(0n)},0,,,,,[]`,
    `changed,3,3,"a,""b3",${big(3n)},3,3,"a,""b3",${big(4n)},3,"[""h""]"`,
    `added,10,,,,,10,"a,""b10",${big(10n)},10,[]`,
    "",
  ]);
  const spill = readdirSync(join(here.store.root, "temp"), { recursive: true });
  expect(spill.filter((name) => String(name).includes("rows "))).toEqual([]);
});

test("Parquet keeps integers it has no type for as text; of two names that differ in case only the second has a number behind it, as DuckDB writes them", async () => {
  unwrap(await here.queries.diffExport({ ...pairing, out: out("o.parquet"), format: "parquet" }));
  const again = unwrap(
    await here.queries.diff({
      left: { kind: "file", path: out("o.parquet"), format: "parquet" },
      right: { kind: "file", path: out("o.parquet"), format: "parquet" },
      key: ["key.id"],
      where: `"before.h" = '${2n ** 100n + 3n}' AND changed = ['h']`,
    }),
  );
  expect(again.rows.equal).toBe(1);
  expect(again.columns.map(({ name, leftType }) => `${name} ${leftType}`)).toEqual([
    "kind VARCHAR",
    "key.id BIGINT",
    "before.id BIGINT",
    "before.A VARCHAR",
    "before.h VARCHAR",
    "before.a_1 BIGINT",
    "after.id BIGINT",
    "after.A VARCHAR",
    "after.h VARCHAR",
    "after.a_1 BIGINT",
    "changed VARCHAR[]",
  ]);
});

test("Parquet gives back every value of every type", async () => {
  const values = [
    ...["BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"].map((t) => `1::${t}`),
    ...["UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"].map((t) => `1::${t}`),
    `${2n ** 127n - 1n}::HUGEINT`,
    `${2n ** 128n - 1n}::UHUGEINT`,
    "18446744073709551615::UBIGINT",
    "123456789012345678901234567890::BIGNUM",
    "12345678901234567890123456789012345.678::DECIMAL(38, 3)",
    "0.1::FLOAT",
    "0.1::DOUBLE",
    "'NaN'::DOUBLE",
    "'é'::VARCHAR",
    `'{"a": 1}'::JSON`,
    "'\\x00\\xff'::BLOB",
    "'6f1c9ba0-0000-4000-8000-000000000001'::UUID",
    "'0101'::BIT",
    "DATE '2001-02-03'",
    "TIME '01:02:03.456789'",
    "'12:00:00+01'::TIMETZ",
    "INTERVAL '1 month 2 days 3 microseconds'",
    "TIMESTAMP '2001-02-03 04:05:06.789012'",
    "'2001-02-03 04:05:06'::TIMESTAMP_S",
    "'2001-02-03 04:05:06.789'::TIMESTAMP_MS",
    "'2001-02-03 04:05:06.789012345'::TIMESTAMP_NS",
    "'2001-02-03 04:05:06+01'::TIMESTAMPTZ",
    "'UNION'::ENUM('UNION', 'BIT''s')",
    "{'union': 1, 'INTERVAL': 2, 'a, BIT': DATE '2001-01-01'}",
    "{'TIME': '12:00:00+01'::TIMETZ}",
    "[INTERVAL 1 MONTH, INTERVAL 30 DAY]",
    "[1, 2, NULL]",
    "[1, 2]::INTEGER[2]",
    "MAP {'a': 1}",
    "MAP {'12:00:00+01'::TIMETZ: 1}",
    "MAP {TIMESTAMPTZ '2001-02-03 04:05:06+01': 1}",
    "union_value(n := 3)::UNION(n INTEGER, s VARCHAR)",
  ];
  const as = (name: (i: number) => string) =>
    values.map((sql, i) => `${sql} AS "${name(i)}"`).join(", ");
  await withDuckDB(
    [
      `CREATE TABLE t AS SELECT 1 AS id, ${as((i) => `c${i}`)}`,
      "CREATE TABLE none AS FROM t LIMIT 0",
      `CREATE TABLE expected AS SELECT 1 AS "key.id", ${as((i) => `before.c${i}`)}`,
    ],
    out("all.duckdb"),
  );
  const table = (name: string): DiffSide => ({
    kind: "file",
    path: out("all.duckdb"),
    format: "duckdb",
    table: name,
  });
  const asked = { left: table("t"), right: table("none"), key: ["id"] };
  const parquet: DiffSide = { kind: "file", path: out("all.parquet"), format: "parquet" };
  unwrap(await here.queries.diffExport({ ...asked, out: parquet.path, format: "parquet" }));
  const back = { left: parquet, right: table("expected"), key: ["key.id"] };
  const { rows, columns } = unwrap(await here.queries.diff(back));
  expect(rows).toMatchObject({ left: 1, right: 1 });
  const types = columns.filter(({ name }) => name.startsWith("before.c"));
  expect(types).toHaveLength(values.length);
  expect(types.filter(({ changed }) => changed > 0)).toEqual([]);
  const texts = types.flatMap(({ leftType, rightType }) =>
    leftType === "VARCHAR" && rightType !== "VARCHAR" ? [rightType] : [],
  );
  expect(texts).toEqual([
    "HUGEINT",
    "UHUGEINT",
    "HUGEINT",
    "UHUGEINT",
    "BIGNUM",
    "BIT",
    "TIME WITH TIME ZONE",
    "INTERVAL",
    "ENUM('UNION', 'BIT''s')",
    `STRUCT("TIME" TIME WITH TIME ZONE)`,
    "INTERVAL[]",
    "MAP(TIME WITH TIME ZONE, INTEGER)",
    "UNION(n INTEGER, s VARCHAR)",
  ]);
});

test("a file that cannot be written is one problem", async () => {
  const made = await here.queries.diffExport({
    ...pairing,
    out: out("no/such/o.csv"),
    format: "csv",
  });
  expect(made).toMatchObject({ ok: false, problem: { code: "not-written" } });
  expect(existsSync(out("no"))).toBe(false);
});
