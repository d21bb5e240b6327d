import { tableFromIPC } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { arrowToRows, rowsToArrow } from "./arrow.ts";
import { unwrap } from "./problem.ts";
import type { Column, TableInfo } from "./table.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
beforeAll(() => {
  here = temporaryWorkspace();
});
afterAll(() => here.close());

/** A type, SQL for some values of it, and what they are in JavaScript; every column also gets a NULL. */
const types: [type: string, values: string[], inScript: unknown[]][] = [
  ["BOOLEAN", ["true", "false"], [true, false]],
  ["TINYINT", ["-128", "127"], [-128, 127]],
  ["SMALLINT", ["-32768", "32767"], [-32_768, 32_767]],
  ["INTEGER", ["-2147483648", "2147483647"], [-2_147_483_648, 2_147_483_647]],
  [
    "BIGINT",
    ["-9007199254740991", "9007199254740991"],
    [-9_007_199_254_740_991, 9_007_199_254_740_991],
  ],
  ["UTINYINT", ["0", "255"], [0, 255]],
  ["USMALLINT", ["0", "65535"], [0, 65_535]],
  ["UINTEGER", ["0", "4294967295"], [0, 4_294_967_295]],
  ["UBIGINT", ["0", "18446744073709551615"], [0n, 2n ** 64n - 1n]],
  [
    "HUGEINT",
    ["-170141183460469231731687303715884105728", "170141183460469231731687303715884105727"],
    [-(2n ** 127n), 2n ** 127n - 1n],
  ],
  ["UHUGEINT", ["0", "340282366920938463463374607431768211455"], [0n, 2n ** 128n - 1n]],
  ["FLOAT", ["1.5", "'-inf'"], [1.5, Number.NEGATIVE_INFINITY]],
  ["DOUBLE", ["0.1", "'nan'"], [0.1, Number.NaN]],
  ["DECIMAL(4,2)", ["-99.99", "0.05"], ["-99.99", "0.05"]],
  ["DECIMAL(9,0)", ["-999999999", "7"], ["-999999999", "7"]],
  ["DECIMAL(18,6)", ["-123456789012.123456", "0.000001"], ["-123456789012.123456", "0.000001"]],
  [
    "DECIMAL(38,10)",
    ["'-1234567890123456789012345678.0123456789'", "1"],
    ["-1234567890123456789012345678.0123456789", "1.0000000000"],
  ],
  [
    "VARCHAR",
    ["''", "'twelve bytes'", "'thirteen byte'", "repeat('long 🙂 ', 1000)"],
    ["", "twelve bytes", "thirteen byte", "long 🙂 ".repeat(1000)],
  ],
  ["JSON", ["'{\"a\": [1, null]}'"], ['{"a": [1, null]}']],
  [
    "UUID",
    ["'00000000-0000-0000-0000-000000000000'", "'f47ac10b-58cc-4372-a567-0e02b2c3d479'"],
    ["00000000-0000-0000-0000-000000000000", "f47ac10b-58cc-4372-a567-0e02b2c3d479"],
  ],
  ["ENUM('small', 'it''s', 'large')", ["'it''s'", "'large'"], ["it's", "large"]],
  [
    "BLOB",
    ["''", "'\\x00\\xFF'", "encode(repeat('b', 100))"],
    [new Uint8Array(0), Uint8Array.of(0, 255), new Uint8Array(100).fill(98)],
  ],
  ["DATE", ["'2001-03-14'", "'0044-03-15'"], [new Date("2001-03-14"), new Date("0044-03-15")]],
  ["TIME", ["'15:09:26.5'", "'00:00:00'"], ["15:09:26.5", "00:00:00"]],
  [
    "TIMESTAMP",
    ["'2001-03-14 15:09:26.535897'", "'1901-01-01 00:00:00.000001'"],
    [new Date("2001-03-14T15:09:26.535Z"), new Date("1901-01-01T00:00:00.000Z")],
  ],
  ["TIMESTAMP_S", ["'2001-03-14 15:09:26'"], [new Date("2001-03-14T15:09:26Z")]],
  ["TIMESTAMP_MS", ["'2001-03-14 15:09:26.535'"], [new Date("2001-03-14T15:09:26.535Z")]],
  ["TIMESTAMP_NS", ["'2001-03-14 15:09:26.535897932'"], [new Date("2001-03-14T15:09:26.535Z")]],
  [
    "TIMESTAMP WITH TIME ZONE",
    ["'2001-03-14 15:09:26.535897+02'"],
    [new Date("2001-03-14T13:09:26.535Z")],
  ],
  ["INTEGER[]", ["[]", "[1, NULL, 3]"], [[], [1, null, 3]]],
  [
    "VARCHAR[][]",
    ["[['a text longer than twelve'], NULL, []]"],
    [[["a text longer than twelve"], null, []]],
  ],
  ["INTEGER[3]", ["[1, NULL, 3]"], [[1, null, 3]]],
  [
    'STRUCT(a INTEGER, "b c" VARCHAR[])',
    ["{a: 1, 'b c': ['x']}", "{a: NULL, 'b c': NULL}"],
    [
      { a: 1, "b c": ["x"] },
      { a: null, "b c": null },
    ],
  ],
  [
    "MAP(VARCHAR, STRUCT(x DOUBLE))",
    ["MAP {'one': {x: 1}, 'two': NULL}", "MAP {}"],
    [
      new Map<string, unknown>([
        ["one", { x: 1 }],
        ["two", null],
      ]),
      new Map(),
    ],
  ],
];

/** NULLs first and last, and enough rows that a chunk, a batch and a list's children all break somewhere. */
function tableOf(type: string, values: string[], rows: number): string {
  const choices = [...values, "NULL"].map((value) => `CAST(${value} AS ${type})`);
  const table = choices.map((choice, i) => `(${i}, ${choice})`).join(", ");
  return `SELECT v FROM range(${rows}) r JOIN (VALUES ${table}) c(i, v) ON i = (range + ${values.length}) % ${choices.length} ORDER BY range`;
}

async function readAll(table: TableInfo, batchRows: number): Promise<Uint8Array[]> {
  const batches: Uint8Array[] = [];
  for await (const ipc of here.queries.read({ table: table.hash, batchRows })) batches.push(ipc);
  return batches;
}

async function write(columns: Column[], ipcs: Uint8Array[]): Promise<TableInfo> {
  async function* batches() {
    for (const rows of ipcs) yield { rows };
  }
  return unwrap(await here.queries.write({ columns, batches: batches() }));
}

describe.each(types)("%s", (type, values, inScript) => {
  test("comes back from Arrow as it went, whatever the batches", async () => {
    const table = await here.table(tableOf(type, values, 5000));
    expect(table.columns).toEqual([{ name: "v", type: table.columns[0]?.type, nullable: true }]);
    for (const batchRows of [65_536, 1000]) {
      const ipcs = await readAll(table, batchRows);
      for (const ipc of ipcs) expect(tableFromIPC(ipc).numRows).toBe(Math.min(batchRows, 5000));
      expect((await write(table.columns, ipcs)).hash).toBe(table.hash);
    }
  });

  test("is in JavaScript what docs/types.md says, and back without loss", async () => {
    const table = await here.table(tableOf(type, values, values.length * 2 + 2));
    const ipcs = await readAll(table, 65_536);
    const rows = ipcs.flatMap((ipc) => arrowToRows(ipc));
    const expected = [null, ...inScript, null, ...inScript].map((v) => ({ v }));
    expect(rows).toEqual(expected);
    expect((await write(table.columns, [rowsToArrow(table.columns, rows)])).hash).toBe(table.hash);
  });
});

test("apache-arrow reads the same values", async () => {
  const table = await here.table(
    "SELECT range AS n, 'text ' || range AS t, range / 4 AS x, range % 3 = 0 AS b FROM range(3)",
  );
  const [ipc = new Uint8Array()] = await readAll(table, 10);
  expect(
    tableFromIPC(ipc)
      .toArray()
      .map((row) => ({ ...row })),
  ).toEqual([
    { n: 0n, t: "text 0", x: 0, b: true },
    { n: 1n, t: "text 1", x: 0.25, b: false },
    { n: 2n, t: "text 2", x: 0.5, b: false },
  ]);
});

test("a hash does not depend on how a table was made", async () => {
  const one = await here.table("SELECT range AS n, range::VARCHAR AS t FROM range(300000)");
  const two = await here.table(
    "SELECT * FROM (SELECT range AS n, range::VARCHAR AS t FROM range(300000)) ORDER BY n",
  );
  const other = await here.table(
    "SELECT range AS n, range::VARCHAR AS t FROM range(300000) ORDER BY n DESC",
  );
  expect(two.hash).toBe(one.hash);
  expect(other.hash).not.toBe(one.hash);
  expect((await write(one.columns, await readAll(one, 7777))).hash).toBe(one.hash);
});

test("names and types are part of the hash; NULL, empty and zero are three things", async () => {
  const hashes = await Promise.all(
    [
      "1 AS a",
      "1 AS A",
      "1::BIGINT AS a",
      "NULL::INTEGER AS a",
      "0 AS a",
      "'' AS a",
      "NULL::VARCHAR AS a",
      "'-0'::DOUBLE AS a",
      "0::DOUBLE AS a",
    ].map(async (sql) => (await here.table(`SELECT ${sql}`)).hash),
  );
  expect(new Set(hashes).size).toBe(hashes.length);
});

describe("a batch that does not keep to its type is refused before it reaches DuckDB", () => {
  const columns: Column[] = [{ name: "v", type: "VARCHAR", nullable: true }];
  const good = () => rowsToArrow(columns, [{ v: "a text longer than twelve" }, { v: "é" }]);
  const attempt = async (rows: Uint8Array, as: Column[] = columns) => {
    async function* batches() {
      yield { rows };
    }
    return here.queries.write({ columns: as, batches: batches() });
  };

  test("another type", async () => {
    expect(await attempt(good(), [{ name: "v", type: "BIGINT", nullable: true }])).toMatchObject({
      ok: false,
      problem: { code: "bad-batch" },
    });
  });

  test("text that is not UTF-8, or cut inside a character", async () => {
    const ipc = good();
    const at = ipc.findIndex((byte, i) => byte === 0xc3 && ipc[i + 1] === 0xa9);
    ipc[at] = 0xff;
    expect(await attempt(ipc)).toMatchObject({
      ok: false,
      problem: { code: "bad-batch", message: expect.stringContaining("UTF-8") },
    });
  });

  test("any byte changed: a Problem or a table, never a crash", async () => {
    const ipc = good();
    for (let at = 0; at < ipc.length; at += 5) {
      const broken = ipc.slice();
      broken[at] = (broken[at] ?? 0) ^ 0xff;
      const result = await attempt(broken);
      expect(result.ok ? "" : result.problem.code, `byte ${at}`).not.toBe("query-worker-ended");
    }
  });

  test("columns that differ only in case are named", async () => {
    const alike: Column[] = [
      { name: "v", type: "INTEGER", nullable: true },
      { name: "V", type: "INTEGER", nullable: true },
    ];
    expect(await attempt(rowsToArrow(alike, []), alike)).toMatchObject({
      ok: false,
      problem: { code: "columns-alike" },
    });
  });
});

test("a value that does not fit its type is named by row and column", () => {
  const column = (type: string): Column[] => [{ name: "v", type, nullable: true }];
  for (const [type, value] of [
    ["TINYINT", 128],
    ["BIGINT", 1.5],
    ["DECIMAL(4,2)", "1.234"],
    ["VARCHAR", 7],
    ["DATE", "2001-01-01"],
    ["BOOLEAN", 1],
  ] as const) {
    expect(() => rowsToArrow(column(type), [{ v: null }, { v: value }])).toThrow(
      /Row 2, column `v`/,
    );
  }
});

test("a BIGINT beyond ±2^53 is not rounded but refused, by row and column", async () => {
  const [ipc = new Uint8Array()] = await readAll(
    await here.table("SELECT 9007199254740993 AS n"),
    10,
  );
  expect(() => arrowToRows(ipc)).toThrow(/Row 1, column `n`/);
});

test("an empty table has its columns", async () => {
  const empty = await here.table("SELECT 1 AS n, 'a' AS t WHERE false");
  expect(empty).toMatchObject({
    rows: 0,
    columns: [{ name: "n", nullable: false }, { name: "t" }],
  });
  expect(await readAll(empty, 10)).toEqual([]);
  expect((await write(empty.columns, [])).hash).toBe(empty.hash);
  const window = unwrap(await here.queries.window({ table: empty.hash, offset: 0, limit: 10 }));
  expect(tableFromIPC(window.ipc).schema.fields.map((field) => field.name)).toEqual(["n", "t"]);
});
