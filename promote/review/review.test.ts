import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freeze } from "#snapshots/freeze.ts";
import { unwrap } from "#snapshots/problem.ts";
import { compareCauses, compareRows } from "../compare-details.ts";
import { compare, type Comparison } from "../compare.ts";
import { initWorkspace } from "../init.ts";
import { openWorkbench, type Workbench } from "../workbench.ts";
import type { ReviewFilter } from "./answer.ts";
import { comparisonHistory } from "./history.ts";
import { remark, removeRemark } from "./remarks.ts";
import { review, reviewState } from "./review.ts";
import { reviewedRows } from "./reviewed-rows.ts";

// One story, told in order: a change is reviewed, changed further, and reviewed again.

const folder = mkdtempSync(join(tmpdir(), "penstock-review-"));
const root = join(folder, "workspace");
const flights = 200;
const delayOf = (id: number) => (id * 37) % 101;
const notebook = (late: string, extra = "") => `// %%
import { snapshot, transform } from "penstock";
// %%
const flights = snapshot("flights@t");
// %%
export const delays = transform(flights, {}, (f) => ({ id: f.id, delay: f.delay, late: ${late}${extra} }));
`;
const name = { notebook: "delays", transform: "delays" };
const write = (path: string, text: string) => {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), text);
};
const ids = Array.from({ length: flights }, (_, id) => id);
const count = (test: (delay: number) => boolean) => ids.filter((id) => test(delayOf(id))).length;

let workbench: Workbench;
let first: Comparison;
let second: Comparison;

async function compareWorking(late: string, extra = ""): Promise<Comparison> {
  write("notebooks/delays.ts", notebook(late, extra));
  return unwrap(
    await compare({
      workbench,
      ...name,
      before: { kind: "git", revision: "HEAD" },
      after: { kind: "working" },
    }),
  );
}

async function rowIds(
  asked: Comparison,
  filter: { review?: ReviewFilter; since?: string; remark?: number },
) {
  const { comparison, identity, sets } = unwrap(
    await reviewedRows({ workbench, comparison: asked, ...filter }),
  );
  const page = { comparison, identity, sets, offset: 0, limit: 1_000 };
  const { rows } = unwrap(await compareRows({ workbench, ...page }));
  return rows.map(({ after }) => Number(after?.["id"]));
}

beforeAll(async () => {
  unwrap(await initWorkspace({ dir: root, demo: false }));
  write("data/flights.csv", `id,delay\n${ids.map((id) => `${id},${delayOf(id)}`).join("\n")}\n`);
  write("sources/flights.yaml", "format: csv\npath: data/flights.csv\nidentity: [id]\n");
  write("notebooks/delays.ts", notebook("f.delay > 15"));
  workbench = unwrap(await openWorkbench(root, { withSync: false, holdLock: true }));
  const { workspace, store, queries, now } = workbench;
  unwrap(await freeze({ workspace, store, queries, source: "flights", label: "t", now }));
  const text = notebook("f.delay > 15");
  unwrap(await workbench.git.commitFiles({ files: { "notebooks/delays.ts": text }, message: "A" }));
});

afterAll(async () => {
  await workbench.close();
  rmSync(folder, { recursive: true, force: true });
});

test("before anybody has reviewed, nothing is new since then, and that is an error only where it is asked for", async () => {
  first = await compareWorking("f.delay > 20");
  const comparison = first;
  const state = unwrap(await reviewState({ workbench, comparison }));
  const differences = count((delay) => delay > 15 && delay <= 20);
  expect(state).toEqual({ reviews: [], differences, intended: 0, remarks: [], since: null });
  const asked = await reviewedRows({ workbench, comparison, review: "new" });
  expect(asked).toMatchObject({ ok: false, problem: { code: "not-reviewed" } });
  expect(await rowIds(comparison, { review: "open" })).toHaveLength(differences);
});

test("after a review, what changed since is new, and what was there is the same", async () => {
  review({ workbench, comparison: first }, "as agreed");
  second = await compareWorking("f.delay > 25 || f.delay === 17");
  const state = unwrap(await reviewState({ workbench, comparison: second }));
  expect(state.since).toMatchObject({
    review: { note: "as agreed", comparison: first.id, by: workbench.person },
    comparison: { id: first.id },
    new: count((delay) => delay > 20 && delay <= 25),
    otherwise: 0,
    same: count((delay) => delay > 15 && delay <= 20 && delay !== 17),
    gone: count((delay) => delay === 17),
  });
  const found = await rowIds(second, { review: "new" });
  expect(found.every((id) => delayOf(id) > 20 && delayOf(id) <= 25)).toBe(true);
  const gone = await rowIds(second, { review: "gone" });
  expect(gone).toEqual(ids.filter((id) => delayOf(id) === 17));
  const itself = unwrap(await reviewState({ workbench, comparison: first }));
  expect(itself).toMatchObject({ since: null, reviews: [{ note: "as agreed" }] });
});

test("what is intended stays so as long as the difference is the same, whatever else changes", async () => {
  const comparison = second;
  const causes = unwrap(await compareCauses({ workbench, comparison }));
  const cause = causes.causes.find(({ text }) => text.includes("delay from"))?.name ?? "";
  const request = { workbench, comparison, text: "The new limit.", isIntended: true };
  const said = unwrap(await remark({ ...request, about: { cause } }));
  expect(said).toMatchObject({ scope: { comparison: comparison.id, cause: { name: cause } } });
  expect(said.differences).toBeGreaterThan(0);
  const [row] = unwrap(
    await compareRows({
      workbench,
      comparison,
      ...(await wholeOf(comparison)),
      offset: 0,
      limit: 1,
    }),
  ).rows;
  const one = { difference: row?.difference ?? "", kind: "changed" as const, key: row?.key ?? [] };
  unwrap(await remark({ workbench, comparison, text: "Why this?", isIntended: false, about: one }));

  const third = await compareWorking("f.delay > 25 || f.delay === 17 || f.delay === 22");
  const state = unwrap(await reviewState({ workbench, comparison: third }));
  const still = (delay: number) => delay > 15 && delay <= 25 && delay !== 17 && delay !== 22;
  expect(state.differences).toBe(count(still));
  expect(state.intended).toBe(state.remarks[1]?.same);
  expect(state.remarks.map(({ text }) => text)).toEqual(["Why this?", "The new limit."]);
  expect(state.remarks[1]?.same).toBe(said.differences - count((delay) => delay === 22));
  expect(await rowIds(third, { review: "intended" })).toHaveLength(state.intended);
  expect(await rowIds(third, { review: "open" })).toHaveLength(state.differences - state.intended);
  expect(await rowIds(third, { remark: said.id })).toHaveLength(state.intended);
});

test("a column more leaves the differences of the others what they were", async () => {
  const wider = await compareWorking("f.delay > 25 || f.delay === 17", ", early: f.delay < 5");
  const state = unwrap(await reviewState({ workbench, comparison: wider, since: second.id }));
  expect(state.since).toMatchObject({ new: 0, otherwise: 0, gone: 0, same: state.differences });
});

test("what is new since a review can be said to be intended", async () => {
  const comparison = second;
  const found = unwrap(await reviewState({ workbench, comparison }));
  const about = { review: "new" as const };
  const said = unwrap(await remark({ workbench, comparison, text: "", isIntended: true, about }));
  expect(said).toMatchObject({ differences: found.since?.new, scope: { review: "new" } });
  expect(await rowIds(comparison, { remark: said.id })).toEqual(
    await rowIds(comparison, { review: "new" }),
  );
  unwrap(removeRemark({ workbench, comparison }, said.id));
});

test("an older comparison is not held against a later review, nor one of another key against any", async () => {
  review({ workbench, comparison: second }, "later");
  expect(unwrap(await reviewState({ workbench, comparison: first })).since).toBeNull();
  const keyed = unwrap(
    await compare({
      workbench,
      ...name,
      before: { kind: "git", revision: "HEAD" },
      after: { kind: "working" },
      key: ["id"],
    }),
  );
  const state = unwrap(await reviewState({ workbench, comparison: keyed }));
  expect(state.since).toBeNull();
  expect(state.remarks.every(({ same }) => same === 0)).toBe(true);
  const named = await reviewState({ workbench, comparison: keyed, since: second.id });
  expect(named).toMatchObject({ ok: false, problem: { code: "rows-unknown" } });
});

test("on another snapshot a row is known by its identity", async () => {
  write(
    "data/flights.csv",
    `id,delay\n${ids
      .slice(50)
      .map((id) => `${id},${delayOf(id)}`)
      .join("\n")}\n`,
  );
  const { workspace, store, queries, now } = workbench;
  unwrap(await freeze({ workspace, store, queries, source: "flights", label: "u", now }));
  write("notebooks/delays.ts", notebook("f.delay > 25 || f.delay === 17"));
  const other = unwrap(
    await compare({
      workbench,
      ...name,
      before: { kind: "git", revision: "HEAD" },
      after: { kind: "working" },
      snapshot: "flights@u",
    }),
  );
  const state = unwrap(await reviewState({ workbench, comparison: other, since: second.id }));
  const there = other.summary.rows.changed;
  expect(state.since).toMatchObject({
    new: 0,
    otherwise: 0,
    same: there,
    gone: second.summary.rows.changed - there,
  });
  expect(there).toBeGreaterThan(0);
});

test("a difference that is not there cannot be spoken of", async () => {
  const about = { difference: "0".repeat(64), kind: "changed" as const, key: [1] };
  const said = await remark({ workbench, comparison: second, text: "x", isIntended: true, about });
  expect(said).toMatchObject({ ok: false, problem: { code: "no-differences" } });
});

test("a remark that is taken back is shown no more, and one about nothing is refused", async () => {
  const comparison = second;
  const before = unwrap(await reviewState({ workbench, comparison })).remarks;
  const gone = before[0]?.id ?? 0;
  unwrap(removeRemark({ workbench, comparison }, gone));
  const after = unwrap(await reviewState({ workbench, comparison })).remarks;
  expect(after.map((each) => each.id)).toEqual(before.slice(1).map((each) => each.id));
  expect(removeRemark({ workbench, comparison }, gone)).toMatchObject({
    problem: { code: "remark-not-found" },
  });
  const about = { kind: "added" as const };
  const nothing = await remark({ workbench, comparison, text: "x", isIntended: false, about });
  expect(nothing).toMatchObject({ problem: { code: "no-differences" } });
});

test("the history lists each comparison once, newest first, with what was said of it", async () => {
  await compareWorking("f.delay > 20");
  const history = comparisonHistory(workbench, name, 10);
  expect(history.at(-1)).toMatchObject({
    id: first.id,
    reviews: [{ note: "as agreed" }],
    remarks: 0,
  });
  expect(history.find(({ id }) => id === second.id)).toMatchObject({
    reviews: [{ note: "later" }],
    remarks: 1,
  });
  expect(new Set(history.map(({ id }) => id)).size).toBe(history.length);
  expect(comparisonHistory(workbench, { notebook: "delays", transform: "x" }, 10)).toEqual([]);
});

async function wholeOf(comparison: Comparison) {
  const { identity, sets } = unwrap(await reviewedRows({ workbench, comparison }));
  return { identity, sets };
}
