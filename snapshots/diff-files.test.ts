import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { float16, float64, int32, tableFromArrays, tableToIPC, utf8 } from "@uwdata/flechette";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DiffFileFormat, DiffPairing, DiffSide, DiffSummary } from "./diff.ts";
import { unwrap } from "./problem.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";
import { withDuckDB } from "./test-duckdb.ts";

let here: TemporaryWorkspace;
beforeAll(() => {
  here = temporaryWorkspace();
});
afterAll(() => here.close());

const at = (name: string) => join(here.workspace.root, name);

function file(name: string, format: DiffFileFormat, table?: string): DiffSide {
  return { kind: "file", path: at(name), format, ...(table === undefined ? {} : { table }) };
}

function text(name: string, format: DiffFileFormat, content: string): DiffSide {
  writeFileSync(at(name), content);
  return file(name, format);
}

async function copied(name: string, format: DiffFileFormat, sql: string): Promise<DiffSide> {
  const how = { parquet: "PARQUET", csv: "CSV", json: "JSON" }[format as "parquet"];
  await withDuckDB([`COPY (${sql}) TO '${at(name)}' (FORMAT ${how})`]);
  return file(name, format);
}

function arrow(name: string, content: Uint8Array | null): DiffSide {
  writeFileSync(at(name), content ?? new Uint8Array());
  return file(name, "arrow");
}

async function diff(
  left: DiffSide,
  right: DiffSide,
  more: Partial<DiffPairing> & { samples?: number } = {},
): Promise<DiffSummary> {
  return unwrap(await here.queries.diff({ left, right, key: ["id"], ...more }));
}

const rows = "SELECT range AS id, range * 1.5::DOUBLE AS v, 't' || range AS t FROM range(100)";
const changed = rows.replace("range * 1.5::DOUBLE", "range * 1.5::DOUBLE + (range = 7)::INTEGER");

describe("a file of each format is compared with one of each other", () => {
  test.each(["parquet", "csv", "json", "arrow", "duckdb", "table"] as const)("%s", async (kind) => {
    const left = await copied("left.parquet", "parquet", rows);
    const right = await make(kind);
    const summary = await diff(left, right, { samples: 5 });
    expect(summary.rows).toMatchObject({ left: 100, right: 100, equal: 99, changed: 1 });
    expect(summary.samples.changed).toMatchObject([{ key: [7], columns: ["v"] }]);
    expect(summary.samples.changed[0]?.right).toMatchObject({ id: 7, t: "t7" });
  });

  async function make(kind: DiffFileFormat | "table"): Promise<DiffSide> {
    if (kind === "table") return { kind: "table", hash: (await here.table(changed)).hash };
    if (kind === "duckdb") {
      await withDuckDB([`CREATE TABLE data AS ${changed}`], at("right.duckdb"));
      return file("right.duckdb", "duckdb", "main.data");
    }
    if (kind !== "arrow") return copied(`right.${kind}`, kind, changed);
    const ids = Array.from({ length: 100 }, (_, i) => i);
    const columns = {
      id: ids,
      v: ids.map((i) => i * 1.5 + (i === 7 ? 1 : 0)),
      t: ids.map((i) => `t${i}`),
    };
    return arrow(
      "right.arrow",
      tableToIPC(tableFromArrays(columns, { types: { id: int32(), v: float64(), t: utf8() } }), {
        format: "file",
      }),
    );
  }
});

describe("columns have the names their file gives them, two that differ in case only too", () => {
  const names = ["id", "a", "A", "b c", "left", "status", "o.d__q", "select", "日本", 'q"t'];

  test("in CSV and JSON lines", async () => {
    const header = names.map((name) => `"${name.replaceAll('"', '""')}"`).join(",");
    const csv = text("n.csv", "csv", `${header}\n${names.map((_, i) => i).join(",")}\n`);
    const object = Object.fromEntries(names.map((name, i) => [name, i + (name === "A" ? 1 : 0)]));
    const json = text("n.jsonl", "json", `${JSON.stringify(object)}\n`);
    const summary = await diff(csv, json, { key: ["id"], samples: 1 });
    expect(summary.columns.map(({ name, status, changed }) => [name, status, changed])).toEqual(
      names.map((name, i) => [name, i === 0 ? "key" : "compared", name === "A" ? 1 : 0]),
    );
    expect(summary.samples.changed[0]).toMatchObject({ columns: ["A"], left: { a: 1, A: 2 } });
  });

  test("in Arrow", async () => {
    const made = (shift: number) =>
      tableToIPC(
        tableFromArrays(
          Object.fromEntries(names.map((name, i) => [name, [i + (i > 0 ? shift : 0)]])),
        ),
        { format: "stream" },
      );
    const summary = await diff(arrow("n1.arrow", made(0)), arrow("n2.arrow", made(1)));
    expect(summary.columns.map(({ name, changed }) => [name, changed])).toEqual(
      names.map((name, i) => [name, i === 0 ? 0 : 1]),
    );
  });
});

test("an Arrow file of several batches, with halves and NULLs", async () => {
  const ids = Array.from({ length: 5000 }, (_, i) => i);
  const table = tableFromArrays(
    { id: ids, h: ids.map((i) => (i % 3 === 0 ? null : i % 100)) },
    { types: { id: int32(), h: float16() }, maxBatchRows: 1024 },
  );
  const left = arrow("batches.arrow", tableToIPC(table, { format: "file" }));
  const right = await copied(
    "batches.parquet",
    "parquet",
    "SELECT range::INTEGER AS id, CASE WHEN range % 3 > 0 THEN (range % 100)::FLOAT END AS h FROM range(5000)",
  );
  expect((await diff(left, right)).identical).toBe(true);
});

describe("a table of a DuckDB file", () => {
  test("compares by code points whatever its collation, and types the store does not carry", async () => {
    await withDuckDB(
      [
        "CREATE SCHEMA s",
        "CREATE TABLE s.t (id INTEGER, c VARCHAR COLLATE NOCASE, i INTERVAL, z TIMETZ, b BIT, u UNION(n INTEGER, s VARCHAR))",
        "INSERT INTO s.t VALUES (1, 'a', INTERVAL 1 MONTH, '12:00:00+01', '0101', 3)",
        "CREATE TABLE other AS SELECT id, 'A' AS c, INTERVAL 30 DAY AS i, '12:00:00+02'::TIMETZ AS z, '101'::BIT AS b, union_value(s := '3')::UNION(n INTEGER, s VARCHAR) AS u FROM s.t",
      ],
      at("types.duckdb"),
    );
    const [left, right] = [
      file("types.duckdb", "duckdb", "s.t"),
      file("types.duckdb", "duckdb", "other"),
    ];
    const summary = await diff(left, right, { samples: 1 });
    expect(summary.columns.map(({ changed }) => changed)).toEqual([0, 1, 1, 1, 1, 1]);
    expect(summary.samples.changed[0]?.left).toMatchObject({ c: "a", i: "1 month", b: "0101" });
    expect((await diff(left, left)).identical).toBe(true);
  });

  test("may have a column named as a keyword of collations", async () => {
    await withDuckDB(
      ['CREATE TABLE a (id INTEGER, "collate" INTEGER)', "INSERT INTO a VALUES (1, 2)"],
      at("collate.duckdb"),
    );
    const side = file("collate.duckdb", "duckdb", "a");
    expect((await diff(side, side)).identical).toBe(true);
  });

  test("that is not there is named, with those that are", async () => {
    const side = file("types.duckdb", "duckdb", "nope");
    expect(await here.queries.diff({ left: side, right: side, key: null })).toMatchObject({
      ok: false,
      problem: { code: "no-such-table", hint: expect.stringContaining("s.t") },
    });
  });
});

test("a file that is not there, or a key only one side has, says which", async () => {
  const left = text("k1.csv", "csv", "id,v\n1,2\n");
  const right = text("k2.csv", "csv", "key,v\n1,2\n");
  const ask = (l: DiffSide, r: DiffSide) => here.queries.diff({ left: l, right: r, key: ["id"] });
  expect(await ask(left, right)).toMatchObject({
    ok: false,
    problem: {
      message: expect.stringMatching(/right side .*k2\.csv.* no key column `id`; the other/),
    },
  });
  expect(await ask(right, left)).toMatchObject({
    ok: false,
    problem: { message: expect.stringMatching(/left side .*k2\.csv.* no key column `id`/) },
  });
  expect(await ask(left, file("none.csv", "csv"))).toMatchObject({
    ok: false,
    problem: { code: "no-such-file", message: expect.stringContaining("none.csv") },
  });
});

test("integers of a JSON file that would be rounded are refused, not compared", async () => {
  const left = text("big1.jsonl", "json", '{"id":1,"n":123456789012345678901234567890}\n');
  const right = text("big2.jsonl", "json", '{"id":1,"n":123456789012345678901234567891}\n');
  expect(await here.queries.diff({ left, right, key: ["id"] })).toMatchObject({
    ok: false,
    problem: { code: "numbers-rounded", message: expect.stringContaining("`n`") },
  });
  const [small, other] = [
    text("big3.jsonl", "json", '{"id":1,"n":18446744073709551615}\n'),
    text("big4.jsonl", "json", '{"id":1,"n":18446744073709551614}\n'),
  ];
  expect((await diff(small, other)).rows.changed).toBe(1);
});

describe("integers of a JSON column read as DOUBLE are refused only where they would be rounded", () => {
  const odd = "9007199254740993";
  test.each([
    ["in a list", `{"v":[${odd},0.5]}`, false],
    ["negative", `{"v":[-${odd},0.5]}`, false],
    ["in an object", `{"v":{"a b":0.5,"q\\"t":[[${odd}],[0.5]]}}`, false],
    ["in an object of a list", `{"v":[{"x":${odd}},{"x":0.5}]}`, false],
    ["below an empty key", `{"v":{"":[${odd},0.5]}}`, false],
    ["below a star", `{"v":{"*":[${odd},0.5]}}`, false],
    ["beyond 128 bits", `{"v":[${"9".repeat(40)},0.5]}`, false],
    [
      "exact",
      `{"v":[1000000000000000,9007199254740992,1267650600228229401496703205376,0.5]}`,
      true,
    ],
    ["in another column", `{"v":[{"id":${odd},"x":0.5}],"t":"${odd}"}`, true],
    ["in a text beside a star", `{"v":{"*":0.5,"t":"\\"${odd}"}}`, true],
  ])("%s", async (_, line, isRead) => {
    const side = text("nested.jsonl", "json", `${line}\n`);
    const result = await here.queries.diff({ left: side, right: side, key: null });
    expect(result).toMatchObject(
      isRead
        ? { ok: true, value: { identical: true } }
        : {
            ok: false,
            problem: { code: "numbers-rounded", message: expect.stringContaining("`v`") },
          },
    );
  });
});

describe("a name with characters of a pattern is that file's and no other's", () => {
  const names = ["r[1]", "a*b", "c?d", "e[*]", "f]"];
  const others = ["r1", "aab", "ccd", "ea", "f"];

  test.each(["csv", "json", "parquet"] as const)("%s", async (format) => {
    for (const [i, name] of names.entries()) {
      const decoy = await copied(`${others[i]}.${format}`, format, "SELECT 9 AS id");
      const own = await copied(`${name}.${format}`, format, "SELECT 2 AS id");
      expect((await diff(own, decoy)).rows).toMatchObject({ equal: 0, added: 1, removed: 1 });
      expect((await diff(own, own)).identical).toBe(true);
    }
  });

  test("a backslash besides cannot be read", async () => {
    const side = text("b\\[c].csv", "csv", "id\n1\n");
    expect(await here.queries.diff({ left: side, right: side, key: null })).toMatchObject({
      ok: false,
      problem: { code: "bad-file-name", message: expect.stringContaining("b\\[c].csv") },
    });
    const plain = text("b\\c.csv", "csv", "id\n1\n");
    expect((await diff(plain, plain)).identical).toBe(true);
  });
});

test("a file changed in between is compared anew", async () => {
  const left = text("w.csv", "csv", "id,v\n1,2\n");
  expect((await diff(left, text("x.csv", "csv", "id,v\n1,2\n"))).identical).toBe(true);
  expect((await diff(left, text("x.csv", "csv", "id,v\n1,23\n"))).identical).toBe(false);
});

describe("a predicate", () => {
  test("chooses rows on both sides, before they are counted", async () => {
    const left = await copied("p1.parquet", "parquet", rows);
    const right = await copied("p2.parquet", "parquet", changed);
    const summary = await diff(left, right, { where: "id % 2 = 1 -- odd" });
    expect(summary.rows).toMatchObject({ left: 50, right: 50, changed: 1, equal: 49 });
    expect((await diff(left, right, { where: "id % 2 = 0" })).identical).toBe(true);
  });

  test.each([
    ["EXISTS (SELECT 1 FROM read_csv('SECRET'))"],
    ["(SELECT count(*) FROM read_text('SECRET')) > 0"],
    ["(SELECT count(*) FROM glob('/*')) > 0"],
    ["true) UNION ALL (SELECT * FROM read_csv('SECRET')"],
    ["true); COPY (SELECT 1) TO 'SECRET.out'; --"],
    ["id = 1, id = 2"],
    ["nope > 1"],
    ["now() > '2001-01-01'"],
    ["random() > 0.5"],
    ["id >"],
    ["(SELECT count(*) FROM duckdb_settings()) > 0"],
  ])("that is none, or would read what it may not, is refused by name: %s", async (text) => {
    writeFileSync(at("secret.csv"), "id\n1\n");
    const where = text.replaceAll("SECRET", at("secret.csv"));
    const side = await copied("p3.parquet", "parquet", "SELECT 1 AS id");
    const result = await here.queries.diff({ left: side, right: side, key: ["id"], where });
    expect(result).toMatchObject({
      ok: false,
      problem: { message: expect.stringContaining(where) },
    });
  });
});
