import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DiffSide, DiffSummary } from "./diff.ts";
import { parseRule } from "./diff-rules.ts";
import { unwrap } from "./problem.ts";
import { withDuckDB } from "./test-duckdb.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
beforeAll(() => {
  here = temporaryWorkspace();
});
afterAll(() => here.close());

/** Type; two values of it that differ; values that are written otherwise and are equal. */
const types: [type: string, a: string, b: string, equal?: [string, string]][] = [
  ["BOOLEAN", "true", "false"],
  ["TINYINT", "-128", "127"],
  ["SMALLINT", "1", "2"],
  ["INTEGER", "2147483647", "2147483646"],
  ["BIGINT", "9007199254740993", "9007199254740992"],
  ["HUGEINT", "170141183460469231731687303715884105727", "170141183460469231731687303715884105726"],
  ["UTINYINT", "0", "255"],
  ["USMALLINT", "0", "65535"],
  ["UINTEGER", "4294967295", "4294967294"],
  ["UBIGINT", "18446744073709551615", "18446744073709551614"],
  [
    "UHUGEINT",
    "340282366920938463463374607431768211455",
    "340282366920938463463374607431768211454",
  ],
  ["FLOAT", "1.5", "1.5000001", ["-0.0", "0.0"]],
  [
    "DOUBLE",
    "0.1",
    "0.1000000000000000055511151231257827021181583404541015625e0 + 1e-16",
    ["'NaN'", "'-NaN'"],
  ],
  ["DOUBLE", "'inf'", "'-inf'", ["0.0::DOUBLE", "-0.0::DOUBLE"]],
  [
    "DECIMAL(38,2)",
    "'123456789012345678901234567890123456.78'",
    "'123456789012345678901234567890123456.79'",
  ],
  ["VARCHAR", "'a'", "'A'"],
  ["VARCHAR", "chr(233)", "'e' || chr(769)"],
  ["VARCHAR", "''", "' '"],
  ["JSON", `'{"a": 1}'`, `'{"a":1}'`],
  ["BLOB", "'\\x00\\xFF'", "'\\x00\\xFE'"],
  ["DATE", "'2001-01-01'", "'2001-01-02'", ["'infinity'", "'infinity'"]],
  ["TIME", "'12:00:00.000001'", "'12:00:00'"],
  ["TIME WITH TIME ZONE", "'12:00:00+00'", "'13:00:00+01'"],
  ["TIMESTAMP", "'2001-01-01 00:00:00.000001'", "'2001-01-01'"],
  ["TIMESTAMP_S", "'2001-01-01 00:00:01'", "'2001-01-01'"],
  ["TIMESTAMP_MS", "'2001-01-01 00:00:00.001'", "'2001-01-01'"],
  ["TIMESTAMP_NS", "'2001-01-01 00:00:00.000000001'", "'2001-01-01'"],
  [
    "TIMESTAMP WITH TIME ZONE",
    "'2001-01-01 00:00:00+00'",
    "'2001-01-01 00:00:00+01'",
    ["'2001-01-01 01:00:00+01'", "'2001-01-01 00:00:00+00'"],
  ],
  ["INTERVAL", "INTERVAL 1 MONTH", "INTERVAL 30 DAY", ["INTERVAL 14 MONTH", "'1 year 2 months'"]],
  ["INTERVAL", "INTERVAL 1 DAY", "INTERVAL 24 HOUR"],
  ["UUID", "'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"],
  ["ENUM('x', 'y')", "'x'", "'y'"],
  ["BIT", "'0101'", "'101'"],
  ["INTEGER[]", "[1, NULL]", "[NULL, 1]", ["[1, NULL]", "[1, NULL]"]],
  ["INTEGER[]", "[]", "NULL"],
  ["DOUBLE[]", "[1.0, 2.0]", "[1.0, 3.0]", ["[0.0::DOUBLE, 'NaN']", "[-0.0::DOUBLE, 'NaN']"]],
  ["INTEGER[2]", "[1, 2]", "[2, 1]"],
  ["STRUCT(a INTEGER, b VARCHAR)", "{a: 1, b: NULL}", "{a: 1, b: ''}"],
  ["STRUCT(a INTERVAL)", "{a: INTERVAL 1 MONTH}", "{a: INTERVAL 30 DAY}"],
  ["MAP(VARCHAR, INTEGER)", "MAP {'a': 1, 'b': 2}", "MAP {'b': 2, 'a': 1}"],
  ["UNION(n INTEGER, s VARCHAR)", "union_value(n := 1)", "union_value(s := '1')"],
];

/** Every case is a row: what a diff says of a case is whether its key changed. */
describe.each(["plain", "key", "multiset"] as const)("values of each type, %s", (how) => {
  test("differ as they should, and NULL from each", async () => {
    const path = join(here.workspace.root, `${how}.duckdb`);
    const sides = types.flatMap(([type, a, b, equal = [a, a]], i) => {
      const rows = (first: string, second: string, third: string) =>
        [first, second, third]
          .map((value, row) => `SELECT ${row} AS id, CAST(${value} AS ${type}) AS v`)
          .join(" UNION ALL ");
      return [
        `CREATE TABLE l${i} AS ${rows(a, equal[0], "NULL")}`,
        `CREATE TABLE r${i} AS ${rows(b, equal[1], "NULL")}`,
      ];
    });
    await withDuckDB(["SET TimeZone = 'UTC'", ...sides], path);
    const side = (table: string): DiffSide => ({ kind: "file", path, format: "duckdb", table });
    const keys = { plain: ["id"], key: ["id", "v"], multiset: null };
    for (const [i, [type, a, b]] of types.entries()) {
      const ask = async (left: string, right: string) =>
        unwrap(
          await here.queries.diff({
            left: side(left),
            right: side(right),
            key: keys[how],
            samples: 3,
          }),
        );
      const { rows, samples } = await ask(`l${i}`, `r${i}`);
      const what = `${type}: ${a} and ${b}`;
      const differing = how === "plain" ? rows.changed : rows.added;
      expect([what, rows.equal, differing]).toEqual([what, 2, 1]);
      expect(JSON.parse(JSON.stringify(samples))).toEqual(samples);
      const same = await ask(`l${i}`, `l${i}`);
      expect([what, same.identical, same.rows.equal]).toEqual([what, true, 3]);
    }
  });
});

/** One diff for many cases, each a column `vI`. */
async function changedIn(
  list: { left: string; right: string; rule?: string }[],
): Promise<boolean[]> {
  const select = (value: "left" | "right") =>
    `SELECT 1 AS id, ${list.map((each, i) => `${each[value]} AS v${i}`).join(", ")}`;
  const path = join(here.workspace.root, `rules${list.length}.duckdb`);
  await withDuckDB(
    [`CREATE TABLE l AS ${select("left")}`, `CREATE TABLE r AS ${select("right")}`],
    path,
  );
  const side = (table: string): DiffSide => ({ kind: "file", path, format: "duckdb", table });
  const rules = Object.fromEntries(
    list.flatMap(({ rule }, i) => (rule === undefined ? [] : [[`v${i}`, unwrap(parseRule(rule))]])),
  );
  const summary = unwrap(
    await here.queries.diff({ left: side("l"), right: side("r"), key: ["id"], rules }),
  );
  return list.map((_, i) => summary.columns[i + 1]?.changed === 1);
}

test("a rule says which values are close enough", async () => {
  const list: [rule: string, left: string, right: string, differs: boolean][] = [
    ["abs:0.5", "1.0::DOUBLE", "1.5::DOUBLE", false],
    ["abs:0.4", "1.0::DOUBLE", "1.5::DOUBLE", true],
    ["rel:0.01", "1000::DOUBLE", "1009::DOUBLE", false],
    ["rel:0.001", "1000::DOUBLE", "1009::DOUBLE", true],
    ["abs:1,rel:0.01", "1::DOUBLE", "2::DOUBLE", false],
    ["abs:1e300", "'inf'::DOUBLE", "'-inf'::DOUBLE", true],
    ["abs:1e300", "'inf'::DOUBLE", "'inf'::DOUBLE", false],
    ["abs:1", "'NaN'::DOUBLE", "1::DOUBLE", true],
    ["abs:1", "9007199254740993", "9007199254740995", true],
    ["abs:2", "9007199254740993", "9007199254740995", false],
    ["abs:1.9", "1", "3", true],
    ["abs:0.01", "1.00::DECIMAL(20,2)", "1.01::DECIMAL(20,2)", false],
    ["abs:0.009", "1.00::DECIMAL(20,2)", "1.01::DECIMAL(20,2)", true],
    ["abs:1e-20", "'0.00000000000000000001'::DECIMAL(38,20)", "0::DECIMAL(38,20)", false],
    ["abs:1e-21", "'0.00000000000000000001'::DECIMAL(38,20)", "0::DECIMAL(38,20)", true],
    ["abs:1", "(-128)::TINYINT", "127::TINYINT", true],
    ["abs:255", "(-128)::TINYINT", "127::TINYINT", false],
    ["abs:1e40", "(-1)::HUGEINT", "170141183460469231731687303715884105727::HUGEINT", false],
    ["abs:1", "340282366920938463463374607431768211455::UHUGEINT", "1::UHUGEINT", true],
    ["rel:1e-18", "1000000000000000000", "1000000000000000001", false],
    ["rel:1e-19", "1000000000000000000", "1000000000000000001", true],
    ["rel:0.5", "NULL::INTEGER", "1", true],
    ["duration:5s", "TIMESTAMP '2001-01-01 00:00:00'", "TIMESTAMP '2001-01-01 00:00:05'", false],
    ["duration:4s", "TIMESTAMP '2001-01-01 00:00:00'", "TIMESTAMP '2001-01-01 00:00:05'", true],
    ["duration:1d", "DATE '2001-01-01'", "DATE '2000-12-31'", false],
    ["duration:23h", "DATE '2001-01-01'", "DATE '2000-12-31'", true],
    ["duration:9d", "DATE 'infinity'", "DATE '2000-12-31'", true],
    ["duration:1us", "TIME '00:00:00.000001'", "TIME '00:00:00'", false],
    [
      "duration:1ns",
      "TIMESTAMP_NS '2001-01-01 00:00:00.000000002'",
      "TIMESTAMP_NS '2001-01-01'",
      true,
    ],
    ["duration:1h", "INTERVAL 1 DAY", "INTERVAL 23 HOUR", false],
    ["trim", "'a'", "chr(160) || ' a' || chr(9) || chr(10)", false],
    ["trim", "'a b'", "'ab'", true],
    ["case", "'Straße ΣΑΣ'", "'STRAßE σας'", false],
    ["nfc", "chr(233)", "'e' || chr(769)", false],
    ["trim,case,nfc", "' É'", "'e' || chr(769) || ' '", false],
    ["trim", "' x'::ENUM(' x', 'y')", "'x'::ENUM('x', 'y')", false],
    ["set", "[3, 1, NULL, 1]", "[NULL, 1, 3, 3]", false],
    ["set", "[1, NULL]", "[1]", true],
    ["set", "[1, 2]::INTEGER[2]", "[2, 1]::INTEGER[2]", false],
    ["trim", "['a ', 'b']", "['a', 'b']", false],
    ["trim,set", "['b ', 'a']", "['a', 'b']", false],
    ["set", "MAP {'a': 1, 'b': 2}", "MAP {'b': 2, 'a': 1}", false],
  ];
  const found = await changedIn(list.map(([rule, left, right]) => ({ rule, left, right })));
  expect(list.map(([rule, left, right], i) => [rule, left, right, found[i]])).toEqual(list);
});

test("types that are not the same are compared where one holds the other, else every row changed", async () => {
  const list: [left: string, right: string, differs: boolean][] = [
    ["7::INTEGER", "7::BIGINT", false],
    ["7::TINYINT", "7::UBIGINT", false],
    ["255::UTINYINT", "255::UHUGEINT", false],
    ["9007199254740993", "9007199254740993.00::DECIMAL(20, 2)", false],
    ["9007199254740993", "9007199254740992.00::DECIMAL(20, 2)", true],
    ["1.50::DECIMAL(4,2)", "1.5::DECIMAL(10,1)", false],
    ["0.5::FLOAT", "0.5::DOUBLE", false],
    ["0.1::FLOAT", "0.1::DOUBLE", true],
    ["1::BIGINT", "1::DOUBLE", true],
    ["'2001-01-01'", "DATE '2001-01-01'", false],
    ["'0.0'", "(-0.0)::DOUBLE", false],
    ["'1 month'", "INTERVAL 1 MONTH", false],
    ["'x'", "'x'::ENUM('x')", false],
    ["'x'::ENUM('x')", "'x'::ENUM('y', 'x')", false],
    ["DATE '2001-01-01'", "TIMESTAMP '2001-01-01'", false],
    ["TIMESTAMP '2001-01-01 12:00:00'", "TIMESTAMPTZ '2001-01-01 12:00:00+00'", false],
    ["[1]::INTEGER[]", "[1]::BIGINT[]", false],
    ["{a: 1::INTEGER}", "{a: 1::BIGINT}", false],
    ["{a: 1}", "{b: 1}", true],
    ["MAP {'a': 1::INTEGER}", "MAP {'a': 1::BIGINT}", false],
    ["true", "1", true],
    ["NULL::INTEGER", "NULL::INTEGER[]", true],
  ];
  const found = await changedIn(list.map(([left, right]) => ({ left, right })));
  expect(list.map(([left, right], i) => [left, right, found[i]])).toEqual(list);
});

describe("a rule that cannot apply", () => {
  test.each([
    ["v", "abs:1", "`v` is VARCHAR; `abs:1` cannot be applied to it."],
    ["n", "trim", "`n` is INTEGER; `trim` cannot be applied to it."],
    ["n", "duration:5s", "`n` is INTEGER; `duration:5s` cannot be applied to it."],
    ["v", "set", "`v` is VARCHAR; `set` cannot be applied to it."],
    ["id", "abs:1", "`id` is a key column: `abs:1` cannot say which rows belong together."],
    ["nope", "trim", "Neither side has a column `nope`."],
  ])("to %s: %s", async (column, rule, message) => {
    const { hash } = await here.table("SELECT 1 AS id, 'a' AS v, 2 AS n");
    const side: DiffSide = { kind: "table", hash };
    const result = await here.queries.diff({
      left: side,
      right: side,
      key: ["id"],
      rules: { [column]: unwrap(parseRule(rule)) },
    });
    expect(result).toMatchObject({ ok: false, problem: { message } });
  });
});

async function ofTables(left: string, right: string, more: object = {}): Promise<DiffSummary> {
  const [a, b] = [await here.table(left), await here.table(right)];
  return unwrap(
    await here.queries.diff({
      left: { kind: "table", hash: a.hash },
      right: { kind: "table", hash: b.hash },
      key: ["id"],
      ...more,
    }),
  );
}

test("`*` is for every column a rule can apply to, but those with their own; ignored ones are out", async () => {
  const summary = await ofTables(
    "SELECT 'A ' AS id, 'x' AS t, 'Y' AS own, 1.0::DOUBLE AS n, 1 AS gone, 5 AS skip",
    "SELECT 'A' AS id, 'x ' AS t, 'y' AS own, 1.4::DOUBLE AS n, 6 AS skip",
    {
      rules: { "*": unwrap(parseRule("trim,abs:0.5")), own: unwrap(parseRule("case")) },
      ignore: ["gone", "skip"],
    },
  );
  expect(summary.identical).toBe(true);
  expect(summary.columns.map(({ name, status, rule }) => [name, status, rule])).toEqual([
    ["id", "key", "trim"],
    ["t", "compared", "trim"],
    ["own", "compared", "case"],
    ["n", "compared", "abs:0.5"],
    ["gone", "ignored", null],
    ["skip", "ignored", null],
  ]);
});

test("canonical forms pair duplicates off; distances do not", async () => {
  const left = "SELECT 1 AS id, unnest(['a', 'B', 'c']) AS t";
  const right = "SELECT 1 AS id, unnest(['A', 'b', 'd']) AS t";
  expect((await ofTables(left, right, { rules: { t: { case: true } } })).rows).toMatchObject({
    equal: 2,
    changed: 1,
    ambiguous: { keys: 0 },
  });
});

test("the largest difference is exact, and says how far numbers moved", async () => {
  const summary = await ofTables(
    "SELECT 1 AS id, 1::BIGINT AS a, 0.10::DECIMAL(10,2) AS b, 1.5::DOUBLE AS c, 'inf'::DOUBLE AS d, 'x' AS e",
    "SELECT 1 AS id, 9007199254740995::BIGINT AS a, 0.35::DECIMAL(10,2) AS b, 2.0::DOUBLE AS c, 1::DOUBLE AS d, 'y' AS e",
  );
  expect(summary.columns.map((column) => column.largestDifference)).toEqual([
    undefined,
    "9007199254740994",
    "0.25",
    0.5,
    undefined,
    undefined,
  ]);
});

test("no rows, no value columns, a thousand columns", async () => {
  const none = await ofTables("SELECT 1 AS id WHERE false", "SELECT 1 AS id WHERE false");
  expect(none).toMatchObject({ identical: true, rows: { left: 0, right: 0 } });
  expect((await ofTables("SELECT 1 AS id", "SELECT 1 AS id WHERE false")).rows.removed).toBe(1);
  expect((await ofTables("SELECT 1 AS id", "SELECT 2 AS id")).rows).toMatchObject({
    added: 1,
    removed: 1,
  });
  const wide = (shift: number) =>
    `SELECT range AS id, ${Array.from({ length: 1000 }, (_, i) => `${i % 3 === 0 ? "'t' || " : ""}(range * ${i} + ${i === 776 ? shift : 0}) AS c${i}`).join(", ")} FROM range(50)`;
  const summary = await ofTables(wide(0), `FROM (${wide(1)}) WHERE id <> 3`, { samples: 1 });
  expect(summary.rows).toMatchObject({ left: 50, right: 49, changed: 49, removed: 1 });
  expect(summary.columns.filter(({ changed }) => changed > 0)).toMatchObject([
    { name: "c776", changed: 49, largestDifference: 1 },
  ]);
  const repeated = wide(0).replace("range AS id", "range // 2 AS id");
  expect((await ofTables(repeated, repeated)).identical).toBe(true);
});

test("columns that are likely one by their values are offered as renamed", async () => {
  const summary = await ofTables(
    "SELECT range AS id, range * 3 AS old, 'x' || range AS other FROM range(100)",
    "SELECT range AS id, range * 3 AS new, 'y' || range AS different FROM range(100)",
  );
  expect(summary.renameCandidates).toEqual([
    { left: "old", right: "new", type: "BIGINT", equal: 100, rows: 100 },
  ]);
  expect(summary.columns.map(({ status }) => status)).toContain("removed");
});

test("renames are judged by rows whose key each side has once, and not beyond the budget", async () => {
  const [left, right] = ["old", "new"].map(
    (name) =>
      `SELECT greatest(range - 2000, 0) AS id, hash(range) AS ${name} FROM range(2100) ORDER BY range DESC`,
  );
  const summary = await ofTables(left ?? "", right ?? "");
  expect(summary.renameCandidates).toEqual([
    { left: "old", right: "new", type: "UBIGINT", equal: 99, rows: 99 },
  ]);
  const none = await ofTables(left ?? "", right ?? "", { budgetMs: 0 });
  expect(none.renameCandidates).toEqual([]);
});

describe("cut short", () => {
  const left = "SELECT range AS id, range AS v FROM range(20000)";
  const right = left.replace("range AS v", "range + 1 AS v");

  test("after enough differences, it says what the figures cover", async () => {
    const summary = await ofTables(left, right, { stopAfter: 100, samples: 3 });
    expect(summary).toMatchObject({ identical: false, complete: false });
    const { left: seen, equal, changed } = summary.rows;
    expect(changed).toBeGreaterThanOrEqual(100);
    expect(changed).toBeLessThan(20_000);
    expect([equal, seen]).toEqual([0, changed]);
    expect(summary.note).toContain(`${seen} of 20000 left`);
    expect(summary.samples.changed).toHaveLength(3);
  });

  test("by a budget of nothing, it has looked at nothing, and does not call it identical", async () => {
    const summary = await ofTables(left, left.replace("20000", "20001"), { budgetMs: 0 });
    expect(summary).toMatchObject({ identical: false, complete: false, rows: { left: 0 } });
    expect(summary.note).toContain("0 of 20000 left");
  });

  test("not where all is found before", async () => {
    const summary = await ofTables(left, left, { stopAfter: 1 });
    expect(summary).toMatchObject({ identical: true, complete: true });
    expect(await ofTables(left, right, { budgetMs: 60_000 })).toMatchObject({ complete: true });
  });
});

test("a diff is cancelled", async () => {
  const { hash } = await here.table("SELECT range AS id FROM range(10)");
  const side: DiffSide = { kind: "table", hash };
  const stop = new AbortController();
  const asked = here.queries.diff({ left: side, right: side, key: null, signal: stop.signal });
  stop.abort();
  expect(await asked).toMatchObject({ ok: false, problem: { code: "cancelled" } });
});
