import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DiffPairing } from "./diff.ts";
import { unwrap } from "./problem.ts";
import { temporaryWorkspace, type TemporaryWorkspace } from "./temporary-workspace.ts";

let here: TemporaryWorkspace;
let pairing: DiffPairing;

beforeAll(async () => {
  here = temporaryWorkspace();
  const huge = 2n ** 100n;
  const left = await here.table(
    `SELECT range AS id, 'a,"b' || range AS "A", ${huge}::HUGEINT + range AS h, range AS a FROM range(10)`,
  );
  const right = await here.table(
    `SELECT range AS id, 'a,"b' || range AS "A", ${huge}::HUGEINT + range + (range = 3)::INTEGER AS h, range AS a FROM range(1, 11)`,
  );
  pairing = {
    left: { kind: "table", hash: left.hash },
    right: { kind: "table", hash: right.hash },
    key: ["id"],
  };
});
afterAll(() => here.close());

const out = (name: string) => join(here.workspace.root, name);

test("every differing row is written as CSV, in the order of the key, and nothing is left behind", async () => {
  const made = await here.queries.diffExport({ ...pairing, out: out("o.csv"), format: "csv" });
  expect(unwrap(made)).toEqual({ rows: 3 });
  const big = (more: bigint) => String(2n ** 100n + more);
  expect(readFileSync(out("o.csv"), "utf8").split("\n")).toEqual([
    "kind,key.id,before.id,before.A,before.h,before.a_1,after.id,after.A,after.h,after.a_1,changed",
    `removed,0,0,"a,""b0",${big(0n)},0,,,,,[]`,
    `changed,3,3,"a,""b3",${big(3n)},3,3,"a,""b3",${big(4n)},3,"[""h""]"`,
    `added,10,,,,,10,"a,""b10",${big(10n)},10,[]`,
    "",
  ]);
  const spill = readdirSync(join(here.store.root, "temp"), { recursive: true });
  expect(spill.filter((name) => String(name).includes("rows "))).toEqual([]);
});

test("Parquet keeps integers it has no type for as text; of two names that differ in case only the second has a number behind it, as DuckDB writes them", async () => {
  unwrap(await here.queries.diffExport({ ...pairing, out: out("o.parquet"), format: "parquet" }));
  const again = unwrap(
    await here.queries.diff({
      left: { kind: "file", path: out("o.parquet"), format: "parquet" },
      right: { kind: "file", path: out("o.parquet"), format: "parquet" },
      key: ["key.id"],
      where: `"before.h" = '${2n ** 100n + 3n}' AND changed = ['h']`,
    }),
  );
  expect(again.rows.equal).toBe(1);
  expect(again.columns.map(({ name, leftType }) => `${name} ${leftType}`)).toEqual([
    "kind VARCHAR",
    "key.id BIGINT",
    "before.id BIGINT",
    "before.A VARCHAR",
    "before.h VARCHAR",
    "before.a_1 BIGINT",
    "after.id BIGINT",
    "after.A VARCHAR",
    "after.h VARCHAR",
    "after.a_1 BIGINT",
    "changed VARCHAR[]",
  ]);
});

test("a file that cannot be written is one problem", async () => {
  const made = await here.queries.diffExport({
    ...pairing,
    out: out("no/such/o.csv"),
    format: "csv",
  });
  expect(made).toMatchObject({ ok: false, problem: { code: "not-written" } });
  expect(existsSync(out("no"))).toBe(false);
});
