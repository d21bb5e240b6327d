import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Problem } from "./problem.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
let input: string;

beforeAll(async () => {
  here = temporaryWorkspace({}, "256MB");
  input = (await here.table("SELECT range AS n, 'x' || range AS name FROM range(1000)")).hash;
});
afterAll(() => here.close());

async function refused(sql: string, timeoutMs?: number): Promise<Problem> {
  const result = await here.queries.sql({
    sql,
    inputs: { numbers: input },
    ...(timeoutMs ? { timeoutMs } : {}),
  });
  expect(result.ok, `${sql} must be refused`).toBe(false);
  // The pool lives on, and whatever was tried left no trace in the next request.
  const after = await here.queries.sql({
    sql: "SELECT count(*) AS n FROM numbers",
    inputs: { numbers: input },
  });
  expect(after.ok).toBe(true);
  return result.ok ? { code: "", message: "" } : result.problem;
}

describe("a query reaches nothing outside", () => {
  test.each([
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM read_parquet('/tmp/*.parquet')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM read_json('https://example.com/x.json')",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
  ])("%s", async (sql) => {
    expect(await refused(sql)).toMatchObject({
      code: "query-outside",
      hint: expect.stringContaining("no files"),
    });
  });

  test.each([
    "SELECT * FROM '/etc/passwd'",
    "FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT getenv('HOME')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''/etc/passwd'')'))",
  ])("%s", async (sql) => {
    expect((await refused(sql)).code).toMatch(/^query-/);
  });
});

describe("a query is one SELECT", () => {
  test.each([
    "COPY numbers TO '/tmp/penstock-escaped.csv'",
    "ATTACH '/tmp/penstock-escaped.duckdb'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 8",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA version",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "CREATE TABLE out.main.data AS SELECT 1",
    "INSERT INTO numbers VALUES (1, 'x')",
    "DROP VIEW numbers",
    "EXPORT DATABASE '/tmp/penstock-escaped'",
    "CHECKPOINT",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY numbers TO '/tmp/penstock-escaped.csv'",
    "SELECT $1",
    "",
    "-- nothing",
  ])("%s", async (sql) => {
    const problem = await refused(sql);
    expect(problem.message.length).toBeGreaterThan(0);
    expect(
      existsSync("/tmp/penstock-escaped.csv") || existsSync("/tmp/penstock-escaped.duckdb"),
    ).toBe(false);
  });

  test("a semicolon and a comment after it are no second statement", async () => {
    expect((await here.table("SELECT 1 AS one; -- that is all")).rows).toBe(1);
  });
});

describe("a query is a function of its tables", () => {
  test.each([
    ["SELECT * FROM enable_logging(level = 'trace', storage = 'stdout')", "query-function"],
    [
      "SELECT * FROM system.main.ENABLE_LOGGING('QueryLog', storage_path = '/tmp/penstock-escaped')",
      "query-function",
    ],
    [
      "SELECT * FROM \"enable_profiling\"(save_location = '/tmp/penstock-x.json')",
      "query-function",
    ],
    ["SELECT * FROM numbers WHERE n IN (SELECT 1 FROM truncate_duckdb_logs())", "query-function"],
    ["WITH a AS (SELECT sleep_ms(1)) SELECT * FROM a", "query-function"],
    ["FROM query('SELECT ' || 'now()')", "query-function"],
    ["SELECT path FROM duckdb_databases()", "query-function"],
    ["SELECT current_setting('temp_directory')", "query-function"],
    ["SELECT now()", "query-clock"],
    ["SELECT CURRENT_TIMESTAMP", "query-clock"],
    ["SELECT current_date AS d", "query-clock"],
    [
      "SELECT n FROM numbers ORDER BY CASE WHEN today() > DATE '2020-01-01' THEN n END",
      "query-clock",
    ],
    ["SELECT age(TIMESTAMP '2000-01-01')::VARCHAR", "query-clock"],
    ["SELECT uuidv7()", "query-clock"],
  ])("%s", async (sql, code) => {
    expect(await refused(sql)).toMatchObject({ code, at: { line: 1 } });
    // Binding such a function is enough to end the process with a later request's instance.
    const [one] = await Promise.all(
      Array.from({ length: 3 }, () => here.queries.profile({ table: input })),
    );
    expect(one?.ok).toBe(true);
  });

  test.each([
    "SELECT age(TIMESTAMP '2001-01-01', TIMESTAMP '2000-01-01')::VARCHAR AS a",
    'SELECT t.current_date FROM (SELECT 1 AS "current_date") t',
    "PIVOT (FROM range(5) t(n)) ON n IN (1, 2) USING count(*)",
    "FROM range(5) t(n) SELECT n LIMIT 1",
    "SELECT * FROM range(3) UNION ALL BY NAME SELECT 1 AS x",
    "SELECT unnest(list_transform([1, 2], lambda x: x + 1)) AS x;",
    "SELECT uuid() AS u, random() AS r",
  ])("%s passes, and gives the same rows again", async (sql) => {
    const [one, two] = [await here.table(sql), await here.table(sql)];
    expect(one.hash).toBe(two.hash);
  });
});

test("columns named as our own queries name theirs are profiled by themselves", async () => {
  const { hash } = await here.table(
    "SELECT 1 AS v, 'a' AS c, 2.5 AS x, DATE '2001-01-01' AS n, uuid() AS low, 3 AS \"i\" FROM range(3)",
  );
  const profile = await here.queries.profile({ table: hash });
  expect(profile.ok && profile.value.map(({ name, distinct }) => [name, distinct])).toEqual(
    ["v", "c", "x", "n", "low", "i"].map((name) => [name, name === "low" ? 3 : 1]),
  );
});

test("a column of the largest integers is profiled, though their sum is none", async () => {
  const { hash } = await here.table(
    "SELECT 170141183460469231731687303715884105727::HUGEINT AS most FROM range(50)",
  );
  const profile = await here.queries.profile({ table: hash });
  expect(profile).toMatchObject({ ok: true, value: [{ distinct: 1, mean: 2 ** 127 }] });
});

describe("a query without end or measure is stopped, and its process replaced", () => {
  const endless =
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n > 0) SELECT count(*) FROM r";

  test("by its time", async () => {
    expect((await refused(endless, 1500)).code).toBe("query-timeout");
  });

  test("by whoever asked", async () => {
    const stop = new AbortController();
    const running = here.queries.sql({
      sql: endless,
      inputs: {},
      signal: stop.signal,
      onProgress: () => undefined,
    });
    setTimeout(() => stop.abort(), 300);
    expect(await running).toMatchObject({ ok: false, problem: { code: "cancelled" } });
    expect((await here.table("SELECT 1 AS one")).rows).toBe(1);
  });

  test("by its memory", async () => {
    const problem = await refused(
      "SELECT list(range || repeat('x', 1000)) FROM range(10000000)",
      60_000,
    );
    expect(problem.code).toMatch(/query-memory|query-failed|query-timeout/);
  });

  test("leaving no temporary files", () => {
    expect(
      readdirSync(join(here.workspace.paths.store, "temp")).filter(
        (name) => !name.endsWith(".spill"),
      ),
    ).toEqual([]);
  });
});

test("an error says its line and column", async () => {
  expect(await refused("SELECT n,\n  nope\nFROM numbers")).toMatchObject({
    at: { line: 2, column: 3 },
  });
  expect(await refused("SELECT n\nFRM numbers x y")).toMatchObject({ at: { line: 2 } });
  expect(await refused("SELECT 'é' AS é, nope FROM numbers")).toMatchObject({
    at: { line: 1, column: 18 },
  });
});

test("a column of a type that is not carried is named, with the way out", async () => {
  expect(await refused("SELECT INTERVAL 1 DAY AS gap")).toMatchObject({
    code: "type-not-carried",
    message: expect.stringContaining("`gap`"),
    hint: expect.stringContaining("CAST"),
  });
});

test("the same query over the same tables gives the same rows, random ones too", async () => {
  const sql = "SELECT n, random() AS r, sum(n / 7.0) OVER () AS s FROM numbers USING SAMPLE 50%";
  const ask = () => here.queries.sql({ sql, inputs: { numbers: input } });
  const [one, two] = [await ask(), await ask()];
  expect(one.ok && two.ok && one.value.hash === two.value.hash).toBe(true);
});
