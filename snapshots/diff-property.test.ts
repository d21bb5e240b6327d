import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DiffKey, DiffPairing, DiffRowCounts, DiffSide, DiffSummary } from "./diff.ts";
import {
  exactly,
  referenceDiff,
  type ReferenceCounts,
  type ReferenceRow,
  type ReferenceRule,
} from "./diff-reference.ts";
import type { DiffRules } from "./diff-rules.ts";
import { unwrap } from "./problem.ts";
import { withDuckDB } from "./test-duckdb.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
beforeAll(() => {
  here = temporaryWorkspace();
});
afterAll(() => here.close());

/** Small tables with duplicates and NULLs, many of them in one: each is a value of the first key column. */
type Row = { k: number | null; a: string | null; b: number | null };
type Tables = { left: Row[]; right: Row[] };
const row: fc.Arbitrary<Row> = fc.record({
  k: fc.option(fc.integer({ min: 0, max: 3 })),
  a: fc.option(fc.constantFrom("x", "X", " x", "y", "a text longer than twelve bytes")),
  b: fc.option(fc.constantFrom(0, -0, 0.25, 1.5, 1.75, Number.NaN, Number.POSITIVE_INFINITY)),
});
const tables: fc.Arbitrary<Tables> = fc.record({
  left: fc.array(row, { maxLength: 8 }),
  right: fc.array(row, { maxLength: 8 }),
});

const rounds = 20;
const batch = 50;
const [rulesNone, rulesAll]: [DiffRules, DiffRules] = [
  {},
  { a: { trim: true, case: true }, b: { absolute: "0.25" } },
];
const references: Record<"none" | "all", ReferenceRule[]> = {
  none: [exactly, exactly],
  all: [
    {
      form: (cell) => (typeof cell === "string" ? cell.trim().toLowerCase() : cell),
      isClose: () => false,
    },
    {
      form: (cell) => cell,
      isClose: (l, r) => typeof l === "number" && typeof r === "number" && Math.abs(l - r) <= 0.25,
    },
  ],
};

describe.each([
  ["by key", ["t", "k"], "none"],
  ["by key, with rules", ["t", "k"], "all"],
  ["as multisets", null, "none"],
] as [string, DiffKey, "none" | "all"][])("1,000 pairs of small tables, %s", (name, key, how) => {
  const rules = how === "none" ? rulesNone : rulesAll;

  test("have the counts of the reference; they add up, swap with the sides, and pages hold them all", async () => {
    const { seed } = fc.readConfigureGlobal();
    for (let round = 0; round < rounds; round += 1) {
      const some = fc.sample(tables, { numRuns: batch, seed: (seed ?? 20_261) + round });
      const pairing = await write(`${name} ${round}`, some, key, rules);
      const summary = unwrap(await here.queries.diff(pairing));
      const expected = some.map((pair) =>
        referenceDiff(
          referenceRows(pair.left, key !== null),
          referenceRows(pair.right, key !== null),
          references[how],
        ),
      );
      expect(countsOf(summary.rows)).toEqual(sumOf(expected));
      expect(changedOf(summary)).toEqual(
        [0, 1].map((i) => total(expected.map(({ changedIn }) => changedIn[i] ?? 0))),
      );
      const { left, right, equal, changed, added, removed, ambiguous } = summary.rows;
      expect(left).toBe(equal + changed + removed + ambiguous.left);
      expect(right).toBe(equal + changed + added + ambiguous.right);

      const swapped = { ...pairing, left: pairing.right, right: pairing.left };
      const back = unwrap(await here.queries.diff(swapped));
      expect(back.rows).toMatchObject({ equal, changed, added: removed, removed: added });
      const same = unwrap(await here.queries.diff({ ...pairing, right: pairing.left }));
      expect(same).toMatchObject({ identical: true, rows: { equal: left } });

      const page = unwrap(await here.queries.diffRows({ ...pairing, offset: 0, limit: 10_000 }));
      const listed = (kind: string) => page.rows.filter((item) => item.kind === kind).length;
      expect(["changed", "added", "removed", "ambiguous"].map(listed)).toEqual([
        changed,
        added,
        removed,
        ambiguous.left + ambiguous.right,
      ]);
    }
  });
});

test("shuffling rows or columns changes nothing, nor does counting by parts", async () => {
  const some = fc.sample(tables, { numRuns: 200, seed: 7 });
  const pairing = await write("shuffled", some, ["t", "k"], rulesNone);
  const plain = unwrap(await here.queries.diff(pairing));
  const path = join(here.workspace.root, "other.duckdb");
  const from = join(here.workspace.root, "shuffled.duckdb");
  await withDuckDB(
    [
      `ATTACH '${from}' AS f (READ_ONLY)`,
      ...["l", "r"].map(
        (t) => `CREATE TABLE ${t} AS SELECT b, a, k, t FROM f.${t} ORDER BY hash(rowid)`,
      ),
    ],
    path,
  );
  const side = (table: string): DiffSide => ({ kind: "file", path, format: "duckdb", table });
  const shuffled = unwrap(
    await here.queries.diff({ ...pairing, left: side("l"), right: side("r") }),
  );
  expect(shuffled.rows).toEqual(plain.rows);
  expect(changedOf(shuffled)).toEqual(changedOf(plain));
  const mixed = unwrap(await here.queries.diff({ ...pairing, left: side("l"), right: side("l") }));
  expect(mixed.identical).toBe(true);
  const byParts = unwrap(await here.queries.diff({ ...pairing, stopAfter: 1_000_000 }));
  expect(byParts).toMatchObject({ complete: true, rows: plain.rows });
});

async function write(
  name: string,
  some: Tables[],
  key: DiffKey,
  rules: DiffRules,
): Promise<DiffPairing> {
  const path = join(here.workspace.root, `${name.replaceAll(/\W/g, "")}.duckdb`);
  const of = (side: "left" | "right") => {
    const values = some.flatMap((pair, t) =>
      pair[side].map(
        ({ k, a, b }) => `(${t}, ${k ?? "NULL"}, ${a === null ? "NULL" : `'${a}'`}, ${double(b)})`,
      ),
    );
    return `CREATE TABLE ${side === "left" ? "l" : "r"} AS FROM (VALUES (-1, NULL, NULL, NULL), ${values.join(", ")}) AS v(t, k, a, b)`;
  };
  const cast = (table: string) =>
    `ALTER TABLE ${table} ALTER b TYPE DOUBLE; ALTER TABLE ${table} ALTER a TYPE VARCHAR; DELETE FROM ${table} WHERE t = -1; CREATE OR REPLACE TABLE ${table} AS FROM ${table}`;
  await withDuckDB([of("left"), of("right"), cast("l"), cast("r")], path);
  const side = (table: string): DiffSide => ({ kind: "file", path, format: "duckdb", table });
  return { left: side("l"), right: side("r"), key, rules };
}

function double(value: number | null): string {
  if (value === null) return "NULL::DOUBLE";
  return `'${Object.is(value, -0) ? "-0.0" : value}'::DOUBLE`;
}

function referenceRows(list: Row[], isKeyed: boolean): ReferenceRow[] {
  return list.map(({ k, a, b }) => {
    // 0.0 is −0.0, and NaN is NaN.
    const cells = [a, b === 0 ? 0 : b];
    return { key: isKeyed ? String(k) : JSON.stringify([k, ...cells.map(String)]), cells };
  });
}

function countsOf({ equal, changed, added, removed, ambiguous }: DiffRowCounts) {
  return { equal, changed, added, removed, ambiguous };
}

function sumOf(all: ReferenceCounts[]): ReturnType<typeof countsOf> {
  const of = (figure: (counts: ReferenceCounts) => number) => total(all.map(figure));
  return {
    equal: of((each) => each.equal),
    changed: of((each) => each.changed),
    added: of((each) => each.added),
    removed: of((each) => each.removed),
    ambiguous: {
      keys: of((each) => each.ambiguous.keys),
      left: of((each) => each.ambiguous.left),
      right: of((each) => each.ambiguous.right),
    },
  };
}

function changedOf({ columns }: DiffSummary): number[] {
  return ["a", "b"].map((name) => columns.find((column) => column.name === name)?.changed ?? -1);
}

function total(numbers: number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
