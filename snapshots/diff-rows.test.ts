import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DiffPairing, DiffRowsRequest } from "./diff.ts";
import { unwrap } from "./problem.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
let pairing: DiffPairing;
beforeAll(async () => {
  here = temporaryWorkspace();
  const rows = `SELECT 999 - range AS id, ['DEN', 'ORD'][1 + range % 2] AS origin, range AS v, CASE WHEN range % 10 > 0 THEN 't' || range END AS t FROM range(1000)`;
  const changed = `SELECT * REPLACE (CASE WHEN id % 4 = 0 THEN v + 1 ELSE v END AS v, CASE WHEN id % 6 = 0 THEN NULL ELSE t END AS t) FROM (${rows}) WHERE id <> 500 UNION ALL SELECT 1000, 'JFK', 7, 'new'`;
  const [left, right] = [await here.table(rows), await here.table(changed)];
  pairing = {
    left: { kind: "table", hash: left.hash },
    right: { kind: "table", hash: right.hash },
    key: ["id"],
  };
});
afterAll(() => here.close());

async function page(filter: Partial<DiffRowsRequest>) {
  return unwrap(await here.queries.diffRows({ ...pairing, offset: 0, limit: 1000, ...filter }));
}

const isVChanged = (id: number) => id % 4 === 0 && id !== 500;
const isTChanged = (id: number) => id % 6 === 0 && (999 - id) % 10 !== 0 && id !== 500;
const ids = Array.from({ length: 1000 }, (_, id) => id);
const changed = ids.filter((id) => isVChanged(id) || isTChanged(id));

test("pages are in the order of the key, and know how many there are", async () => {
  const all = await page({});
  expect(all.total).toBe(changed.length + 2);
  expect(all.rows.map(({ key }) => key[0])).toEqual(
    [...changed, 500, 1000].toSorted((a, b) => a - b),
  );
  const part = await page({ offset: 100, limit: 10 });
  expect(part).toEqual({ rows: all.rows.slice(100, 110), total: all.total });
});

describe("rows are chosen", () => {
  test.each<[string, Partial<DiffRowsRequest>, (id: number) => boolean]>([
    ["by kind", { kind: "added" }, (id) => id === 1000],
    ["by the column that changed", { column: "t" }, isTChanged],
    [
      "by a value on either side",
      { values: [{ column: "origin", test: "equals", value: "DEN" }] },
      (id) => (id === 1000 ? false : (999 - id) % 2 === 0 && (id === 500 || changed.includes(id))),
    ],
    [
      "by a number, one side",
      { values: [{ column: "v", side: "right", test: "atLeast", value: "900" }], kind: "changed" },
      (id) => changed.includes(id) && 999 - id + (isVChanged(id) ? 1 : 0) >= 900,
    ],
    [
      "by NULL, one side",
      { values: [{ column: "t", side: "left", test: "equals", value: null }] },
      (id) => (999 - id) % 10 === 0 && changed.includes(id),
    ],
    [
      "by a part of a text",
      { values: [{ column: "t", test: "contains", value: "NE" }] },
      (id) => id === 1000,
    ],
    [
      "by several at once, page after page",
      { column: "v", values: [{ column: "id", test: "atMost", value: "40" }], offset: 2, limit: 3 },
      (id) => [8, 12, 16].includes(id),
    ],
    [
      "by no number at all",
      { values: [{ column: "v", test: "equals", value: "x' OR 1=1 --" }] },
      () => false,
    ],
  ])("%s", async (_, filter, isWanted) => {
    const found = await page(filter);
    const wanted = [...ids, 1000].filter(isWanted);
    expect(found.rows.map(({ key }) => key[0])).toEqual(wanted);
    if (filter.offset === undefined) expect(found.total).toBe(wanted.length);
  });
});

test("a column that is not there is named", async () => {
  const ask = (filter: Partial<DiffRowsRequest>) =>
    here.queries.diffRows({ ...pairing, offset: 0, limit: 1, ...filter });
  const problem = { code: "no-such-column", message: expect.stringContaining("`nope`") };
  expect(await ask({ column: "nope" })).toMatchObject({ ok: false, problem });
  expect(await ask({ values: [{ column: "nope", test: "equals", value: "1" }] })).toMatchObject({
    ok: false,
    problem,
  });
});

test("profiles tell both sides of a column, with common bins", async () => {
  const profile = async (column: string) =>
    unwrap(await here.queries.diffProfile({ ...pairing, column }));
  const [v, t, origin] = [await profile("v"), await profile("t"), await profile("origin")];
  expect(v.left).toMatchObject({
    count: 1000,
    nulls: 0,
    distinct: 1000,
    min: "0",
    max: "999",
    mean: 499.5,
  });
  expect(v.left?.quantiles).toHaveLength(5);
  expect(v.bins).toHaveLength(20);
  expect(v.bins.reduce((sum, bin) => sum + bin.left, 0)).toBe(1000);
  expect(v.bins.reduce((sum, bin) => sum + bin.right, 0)).toBe(1000);
  expect(t.left).toMatchObject({ nulls: 100 });
  expect(t.left?.top[0]).toEqual({ value: null, count: 100 });
  expect(origin.right?.top).toMatchObject([
    { value: "DEN", count: 500 },
    { value: "ORD", count: 499 },
    { value: "JFK", count: 1 },
  ]);
  expect(await here.queries.diffProfile({ ...pairing, column: "nope" })).toMatchObject({
    ok: false,
    problem: { code: "no-such-column", message: expect.stringContaining("`nope`") },
  });
});
