import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CauseCondition, CausesResult, DiffPairing, DiffPage, DiffSide } from "./diff.ts";
import { unwrap } from "./problem.ts";
import { withDuckDB } from "./test-duckdb.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
beforeAll(() => {
  here = temporaryWorkspace();
});
afterAll(() => here.close());

const count = 20_000;
const rows = `SELECT range AS id, ['DEN', 'ORD', 'JFK', 'SFO', 'LAX'][1 + range % 5] AS origin, (range * 7919) % 120 - 20 AS delay, DATE '2001-01-01' + (range % 90)::INTEGER AS date, (range % 97) * 1.25::DOUBLE AS price, ' t ' || range % 50 AS t FROM range(${count})`;

let made = 0;
async function file(sql: string): Promise<DiffSide> {
  made += 1;
  const path = join(here.workspace.root, `${made}.parquet`);
  await withDuckDB([`COPY (${sql}) TO '${path}' (FORMAT PARQUET)`]);
  return { kind: "file", path, format: "parquet" };
}

async function causesOf(left: string, right: string): Promise<[CausesResult, DiffPairing]> {
  const pairing: DiffPairing = { left: await file(left), right: await file(right), key: ["id"] };
  return [unwrap(await here.queries.diffCauses(pairing)), pairing];
}

const late = (condition: string) => `SELECT *, ${condition} AS late FROM (${rows})`;

describe("the first cause is the line that changed", () => {
  test.each([
    ["delay > 15", "delay > 15 AND origin <> 'DEN'", "origin = DEN"],
    ["delay > 15", "delay > 20", "delay from 16 to 20"],
    ["delay > 15", "delay > 15 AND origin NOT IN ('DEN', 'ORD')", "origin is DEN or ORD"],
    ["delay > 15", "delay > 15 OR date >= DATE '2001-03-20'", "date from 2001-03-20 to 2001-03-31"],
    [
      "delay > 15",
      "CASE WHEN id BETWEEN 5000 AND 5999 THEN NULL ELSE delay > 15 END",
      "id from 5000 to 5999",
    ],
  ])("%s → %s", async (before, after, text) => {
    const [{ causes, search }, pairing] = await causesOf(late(before), late(after));
    expect(causes[0]).toMatchObject({ text, scope: { kind: "all" }, from: "sides" });
    expect(search).toMatchObject({ complete: true });
    const { differences, covered } = causes[0] ?? { differences: 0, covered: 1 };
    expect(covered).toBe(differences);
    const page = await pageOf(pairing, causes[0]);
    expect(page.total).toBe(covered);
  });

  test("of rows that one side leaves out", async () => {
    const [{ causes }] = await causesOf(rows, `FROM (${rows}) WHERE origin <> 'JFK'`);
    expect(causes[0]).toMatchObject({
      text: "origin = JFK",
      scope: { kind: "all" },
      covered: count / 5,
      differences: count / 5,
      equal: 0,
    });
  });
});

async function pageOf(pairing: DiffPairing, cause: CausesResult["causes"][0] | undefined) {
  const filter = cause === undefined ? {} : { cause };
  const page: DiffPage = unwrap(
    await here.queries.diffRows({ ...pairing, ...filter, offset: 0, limit: 5 }),
  );
  return page;
}

describe("how values moved", () => {
  const replace = (sql: string) => `SELECT * REPLACE (${sql}) FROM (${rows})`;
  test.each([
    ["a shift", "delay + 7 AS delay", { kind: "shift", by: "7" }, "delay: +7"],
    ["a factor", "price * 100 AS price", { kind: "factor", by: "100.0" }, "price: × 100.0"],
    [
      "rounding",
      "round(price) AS price",
      { kind: "rounding", digits: 0 },
      "price: rounded to 0 places",
    ],
    ["white space", "trim(t) AS t", { kind: "whitespace" }, "t: only white space"],
    ["case", "upper(t) AS t", { kind: "case" }, "t: only upper and lower case"],
    ["NULL", "NULL::BIGINT AS delay", { kind: "becameNull" }, "delay became NULL"],
    ["days", "date + 1 AS date", { kind: "shift", by: "1" }, undefined],
  ])("%s", async (_, sql, why, text) => {
    const [{ causes }, pairing] = await causesOf(rows, replace(sql));
    const cause = causes.find(({ why: own }) => own.kind === why.kind);
    expect(cause).toMatchObject({ why, ...(text === undefined ? {} : { text }) });
    const page = await pageOf(pairing, cause);
    expect(page.total).toBe(cause?.covered);
    expect(page.rows).toHaveLength(5);
  });
});

describe("numbers of every type that moved down by as much", () => {
  test.each([
    "TINYINT",
    "UTINYINT",
    "BIGINT",
    "UBIGINT",
    "HUGEINT",
    "UHUGEINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL(9,2)",
    "DECIMAL(38,3)",
  ])("%s", async (type) => {
    const path = join(here.workspace.root, `moved ${type}.duckdb`);
    const of = (moved: string) => `SELECT range AS id, (20 + range % 80 ${moved})::${type} AS v`;
    await withDuckDB([
      `ATTACH '${path}' AS f (STORAGE_VERSION 'v1.3.0')`,
      `CREATE TABLE f.left_rows AS ${of("")} FROM range(500)`,
      `CREATE TABLE f.right_rows AS ${of("- 3")} FROM range(500)`,
      "DETACH f",
    ]);
    const side = (table: string): DiffSide => ({ kind: "file", path, format: "duckdb", table });
    const pairing = { left: side("left_rows"), right: side("right_rows"), key: ["id"] };
    const { causes } = unwrap(await here.queries.diffCauses(pairing));
    const cause = causes.find(({ why }) => why.kind === "shift");
    expect(cause).toMatchObject({
      covered: 500,
      why: { by: expect.stringMatching(/^-3(\.0+)?$/) },
    });
    expect((await pageOf(pairing, cause)).total).toBe(500);
    const { columns } = unwrap(await here.queries.diff(pairing));
    const [moved] = columns.filter(({ name }) => name === "v");
    expect(Number(moved?.largestDifference)).toBe(3);
  });
});

test("a column that is not in the output explains by the input's rows", async () => {
  const input = await here.table(rows.replace("range AS id, ", ""));
  const side = async (condition: string): Promise<DiffSide> => {
    const made = await here.queries.sql({
      sql: `SELECT ${condition} AS late FROM input`,
      inputs: { input: input.hash },
    });
    return { kind: "table", hash: unwrap(made).hash };
  };
  const pairing: DiffPairing = {
    left: await side("delay > 15"),
    right: await side("delay > 15 AND origin <> 'DEN'"),
    key: "position",
  };
  const { causes } = unwrap(await here.queries.diffCauses({ ...pairing, input: input.hash }));
  expect(causes[0]).toMatchObject({ text: "origin = DEN", from: "input" });
  const page = unwrap(
    await here.queries.diffRows({
      ...pairing,
      input: input.hash,
      ...(causes[0] ? { cause: causes[0] } : {}),
      offset: 0,
      limit: 1,
    }),
  );
  expect(page.total).toBe(causes[0]?.covered);
});

test("what is told by no condition has no cause", async () => {
  const [{ causes }] = await causesOf(
    rows,
    `SELECT * REPLACE (CASE WHEN hash(id) % 10 = 0 THEN hash(id)::VARCHAR ELSE t END AS t) FROM (${rows})`,
  );
  expect(causes).toEqual([]);
});

test("a column that changed in every row that differs is not the condition that explains it", async () => {
  const side = (v: string) => `SELECT range AS id, 'x' AS t, ${v} AS v FROM range(1000)`;
  const [{ causes }] = await causesOf(
    side("range"),
    side("range + CASE WHEN range < 50 THEN range * 7 + 1 ELSE 0 END"),
  );
  expect(causes.map(({ text }) => text)).toContain("id from 0 to 49");
  expect(causes.filter(({ why }) => why.column === "v" && "from" in why)).toEqual([]);
});

test("nor is one of many that changed", async () => {
  const names = Array.from({ length: 16 }, (_, i) => `c${i}`);
  const side = (more: (i: number) => string) =>
    `SELECT hash(range) AS id, ${names.map((name, i) => `range + ${more(i)} AS ${name}`).join(", ")} FROM range(1000)`;
  const [{ causes }] = await causesOf(
    side(() => "0"),
    side((i) => `CASE WHEN range BETWEEN ${i} AND 49 THEN 1 + range * 3 ELSE 0 END`),
  );
  expect(causes.filter(({ why }) => why.kind === "range" && why.column !== "id")).toEqual([]);
});

test("the causes of another pairing's rows are refused where rows are not paired by position", async () => {
  const input = await here.table("SELECT range AS a FROM range(10)");
  const side = await here.table("SELECT range AS id FROM range(10)");
  const other = await here.table("SELECT range AS id FROM range(5, 15)");
  const page = await here.queries.diffRows({
    left: { kind: "table", hash: side.hash },
    right: { kind: "table", hash: other.hash },
    key: ["id"],
    input: input.hash,
    cause: {
      text: "a = 1",
      scope: { kind: "all" },
      why: { kind: "values", column: "a", values: ["1"] },
      from: "input",
      differences: 10,
      covered: 1,
      equal: 0,
    },
    offset: 0,
    limit: 10,
  });
  expect(page).toMatchObject({ ok: false, problem: { code: "no-such-column" } });
});

test("a search that was cut short is made again when it is asked for again", async () => {
  const pairing: DiffPairing = {
    left: await file(late("delay > 15")),
    right: await file(late("delay > 20")),
    key: ["id"],
  };
  const search = async () =>
    unwrap(await here.queries.diffCauses({ ...pairing, budgetMs: 0 })).search.elapsedMs;
  expect(await search()).not.toBe(await search());
});

test("a budget that is over says how far the search came", async () => {
  const pairing: DiffPairing = {
    left: await file(late("delay > 15")),
    right: await file(late("delay > 20")),
    key: ["id"],
  };
  const { search } = unwrap(await here.queries.diffCauses({ ...pairing, budgetMs: 0 }));
  expect(search).toMatchObject({ complete: false, columns: 0, budgetMs: 0 });
});

test("a condition holds any text", async () => {
  const odd = (value: string) =>
    `SELECT range AS id, CASE WHEN range % 7 = 0 THEN 'it''s "odd", NULL' END AS o, ${value} AS v FROM range(5000)`;
  const [{ causes }, pairing] = await causesOf(
    odd("1"),
    odd("CASE WHEN range % 7 = 0 THEN 2 ELSE 1 END"),
  );
  const why: CauseCondition = { kind: "values", column: "o", values: [`it's "odd", NULL`] };
  const cause = causes.find((each) => each.why.kind === "values");
  expect(cause?.why).toEqual(why);
  expect((await pageOf(pairing, cause)).total).toBe(715);
});
