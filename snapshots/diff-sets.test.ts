import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DiffKey, DiffPairing, DiffRow, RowIdentity, SetTest } from "./diff.ts";
import { unwrap } from "./problem.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
beforeAll(() => {
  here = temporaryWorkspace();
});
afterAll(() => here.close());

/** Not used where rows are paired by key. */
const identity: RowIdentity = { columns: [] };

async function pairing(left: string, right: string, key: DiffKey = ["id"]): Promise<DiffPairing> {
  const [l, r] = [await here.table(left), await here.table(right)];
  return { left: { kind: "table", hash: l.hash }, right: { kind: "table", hash: r.hash }, key };
}

async function page(of: DiffPairing, filter = {}): Promise<DiffRow[]> {
  const request = { ...of, identity, offset: 0, limit: 1_000, ...filter };
  return unwrap(await here.queries.diffRows(request)).rows;
}

async function kept(of: DiffPairing, filter = {}) {
  const { hash, rows } = unwrap(await here.queries.diffSet({ ...of, identity, ...filter }));
  return { set: { kind: "set" as const, hash, by: identity }, rows };
}

async function since(now: DiffPairing, then: DiffPairing) {
  const { set } = await kept(then);
  const counts = unwrap(await here.queries.diffSince({ ...now, groups: [[set], []], since: set }));
  const rowsOf = async (test: SetTest) => page(now, { sets: [{ of: [set], test }] });
  return { counts, rowsOf };
}

const base = "SELECT i AS id, i * 10 AS v, 't' || i AS t FROM range(20) r(i)";

test("what differs is new, otherwise, the same or gone; each can be looked at", async () => {
  const then = await pairing(
    base,
    `SELECT * REPLACE (CASE WHEN id IN (1, 2, 3) THEN v + 1 ELSE v END AS v) FROM (${base}) WHERE id <> 9`,
  );
  const now = await pairing(
    base,
    `SELECT * REPLACE (CASE WHEN id IN (2, 4) THEN v + 1 WHEN id = 3 THEN v + 2 ELSE v END AS v) FROM (${base}) WHERE id <> 9 UNION ALL SELECT 77, 7, NULL`,
  );
  const { counts, rowsOf } = await since(now, then);
  expect(counts).toEqual({
    total: 5,
    same: [2, 0],
    since: { new: 2, otherwise: 1, same: 2, gone: 1 },
  });
  const keys = async (test: SetTest) => (await rowsOf(test)).map(({ key }) => key[0]);
  expect(await keys("new")).toEqual([4, 77]);
  expect(await keys("otherwise")).toEqual([3]);
  expect(await keys("same")).toEqual([2, 9]);
  expect(await keys("notSame")).toEqual([3, 4, 77]);
});

test("a difference is the same whatever else there is: other columns, their order, other rows, another type of the same values", async () => {
  const change = "CASE WHEN id = 3 THEN 99 ELSE v END";
  const then = await pairing(base, `SELECT * REPLACE (${change} AS v) FROM (${base})`);
  const now = await pairing(
    `SELECT t, v::BIGINT AS v, id::INTEGER AS id, id % 2 AS odd FROM (${base}) WHERE id > 1`,
    `SELECT t, (${change})::BIGINT AS v, id::INTEGER AS id, id % 2 + 5 AS odd FROM (${base}) WHERE id > 1`,
  );
  const [row] = await page(then);
  const there = await page(now, {
    sets: [
      {
        of: [{ kind: "listed", by: identity, differences: [row?.difference ?? ""] }],
        test: "same",
      },
    ],
  });
  // Its other column changed as well, and so it is another difference.
  expect(there).toEqual([]);
  const ignoring = { ...now, ignore: ["odd"] };
  const again = await page(ignoring);
  expect(again.map(({ difference }) => difference)).toEqual([row?.difference]);
});

test("rows without a key: of two alike, one is the second", async () => {
  const then = await pairing("SELECT 1 AS a", "SELECT unnest([1, 5]) AS a", null);
  const now = await pairing("SELECT 1 AS a", "SELECT unnest([1, 5, 5, 5]) AS a", null);
  const { counts } = await since(now, then);
  expect(counts.since).toEqual({ new: 2, otherwise: 0, same: 1, gone: 0 });
  expect(new Set((await page(now)).map(({ difference }) => difference)).size).toBe(3);
});

test("rows that share a key: of two alike, one is the second", async () => {
  const left = "SELECT 1 AS id, unnest([1, 2]) AS v";
  const then = await pairing(left, "SELECT 1 AS id, unnest([5, 6]) AS v");
  const now = await pairing(left, "SELECT 1 AS id, unnest([5, 5]) AS v");
  const { counts } = await since(now, then);
  expect(counts.since).toEqual({ new: 0, otherwise: 1, same: 3, gone: 0 });
  expect(new Set((await page(now)).map(({ difference }) => difference)).size).toBe(4);
});

test("values that look alike once joined are told apart, and NULL from its word", async () => {
  const texts = async (left: string, right: string) => {
    const of = await pairing(`SELECT 1 AS id, ${left}`, `SELECT 1 AS id, ${right}`);
    return (await page(of))[0]?.difference;
  };
  const names = [
    await texts("'x' AS a, 'x' AS b", "'a' AS a, 'bc' AS b"),
    await texts("'x' AS a, 'x' AS b", "'ab' AS a, 'c' AS b"),
    await texts("'x' AS a, 'x' AS b", "NULL AS a, 'c' AS b"),
    await texts("'x' AS a, 'x' AS b", "'null' AS a, 'c' AS b"),
    await texts("'x' AS a, 'x' AS b", "'NULL' AS a, 'c' AS b"),
    await texts("NULL AS a, 'x' AS b", "'x' AS a, 'c' AS b"),
    await texts(`'x' AS "a"",""b", 'c' AS b`, `'y' AS "a"",""b", 'c' AS b`),
    await texts("'x' AS a, 'c' AS b", "'y' AS a, 'c' AS b"),
  ];
  expect(names.every((name) => /^[0-9a-f]{64}$/.test(name ?? ""))).toBe(true);
  expect(new Set(names).size).toBe(names.length);
});

test("a row is known again by columns that both sides have", async () => {
  const of = await pairing(base, `SELECT * REPLACE (v + 1 AS v) FROM (${base})`, "position");
  const shuffled = await pairing(
    `SELECT * FROM (${base}) ORDER BY id DESC`,
    `SELECT * REPLACE (v + 1 AS v) FROM (${base}) ORDER BY id DESC`,
    "position",
  );
  const named = async (each: DiffPairing, by: RowIdentity) =>
    (await page(each, { identity: by }))
      .map(({ difference }) => difference ?? "")
      .toSorted(compareText);
  const byId = { columns: ["id"] };
  expect(await named(shuffled, byId)).toEqual(await named(of, byId));
  const byInput = { input: "0".repeat(64) };
  expect(await named(shuffled, byInput)).not.toEqual(await named(of, byInput));
  const unknown = await here.queries.diffRows({
    ...of,
    identity: { columns: ["x"] },
    offset: 0,
    limit: 1,
  });
  expect(!unknown.ok && unknown.problem.code).toBe("no-such-column");
});

test("rows of one identity are told apart by their place in the input", async () => {
  const rows = "SELECT unnest([1, 1, 2]) AS id, unnest([10, 10, 5]) AS v";
  const by = { input: "0".repeat(64) };
  const then = await pairing(
    rows,
    `SELECT unnest([1, 1, 2]) AS id, unnest([11, 10, 5]) AS v`,
    "position",
  );
  const now = await pairing(
    rows,
    `SELECT unnest([1, 1, 2]) AS id, unnest([11, 11, 5]) AS v`,
    "position",
  );
  const { hash } = unwrap(await here.queries.diffSet({ ...then, identity: by }));
  const set = { kind: "set" as const, hash, by };
  const counts = unwrap(await here.queries.diffSince({ ...now, groups: [], since: set }));
  expect(counts.since).toEqual({ new: 1, otherwise: 0, same: 1, gone: 0 });
});

test("sets by several identities are asked of together, however many were asked of before", async () => {
  const of = await pairing(base, `SELECT * REPLACE (v + 1 AS v) FROM (${base})`, "position");
  const all = await page(of, { identity: { columns: ["id"] } });
  const listed = all.map(({ difference }) => ({
    kind: "listed" as const,
    by: { columns: ["id"] },
    differences: [difference ?? ""],
  }));
  const first = listed.slice(0, 1);
  unwrap(await here.queries.diffSince({ ...of, groups: listed.map((one) => [one]) }));
  const byPlace = { input: "0".repeat(64) };
  const { hash } = unwrap(await here.queries.diffSet({ ...of, identity: byPlace, kind: "added" }));
  const none = { kind: "set" as const, hash, by: byPlace };
  const sets = [
    { of: first, test: "same" as const },
    { of: [none, ...listed.slice(1)], test: "notSame" as const },
  ];
  expect((await page(of, { sets })).map(({ key }) => key[0])).toEqual([0]);
});

test("a set is of what the filters leave", async () => {
  const of = await pairing(base, `SELECT * REPLACE (v + 1 AS v) FROM (${base}) WHERE id <> 4`);
  const { set, rows } = await kept(of, { kind: "removed" });
  expect(rows).toBe(1);
  const found = await page(of, { sets: [{ of: [set], test: "same" }], kind: "removed" });
  expect(found.map(({ key }) => key[0])).toEqual([4]);
  const again = await kept(of, { kind: "removed" });
  expect(again).toEqual({ set, rows });
});

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

type Cells = Record<string, number>;
const cells = fc.dictionary(
  fc.constantFrom("1", "2", "3", "4", "5"),
  fc.integer({ min: 0, max: 2 }),
);

/** The differences between two tables, told in the plainest way: which row, and what of it. */
function plainly(left: Cells, right: Cells): Map<string, string> {
  const ids = new Set([...Object.keys(left), ...Object.keys(right)]);
  return new Map(
    [...ids].flatMap((id) =>
      left[id] === right[id] ? [] : [[id, `${left[id]} → ${right[id]}`] as const],
    ),
  );
}

test("new, otherwise, same and gone are what they are by the plain definition", async () => {
  const sql = (table: Cells) => {
    const rows = Object.entries(table).map(([id, v]) => `(${id}, ${v})`);
    return rows.length > 0
      ? `SELECT * FROM (VALUES ${rows.join(", ")}) t(id, v)`
      : "SELECT 0 AS id, 0 AS v LIMIT 0";
  };
  await fc.assert(
    fc.asyncProperty(cells, cells, cells, cells, async (a, b, c, d) => {
      const [then, now] = [plainly(a, b), plainly(c, d)];
      const { counts } = await since(await pairing(sql(c), sql(d)), await pairing(sql(a), sql(b)));
      const count = (test: (id: string) => boolean) => [...now.keys()].filter(test).length;
      expect(counts.since).toEqual({
        new: count((id) => !then.has(id)),
        otherwise: count((id) => then.has(id) && then.get(id) !== now.get(id)),
        same: count((id) => then.get(id) === now.get(id)),
        gone: [...then.keys()].filter((id) => !now.has(id)).length,
      });
    }),
    { numRuns: 25 },
  );
});
