import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DiffKey, DiffRow, DiffSide, DiffSummary } from "./diff.ts";
import { formatRule, type DiffRules } from "./diff-rules.ts";
import { unwrap } from "./problem.ts";
import { rowsToArrow } from "./arrow.ts";
import type { Column } from "./table.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
beforeAll(() => {
  here = temporaryWorkspace();
});
afterAll(() => here.close());

type Options = { key: DiffKey; rules?: DiffRules; ignore?: string[]; where?: string };

const side = (hash: string): DiffSide => ({ kind: "table", hash });

async function diff(left: string, right: string, options: Options): Promise<DiffSummary> {
  const [before, after] = [await here.table(left), await here.table(right)];
  return unwrap(
    await here.queries.diff({ left: side(before.hash), right: side(after.hash), ...options }),
  );
}

async function rowsOf(left: string, right: string, options: Options): Promise<DiffRow[]> {
  const [before, after] = [await here.table(left), await here.table(right)];
  const page = await here.queries.diffRows({
    left: side(before.hash),
    right: side(after.hash),
    ...options,
    offset: 0,
    limit: 100,
  });
  return unwrap(page).rows;
}

const none = { keys: 0, left: 0, right: 0 };

describe("a key found once on each side", () => {
  test("is equal or changed; else added or removed; NULL is a key like any other", async () => {
    const left = "VALUES (1, 'a'), (2, 'b'), (3, 'c'), (NULL, 'n')";
    const right = "VALUES (2, 'b'), (3, 'C'), (4, 'd'), (NULL, 'm')";
    const summary = await diff(
      `SELECT col0 AS k, col1 AS v FROM (${left})`,
      `SELECT col0 AS k, col1 AS v FROM (${right})`,
      { key: ["k"] },
    );
    expect(summary.rows).toEqual({
      left: 4,
      right: 4,
      equal: 1,
      changed: 2,
      added: 1,
      removed: 1,
      ambiguous: none,
    });
    expect(summary.columns).toEqual([
      {
        name: "k",
        status: "key",
        leftType: "INTEGER",
        rightType: "INTEGER",
        rule: null,
        changed: 0,
        nullToValue: 0,
        valueToNull: 0,
      },
      {
        name: "v",
        status: "compared",
        leftType: "VARCHAR",
        rightType: "VARCHAR",
        rule: null,
        changed: 2,
        nullToValue: 0,
        valueToNull: 0,
      },
    ]);
  });
});

test.each([
  ["NaN equals NaN, 0.0 equals -0.0", "'NaN'::DOUBLE", "'-NaN'::DOUBLE", 0],
  ["zeros", "0.0::DOUBLE", "-0.0::DOUBLE", 0],
  ["NULL is not a value", "NULL::INTEGER", "0", 1],
  ["text by code points", "chr(233)", "'e' || chr(769)", 1],
  ["lists", "[1, NULL, 3]", "[1, NULL, 3]", 0],
  ["structs", "{a: 1, b: NULL}", "{a: 1, b: 2}", 1],
  ["INTEGER becomes BIGINT", "7::INTEGER", "7::BIGINT", 0],
  [
    "BIGINT beyond doubles becomes DECIMAL",
    "9007199254740993",
    "9007199254740992::DECIMAL(20, 2)",
    1,
  ],
  ["VARCHAR holds the text of any type", "'2001-01-01'", "DATE '2001-01-01'", 0],
  [
    "TIMESTAMP meets TIMESTAMPTZ in UTC",
    "TIMESTAMP '2001-01-01 12:00:00'",
    "TIMESTAMPTZ '2001-01-01 12:00:00+00'",
    0,
  ],
  ["types without a common one always differ", "1.5::DOUBLE", "[1.5]", 1],
])("%s", async (_, left, right, changed) => {
  const summary = await diff(`SELECT 1 AS k, ${left} AS v`, `SELECT 1 AS k, ${right} AS v`, {
    key: ["k"],
  });
  expect(summary.rows).toEqual({
    left: 1,
    right: 1,
    equal: 1 - changed,
    changed,
    added: 0,
    removed: 0,
    ambiguous: none,
  });
});

test("tables of different columns are never identical, though their rows are equal", async () => {
  const summary = await diff(
    "SELECT 1 AS k, 2 AS gone, 3 AS V",
    "SELECT 1 AS k, 3 AS v, 4 AS new",
    { key: ["k"] },
  );
  expect(summary.identical).toBe(false);
  expect(summary.rows).toMatchObject({ equal: 1, changed: 0 });
  expect(summary.columns.map(({ name, status }) => [name, status])).toEqual([
    ["k", "key"],
    ["gone", "removed"],
    ["V", "removed"],
    ["v", "added"],
    ["new", "added"],
  ]);
});

test("columns may have any name, the ones used inside too", async () => {
  const names = [
    "k0",
    "c0",
    "n",
    "ln",
    "side",
    "e",
    "kind",
    "rowid",
    "select",
    'a"b',
    "row number",
    "é 🙂",
    "o",
    "d0",
  ];
  const select = (shift: number) =>
    `SELECT range AS "id", ${names.map((name, i) => `range * ${i} + ${i === 3 ? shift : 0} AS "${name.replaceAll('"', '""')}"`).join(", ")} FROM range(10)`;
  for (const key of [["id"], ["rowid", 'a"b'], "position", null] as const) {
    const copy = key === null || key === "position" ? key : [...key];
    const summary = await diff(select(0), select(1), { key: copy });
    expect(
      summary.columns.filter((column) => column.changed > 0).map((column) => column.name),
    ).toEqual(copy === null ? [] : ["ln"]);
    const rows = await rowsOf(select(0), select(1), { key: copy });
    expect(rows.length).toBe(copy === null ? 20 : 10);
    if (copy !== null)
      expect(rows[3]).toMatchObject({
        before: { ln: 9, rowid: 21 },
        after: { ln: 10, rowid: 21 },
        changed: ["ln"],
      });
  }
});

describe("a key found more than once", () => {
  const table = (rows: string) => `SELECT col0 AS k, col1 AS v FROM (VALUES ${rows})`;
  test.each([
    [
      "identical rows pair off",
      "(1,'a'), (1,'a'), (1,'b')",
      "(1,'b'), (1,'a'), (1,'a')",
      { equal: 3 },
    ],
    [
      "one left on each side is changed",
      "(1,'a'), (1,'b')",
      "(1,'a'), (1,'c')",
      { equal: 1, changed: 1 },
    ],
    ["left over on one side only", "(1,'a'), (1,'a')", "(1,'a')", { equal: 1, removed: 1 }],
    [
      "anything else is ambiguous",
      "(1,'a'), (1,'b')",
      "(1,'c'), (1,'d'), (2,'x')",
      { added: 1, ambiguous: { keys: 1, left: 2, right: 2 } },
    ],
  ])("%s", async (_, left, right, expected) => {
    expect((await diff(table(left), table(right), { key: ["k"] })).rows).toMatchObject({
      changed: 0,
      ambiguous: none,
      ...expected,
    });
  });

  test("a heavy key does not multiply", async () => {
    const heavy = "SELECT 1 AS k, range AS v FROM range(100000)";
    expect(
      (await diff(heavy, heavy.replace("range AS v", "range + 1 AS v"), { key: ["k"] })).rows,
    ).toMatchObject({ equal: 99_999, changed: 1 });
  });
});

describe("a tolerance", () => {
  test.each([
    [{ absolute: "0.5" }, "1.0::DOUBLE", "1.5::DOUBLE", 0],
    [{ absolute: "0.4" }, "1.0::DOUBLE", "1.5::DOUBLE", 1],
    [{ relative: "0.01" }, "1000::DOUBLE", "1009::DOUBLE", 0],
    [{ absolute: "1e300" }, "'inf'::DOUBLE", "'-inf'::DOUBLE", 1],
    [{ absolute: "1" }, "9007199254740993", "9007199254740994", 0],
    [{ absolute: "1" }, "NULL::DOUBLE", "0.0::DOUBLE", 1],
    [
      { absolute: "1" },
      "99999999999999999999999999999999999999::DECIMAL(38,0)",
      "(-99999999999999999999999999999999999999)::DECIMAL(38,0)",
      1,
    ],
    [{ absolute: "1" }, "170141183460469231731687303715884105727::HUGEINT", "(-5)::HUGEINT", 1],
    [{ absolute: "1" }, "340282366920938463463374607431768211455::UHUGEINT", "1::UHUGEINT", 1],
  ])("%o of %s and %s", async (rule, left, right, changed) => {
    const summary = await diff(`SELECT 1 AS k, ${left} AS v`, `SELECT 1 AS k, ${right} AS v`, {
      key: ["k"],
      rules: { v: rule },
    });
    expect(summary.rows).toMatchObject({ changed, equal: 1 - changed });
    expect(summary.columns[1]?.rule).toBe(formatRule(rule));
  });

  test("does not pair duplicates, but does judge single leftovers", async () => {
    const left = "SELECT 1 AS k, unnest([1.0, 2.0]::DOUBLE[]) AS v";
    const rules = { v: { absolute: "0.6" } };
    expect(
      (await diff(left, left.replace("2.0", "2.5"), { key: ["k"], rules })).rows,
    ).toMatchObject({ equal: 2 });
    expect(
      (await diff(left, left.replace("1.0, 2.0", "1.5, 2.5"), { key: ["k"], rules })).rows,
    ).toMatchObject({ ambiguous: { keys: 1, left: 2, right: 2 } });
  });

  test("of a text is refused, naming the column", async () => {
    const one = (await here.table("SELECT 1 AS k, 'a' AS v")).hash;
    const result = await here.queries.diff({
      left: side(one),
      right: side(one),
      key: ["k"],
      rules: { v: { absolute: "1" } },
    });
    expect(result).toMatchObject({
      ok: false,
      problem: { code: "bad-tolerance", message: expect.stringContaining("`v`") },
    });
  });
});

test("a page of rows is ordered by key, and JSON can carry it", async () => {
  const left =
    "SELECT 2 AS k, 9007199254740993 AS big, 'NaN'::DOUBLE AS x, TIMESTAMP '2001-01-01 00:00:00.5' AS t UNION ALL SELECT 1, 1, 1.5, NULL";
  const rows = await rowsOf(left, left.replace("'NaN'", "'inf'").replace("1.5", "2.5"), {
    key: ["k"],
  });
  expect(JSON.parse(JSON.stringify(rows))).toEqual(rows);
  expect(rows).toEqual([
    {
      kind: "changed",
      key: [1],
      before: { k: 1, big: 1, x: 1.5, t: null },
      after: { k: 1, big: 1, x: 2.5, t: null },
      changed: ["x"],
    },
    {
      kind: "changed",
      key: [2],
      before: { k: 2, big: "9007199254740993", x: "NaN", t: "2001-01-01T00:00:00.5" },
      after: { k: 2, big: "9007199254740993", x: "Infinity", t: "2001-01-01T00:00:00.5" },
      changed: ["x"],
    },
  ]);
});

test("a key that is not there is named, with those that are", async () => {
  const one = (await here.table("SELECT 1 AS k")).hash;
  expect(await here.queries.diff({ left: side(one), right: side(one), key: ["id"] })).toMatchObject(
    {
      ok: false,
      problem: {
        code: "no-such-column",
        message: expect.stringContaining("`id`"),
        hint: expect.stringContaining("k"),
      },
    },
  );
});

test("the rows of two transforms of one snapshot pair by where they came from", async () => {
  const columns: Column[] = [{ name: "v", type: "INTEGER", nullable: false }];
  const write = async (values: number[], position: bigint[], part: number[]) => {
    async function* batches() {
      yield {
        rows: rowsToArrow(
          columns,
          values.map((v) => ({ v })),
        ),
        position: BigInt64Array.from(position),
        part: Int32Array.from(part),
      };
    }
    return unwrap(await here.queries.write({ columns, batches: batches() })).hash;
  };
  const before = await write([10, 11, 20], [0n, 0n, 2n], [0, 1, 0]);
  const after = await write([10, 12, 30], [0n, 0n, 3n], [0, 1, 0]);
  const summary = unwrap(
    await here.queries.diff({ left: side(before), right: side(after), key: "position" }),
  );
  expect(summary.rows).toEqual({
    left: 3,
    right: 3,
    equal: 1,
    changed: 1,
    added: 1,
    removed: 1,
    ambiguous: none,
  });
  const rows = unwrap(
    await here.queries.diffRows({
      left: side(before),
      right: side(after),
      key: "position",
      offset: 0,
      limit: 10,
    }),
  ).rows;
  expect(rows.map(({ kind, key }) => [kind, ...key])).toEqual([
    ["changed", 0, 1],
    ["removed", 2, 0],
    ["added", 3, 0],
  ]);
});
