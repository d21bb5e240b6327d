import { afterEach, describe, expect, test } from "vitest";
import { arrowToRows, rowsToArrow } from "#snapshots/arrow.ts";
import { dateFromNanoseconds, dateNanoseconds } from "#snapshots/dates.ts";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import {
  batchOf,
  bundleOf,
  column,
  delaysCode,
  delaysColumns,
  flightColumns,
  flightsBatch,
  typicalBatch,
  typicalColumns,
} from "./fixture.ts";
import { describeBundle, openSlice, type Slice, type SliceBatch } from "./slice.ts";

const open: Slice[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((slice) => slice.close()));
});

async function transformOf(options: {
  body: string;
  input: Column[];
  output: Column[];
  transformOptions?: string;
  lookups?: Parameters<typeof openSlice>[0]["lookups"];
  before?: string;
}): Promise<Slice> {
  const code = `${options.before ?? ""}\nconst t = transform(snapshot("s"), ${options.transformOptions ?? "{}"}, ${options.body});`;
  const { input, output, lookups = {} } = options;
  const slice = unwrap(
    await openSlice({
      bundle: await bundleOf(code, ["t"]),
      entry: { kind: "transform", name: "t" },
      input,
      output,
      lookups,
    }),
  );
  open.push(slice);
  return slice;
}

const n = [column("n", "INTEGER")];
const numbers = (...values: unknown[]) => batchOf([column("n", "INTEGER", true)], [values]);
const nullableN = [column("n", "INTEGER", true)];

async function run(slice: Slice, batch: Uint8Array): Promise<SliceBatch> {
  return unwrap(await slice.run(batch));
}

test("the demo's transform over flights: every row, by its contract", async () => {
  const slice = unwrap(
    await openSlice({
      bundle: await bundleOf(delaysCode, ["delays"]),
      entry: { kind: "transform", name: "delays" },
      input: flightColumns,
      output: delaysColumns,
      lookups: { typical: { by: ["origin"], columns: typicalColumns, batches: [typicalBatch()] } },
    }),
  );
  open.push(slice);
  const batch = flightsBatch(0, 1000);
  const before = arrowToRows(batch);
  const typical = new Map(
    arrowToRows(typicalBatch()).map((row) => [row["origin"], row["typical"] as number]),
  );
  const result = await run(slice, batch);
  expect(result).toMatchObject({ read: 1000, filtered: 0, errors: [] });
  expect(arrowToRows(result.rows)).toEqual(
    before.map((row) => ({
      ...row,
      late: (row["delay"] as number) > 15,
      excess: (row["delay"] as number) - (typical.get(row["origin"]) ?? 0),
    })),
  );
  expect([...result.input]).toEqual(before.map((_, i) => i));
});

test("a bundle is described without running its functions", async () => {
  const flights = { kind: "snapshot", name: "flights@2001q1" };
  expect(unwrap(await describeBundle(await bundleOf(delaysCode, ["delays"], ["late"])))).toEqual({
    transforms: {
      delays: {
        input: flights,
        lookups: {
          typical: {
            by: ["origin"],
            table: {
              kind: "sql",
              strings: [
                "select origin, median(delay) as typical from ",
                " group by origin order by origin",
              ],
              values: [flights],
            },
          },
        },
        maxParts: 1,
      },
    },
    metrics: [
      {
        name: "late share",
        table: { kind: "transform", name: "delays" },
        kind: "mean",
        better: "lower",
      },
    ],
  });
});

/** Values of each type, their hard cases among them. */
const everyType: [type: string, values: unknown[]][] = [
  ["BOOLEAN", [true, false]],
  ["TINYINT", [-128, 127]],
  ["SMALLINT", [-32_768, 32_767]],
  ["INTEGER", [-2_147_483_648, 2_147_483_647]],
  ["BIGINT", [0, -1, 2_147_483_648, -2_147_483_649, 2 ** 53 - 1, 1 - 2 ** 53, 4_294_967_296]],
  ["HUGEINT", [0n, -(10n ** 37n), 10n ** 37n, -(2n ** 127n), 2n ** 127n - 1n]],
  ["UTINYINT", [0, 255]],
  ["USMALLINT", [65_535]],
  ["UINTEGER", [4_294_967_295]],
  ["UBIGINT", [0n, 2n ** 64n - 1n]],
  ["UHUGEINT", [10n ** 37n, 2n ** 127n, 2n ** 128n - 1n]],
  ["FLOAT", [0.5, -1.5, Number.POSITIVE_INFINITY]],
  ["DOUBLE", [0.1, -0, Number.NaN, Number.NEGATIVE_INFINITY, 1e300]],
  ["DECIMAL(18,3)", ["0.000", "-0.001", "123456789012345.678"]],
  ["DECIMAL(38,0)", ["99999999999999999999999999999999999999", "-1"]],
  [
    "VARCHAR",
    [
      "",
      "a",
      "héllo ✈ 𝕏",
      "ORD",
      "a text longer than twenty-four bytes, in ASCII",
      "日本語のとても長い文字列、二十四バイトを超える",
    ],
  ],
  ["UUID", ["550e8400-e29b-41d4-a716-446655440000"]],
  ["ENUM('a', 'b')", ["a", "b"]],
  ["JSON", ['{"a":[1,null]}']],
  ["BLOB", [new Uint8Array([0, 255, 1]), new Uint8Array()]],
  ["DATE", [new Date(0), new Date(Date.UTC(1900, 0, 1)), new Date(Date.UTC(2200, 5, 30))]],
  ["TIME", ["00:00:00", "23:59:59.999999", "12:30:00.5"]],
  [
    "TIMESTAMP",
    [
      new Date(0),
      new Date(-1),
      new Date(Date.UTC(2001, 0, 1, 1, 2, 3, 4)),
      new Date(Date.UTC(9999, 11, 31)),
    ],
  ],
  ["TIMESTAMP_S", [new Date(-1000), new Date(86_400_000)]],
  ["TIMESTAMP_MS", [new Date(-1)]],
  ["TIMESTAMP_NS", [new Date(Date.UTC(2001, 0, 1)), new Date(Date.UTC(1700, 0, 1, 0, 0, 0, 1))]],
  ["TIMESTAMP WITH TIME ZONE", [new Date(Date.UTC(2001, 0, 1))]],
  ["INTEGER[]", [[], [1, null, 3]]],
  ["VARCHAR[2]", [["a", "b"]]],
  [
    'STRUCT(a INTEGER, "b c" VARCHAR[])',
    [
      { a: 1, "b c": ["x", null] },
      { a: null, "b c": null },
    ],
  ],
  [
    "MAP(VARCHAR, DOUBLE)",
    [
      new Map([
        ["a", 1.5],
        ["b", 2],
      ]),
      new Map(),
    ],
  ],
  ['STRUCT("__proto__" INTEGER)[]', [[Object.fromEntries([["__proto__", 1]])]]],
];

test.each(everyType)("the identity transform over %s changes nothing", async (type, values) => {
  const columns = [column("value", type, true)];
  const rows = [null, ...values, null].map((value) => ({ value }));
  const slice = await transformOf({
    body: "(row) => ({ ...row })",
    input: columns,
    output: columns,
  });
  const result = await run(slice, rowsToArrow(columns, rows));
  expect(result.errors).toEqual([]);
  expect(arrowToRows(result.rows)).toEqual(rows);
});

test("microseconds of an untouched timestamp are kept, those of a changed one are not", async () => {
  const columns = [column("at", "TIMESTAMP"), column("later", "TIMESTAMP")];
  const input = [column("at", "TIMESTAMP")];
  const slice = await transformOf({
    body: "({ at }) => ({ at, later: new Date(at.getTime() + 1) })",
    input,
    output: columns,
  });
  const result = await run(slice, rowsToArrow(input, [{ at: dateFromNanoseconds(1_007_000n) }]));
  const [row] = arrowToRows(result.rows);
  expect(dateNanoseconds(row?.["at"] as Date)).toBe(1_007_000n);
  expect(dateNanoseconds(row?.["later"] as Date)).toBe(2_000_000n);
});

test("null filters, an array makes parts, and nothing vanishes", async () => {
  const slice = await transformOf({
    transformOptions: "{ maxParts: 3 }",
    body: "({ n }) => n === 0 ? null : n === 1 ? { n } : n === 5 ? [] : Array.from({ length: n }, (_, i) => ({ n: n * 10 + i }))",
    input: n,
    output: n,
  });
  const result = await run(slice, numbers(0, 2, 1, 4, 3, 5, 1));
  expect(arrowToRows(result.rows).map((row) => row["n"])).toEqual([20, 21, 1, 30, 31, 32, 1]);
  expect([...result.input]).toEqual([1, 1, 2, 4, 4, 4, 6]);
  expect([...result.part]).toEqual([0, 1, 0, 0, 1, 2, 0]);
  expect(result).toMatchObject({
    read: 7,
    filtered: 2,
    errors: [{ row: 3, message: expect.stringMatching(/4 records for one; its maxParts is 3/) }],
  });
});

const misfits: [what: string, body: string, type: string, says: RegExp][] = [
  [
    "text in a BOOLEAN",
    `() => ({ v: "yes" })`,
    "BOOLEAN",
    /Column `v` takes true or false, not "yes"/,
  ],
  [
    "a fraction in a BIGINT",
    `() => ({ v: 1.5 })`,
    "BIGINT",
    /Column `v` takes an integer within ±\(2\^53 − 1\), not 1.5/,
  ],
  ["too much for a TINYINT", `() => ({ v: 128 })`, "TINYINT", /from -128 to 127, not 128/],
  ["a number in a DECIMAL", `() => ({ v: 1 })`, "DECIMAL(5,2)", /takes a decimal as text/],
  ["too many digits", `() => ({ v: "1.234" })`, "DECIMAL(5,2)", /2 after the point, not "1.234"/],
  ["an invalid Date", `() => ({ v: new Date(NaN) })`, "TIMESTAMP", /invalid/],
  ["a time of day in a DATE", `() => ({ v: new Date(1) })`, "DATE", /midnight UTC/],
  ["half a surrogate pair", `() => ({ v: "\\ud800" })`, "VARCHAR", /well-formed text/],
  ["a value that is no member", `() => ({ v: "c" })`, "ENUM('a', 'b')", /one of "a", "b", not "c"/],
  ["null where there is always a value", `() => ({ v: null })`, "VARCHAR", /Column `v` is null/],
  ["nothing where there is always a value", `() => ({})`, "VARCHAR", /Column `v` is missing/],
  [
    "a column too many",
    `() => ({ v: "x", w: 1 })`,
    "VARCHAR",
    /a column `w`, which its output contract does not have/,
  ],
  ["one missing and one too many", `() => ({ w: "x" })`, "VARCHAR", /a column `w`/],
  ["a text for a record", `() => "x"`, "VARCHAR", /must return a record/],
  ["a promise", `async () => ({ v: "x" })`, "VARCHAR", /must not be async/],
  [
    "an item that does not fit",
    `() => ({ v: [1, "x"] })`,
    "INTEGER[]",
    /\(in a list\) takes an integer/,
  ],
  ["a field that is not there", `() => ({ v: { b: 1 } })`, "STRUCT(a INTEGER)", /has no field `b`/],
];

test.each(misfits)(
  "%s is that record's error, and the batch goes on",
  async (_, body, type, says) => {
    const output = [column("v", type)];
    const good: Record<string, string> = {
      BOOLEAN: "true",
      BIGINT: "1",
      TINYINT: "1",
      "DECIMAL(5,2)": '"1.2"',
      TIMESTAMP: "new Date(0)",
      DATE: "new Date(0)",
      VARCHAR: '"x"',
      "ENUM('a', 'b')": '"a"',
      "INTEGER[]": "[1]",
      "STRUCT(a INTEGER)": "{ a: 1 }",
    };
    const slice = await transformOf({
      body: `({ n }) => n === 1 ? (${body})() : ({ v: ${good[type]} })`,
      input: n,
      output,
    });
    const result = await run(slice, numbers(0, 1, 2));
    expect(result).toMatchObject({
      read: 3,
      errors: [{ row: 1, message: expect.stringMatching(says) }],
    });
    expect([...result.input]).toEqual([0, 2]);
    expect(arrowToRows(result.rows)).toHaveLength(2);
  },
);

test("what a function throws is its record's error, with its place in the bundle", async () => {
  const slice = await transformOf({
    body: `({ n }) => {\n if (n === 1) throw new RangeError("not one");\n return { n };\n}`,
    input: nullableN,
    output: nullableN,
  });
  const result = await run(slice, numbers(0, 1));
  const bundle = await bundleOf(
    `const t = transform(snapshot("s"), {}, ({ n }) => {\n if (n === 1) throw new RangeError("not one");\n return { n };\n});`,
    ["t"],
  );
  const [error] = result.errors;
  expect(error).toMatchObject({ row: 1, message: "RangeError: not one" });
  expect(bundle.split("\n")[(error?.line ?? 0) - 1]).toContain("RangeError");
});

test("a BIGINT beyond ±2^53 is its record's error; the transform never sees a wrong number", async () => {
  const columns = [column("value", "BIGINT", true)];
  // The same 64 bits under a signed contract.
  const bytes = batchOf(
    [column("value", "UBIGINT", true)],
    [[1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 2n ** 53n, null]],
  );
  const slice = await transformOf({ body: "(row) => row", input: columns, output: columns });
  const result = await run(slice, bytes);
  expect(result.errors.map(({ row, message }) => [row, message.slice(0, 40)])).toEqual([
    [1, "Column `value`: 9007199254740992 lies be"],
    [2, "Column `value`: -9223372036854775808 lie"],
    [3, "Column `value`: -9007199254740992 lies b"],
  ]);
  expect(arrowToRows(result.rows)).toEqual([{ value: 1 }, { value: null }]);
});

describe("lookups", () => {
  const columns = [column("a", "VARCHAR", true), column("day", "DATE"), column("v", "INTEGER")];
  const day = new Date(Date.UTC(2001, 0, 1));
  const lookup = (rows: unknown[][]) => ({
    by: ["a", "day"],
    columns,
    batches: [batchOf(columns, rows)],
  });

  test("are asked by several columns, NULL and dates among them", async () => {
    const slice = await transformOf({
      transformOptions: `{ lookup: { l: snapshot("l").by("a", "day") } }`,
      body: `({ n }, { l }) => ({ n: l(n === 0 ? null : "x", new Date(${day.getTime()}))?.v ?? -1 })`,
      input: n,
      output: n,
      lookups: {
        l: lookup([
          [null, "y"],
          [day, day],
          [7, 8],
        ]),
      },
    });
    expect(arrowToRows((await run(slice, numbers(0, 1))).rows)).toEqual([{ n: 7 }, { n: -1 }]);
  });

  test("with a key twice are refused, naming it", async () => {
    const bundle = await bundleOf(
      `const t = transform(snapshot("s"), { lookup: { l: snapshot("l").by("a") } }, (r) => r);`,
      ["t"],
    );
    const l = {
      ...lookup([
        ["x", "x"],
        [day, day],
        [7, 8],
      ]),
      by: ["a"],
    };
    expect(
      await openSlice({
        bundle,
        entry: { kind: "transform", name: "t" },
        input: n,
        output: n,
        lookups: { l },
      }),
    ).toMatchObject({
      ok: false,
      problem: { message: expect.stringMatching(/more than one row for a = x/) },
    });
  });
});

const metrics: [code: string, value: number | null, rows: number][] = [
  [`metric.mean("m", snapshot("s"), (r) => r.n)`, 2, 3],
  [`metric.sum("m", snapshot("s"), (r) => r.n)`, 6, 3],
  [`metric.count("m", snapshot("s"))`, 4, 4],
  [`metric.count("m", snapshot("s"), (r) => r.n > 1)`, 2, 4],
  [`metric.ratio("m", snapshot("s"), (r) => r.n, () => 2)`, 1, 3],
  [`metric.ratio("m", snapshot("s"), () => 1, () => 0)`, null, 4],
  [`metric.mean("m", snapshot("s"), () => null)`, null, 0],
];

test.each(metrics)("%s", async (code, value, rows) => {
  const bundle = await bundleOf(`const m = ${code};`, [], ["m"]);
  const slice = unwrap(
    await openSlice({ bundle, entry: { kind: "metrics", indexes: [0] }, input: nullableN }),
  );
  open.push(slice);
  await run(slice, numbers(1, null));
  await run(slice, numbers(2, 3));
  expect(unwrap(await slice.finish())).toEqual([{ value, rows, failed: 0 }]);
});

test("metrics of a bundle in one pass: only the columns they look at, and none sees what another did to a row", async () => {
  const columns = [column("n", "DOUBLE"), column("day", "DATE"), column("other", "VARCHAR")];
  const bundle = await bundleOf(
    `const at = (row) => row.day.getUTCDate();
     const a = metric.sum("a", snapshot("s"), (row) => { row.day.setUTCDate(1); row.n = 7; return row.day.getUTCDate(); });
     const b = metric.sum("b", snapshot("s"), (row) => row.day.getUTCDate() + row.n);
     const c = metric.sum("c", snapshot("s"), (row) => { if (row.n === 2) throw new Error("two"); return row.n; });
     const whole = metric.sum("whole", snapshot("s"), (row) => Object.keys(row).length + at(row));`,
    [],
    ["a", "b", "c", "whole"],
  );
  const openMetrics = async (indexes: number[]) => {
    const entry = { kind: "metrics" as const, indexes };
    const slice = unwrap(await openSlice({ bundle, entry, input: columns }));
    open.push(slice);
    return slice;
  };
  const day = (date: number): Date => new Date(Date.UTC(2001, 0, date));
  const values = [
    [1, 2],
    [day(10), day(20)],
    ["x", "y"],
  ];

  const some = await openMetrics([0, 1, 2]);
  expect(some.columns).toEqual(["n", "day"]);
  await run(some, batchOf(columns.slice(0, 2), values.slice(0, 2)));
  expect(unwrap(await some.finish())).toEqual([
    { value: 2, rows: 2, failed: 0 },
    { value: 33, rows: 2, failed: 0 },
    { value: 1, rows: 1, failed: 1, first: expect.objectContaining({ message: "Error: two" }) },
  ]);

  const all = await openMetrics([3, 1]);
  expect(all.columns).toEqual(["n", "day", "other"]);
  await run(all, batchOf(columns, values));
  expect(unwrap(await all.finish())).toEqual([
    { value: 36, rows: 2, failed: 0 },
    { value: 33, rows: 2, failed: 0 },
  ]);
});

test("a sum does not depend on how rows fall into batches", async () => {
  const columns = [column("x", "DOUBLE")];
  const values = Array.from(
    { length: 1000 },
    (_, i) => (i % 2 === 0 ? 1e16 : 1) * (i % 3 === 0 ? -1 : 1),
  );
  const bundle = await bundleOf(`const m = metric.sum("m", snapshot("s"), (r) => r.x);`, [], ["m"]);
  const sums: unknown[] = [];
  for (const size of [1000, 7]) {
    const slice = unwrap(
      await openSlice({ bundle, entry: { kind: "metrics", indexes: [0] }, input: columns }),
    );
    for (let at = 0; at < values.length; at += size)
      await run(slice, batchOf(columns, [values.slice(at, at + size)]));
    sums.push(unwrap(await slice.finish())[0]?.value);
    await slice.close();
  }
  expect(sums[0]).toBe(sums[1]);
  expect(sums[0]).toBe(Number(values.reduce((sum, value) => sum + BigInt(value), 0n)));
});

test("batches sent ahead are answered in order", async () => {
  const slice = await transformOf({ body: "(r) => r", input: n, output: n });
  const results = await Promise.all([1, 2, 3].map((value) => run(slice, numbers(value))));
  expect(results.map((result) => arrowToRows(result.rows))).toEqual([
    [{ n: 1 }],
    [{ n: 2 }],
    [{ n: 3 }],
  ]);
  expect(slice.stats).toMatchObject({ batches: 3, rows: 3 });
});

test("a batch of no rows is fine", async () => {
  const slice = await transformOf({ body: "(r) => r", input: n, output: n });
  expect(await run(slice, numbers())).toMatchObject({ read: 0, filtered: 0, errors: [] });
});
