import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Output } from "#kernel/document.ts";
import { openSession } from "#kernel/session-host.ts";
import { freeze } from "#snapshots/freeze.ts";
import { unwrap } from "#snapshots/problem.ts";
import { diffChecker, unexpectedIn } from "./expect-diff.ts";
import { initWorkspace } from "./init.ts";
import { buildRelease } from "./release.ts";
import { openWorkbench, type Workbench } from "./workbench.ts";

const summary = {
  identical: false,
  rows: {
    left: 10,
    right: 9,
    equal: 5,
    changed: 3,
    added: 0,
    removed: 1,
    ambiguous: { keys: 1, left: 1, right: 1 },
  },
  columns: [
    column("late", "compared", 2),
    column("excess", "compared", 1),
    column("id", "key", 0),
    column("state", "added", 0),
  ],
};

function column(name: string, status: "compared" | "key" | "added", changed: number) {
  const types = { leftType: "BIGINT", rightType: "BIGINT", rule: null };
  return { name, status, changed, nullToValue: 0, valueToNull: 0, ...types };
}

const same = {
  identical: true,
  rows: { ...summary.rows, changed: 0, removed: 0, ambiguous: { keys: 0, left: 0, right: 0 } },
  columns: [],
};

const cases: [
  what: string,
  expected: Parameters<typeof unexpectedIn>[0],
  found: Parameters<typeof unexpectedIn>[1],
  unexpected: RegExp[],
][] = [
  ["no condition, no difference", { columns: null, limits: null }, same, []],
  [
    "no condition, a difference",
    { columns: null, limits: null },
    summary,
    [/3 changed, 1 removed, 2 ambiguous \(in late, excess\)/],
  ],
  [
    "all that changed is named",
    { columns: ["late", "excess", "state"], limits: null },
    summary,
    [],
  ],
  [
    "a column that is not",
    { columns: ["late", "state"], limits: null },
    summary,
    [/`excess` changed in 1 rows/],
  ],
  [
    "a column that came",
    { columns: ["late", "excess"], limits: null },
    summary,
    [/`state` was added/],
  ],
  [
    "as many as may be",
    { columns: null, limits: { changed: 3, removed: 1, ambiguous: 2, added: 0 } },
    summary,
    [],
  ],
  [
    "one more",
    { columns: null, limits: { changed: 2, removed: 0 } },
    summary,
    [/At most 2 rows may be changed; 3 are/, /At most 0 rows may be removed; 1 are/],
  ],
  [
    "cut short",
    { columns: null, limits: { removed: 5 } },
    { ...summary, complete: false, note: "after 10 s" },
    [/cut short.*after 10 s/],
  ],
];

test.each(cases)("%s", (_, expected, found, unexpected) => {
  expect(unexpectedIn(expected, found)).toEqual(
    unexpected.map((said) => expect.stringMatching(said)),
  );
});

describe("as a test cell", () => {
  const folder = mkdtempSync(join(tmpdir(), "penstock-expect-"));
  const root = join(folder, "workspace");
  let workbench: Workbench;
  const notebook = (threshold: number, expected: string) => `// %%
import { expectDiff, snapshot, transform } from "penstock";
const flights = snapshot("flights@t");
// %%
export const delays = transform(flights, (f) => ({ ...f, late: f.delay > ${threshold} }));
// %%
// What may change
${expected}
`;
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  beforeAll(async () => {
    unwrap(await initWorkspace({ dir: root, demo: false }));
    const rows = Array.from({ length: 100 }, (_, id) => `${id},${id}`);
    write("data/flights.csv", `id,delay\n${rows.join("\n")}\n`);
    write("sources/flights.yaml", "format: csv\npath: data/flights.csv\nidentity: [id]\n");
    write("notebooks/delays.ts", notebook(15, ""));
    workbench = unwrap(await openWorkbench(root, { withSync: false, holdLock: true }));
    const { workspace, store, queries, now } = workbench;
    unwrap(await freeze({ workspace, store, queries, source: "flights", label: "t", now }));
    const files = {
      "notebooks/delays.ts": notebook(15, ""),
      "sources/flights.yaml": "format: csv\npath: data/flights.csv\nidentity: [id]\n",
    };
    unwrap(await workbench.git.commitFiles({ files, message: "Begin" }));
  });
  afterAll(async () => {
    await workbench.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function outputsOf(text: string): Promise<Output[]> {
    const { workspace, store, queries } = workbench;
    const options = { workspace, store, queries, name: "delays", text };
    const session = unwrap(await openSession({ ...options, checkDiff: diffChecker(workbench) }));
    await session.apply({ type: "runAll" });
    await session.whenIdle();
    const { cells } = session.document();
    await session.close();
    return cells.at(-1)?.outputs ?? [];
  }

  test("what holds says what was found", async () => {
    const expected = `expectDiff(delays).against("HEAD").changesOnly(["late"]).atMost({ removed: 0, changed: 15 });`;
    expect(await outputsOf(notebook(30, expected))).toEqual([
      {
        kind: "text",
        stream: "value",
        text: '✓ expectDiff(delays).against("HEAD").changesOnly(["late"]).atMost({ changed: 15, removed: 0 }): 15 changed (in late), 85 equal.',
      },
    ]);
  });

  test("what does not hold names what was expected, what was found, and the line", async () => {
    const expected = `expectDiff(delays)\n  .against("HEAD")\n  .atMost({ changed: 14 });\nexpectDiff(delays).against("HEAD");`;
    const problem = (line: number, said: RegExp) => ({
      kind: "problem",
      problem: {
        code: "diff-not-expected",
        message: expect.stringMatching(said),
        at: { line },
      },
    });
    expect(await outputsOf(notebook(30, expected))).toMatchObject([
      problem(2, /At most 14 rows may be changed; 15 are\. Found: 15 changed/),
      problem(5, /No difference was expected/),
    ]);
  });

  test("rows are judged whatever the notebook's metrics do", async () => {
    const expected = `expectDiff(delays).against("HEAD").atMost({ changed: 15 });`;
    const broken = notebook(30, expected).replace(
      "// %%\n// What may change",
      '// %%\nmetric.mean("broken", delays, (row) => { throw new Error(`no ${row.id}`); });\n// %%\n// What may change',
    );
    const text = broken.replace("import { expectDiff,", "import { expectDiff, metric,");
    expect(await outputsOf(text)).toMatchObject([
      { kind: "text", text: expect.stringMatching(/15 changed \(in late\)/) },
    ]);
  });

  test("against an environment in which nothing runs there is nothing to judge; against nothing is an error", async () => {
    const expected = `expectDiff(delays).against("production");\nexpectDiff(delays).atMost({ removed: 0 });`;
    expect(await outputsOf(notebook(30, expected))).toMatchObject([
      { kind: "text", text: expect.stringMatching(/runs in production yet/) },
      { kind: "problem", problem: { code: "diff-against-nothing", at: { line: 3 } } },
    ]);
  });

  test("counts as evidence, and one that does not hold fails", async () => {
    const expected = `expectDiff(delays).against("HEAD~1").atMost({ changed: 15 });\nexpectDiff(delays).against("HEAD~1").changesOnly([]);`;
    write("notebooks/delays.ts", notebook(30, expected));
    const built = unwrap(
      await buildRelease({ workbench, notebook: "delays", transform: "delays", message: "Later" }),
    );
    const facts = built.evidence.facts.filter(({ id }) => id.startsWith("expect-diff"));
    expect(facts).toMatchObject([
      { id: "expect-diff-1", status: "pass" },
      {
        id: "expect-diff-2",
        status: "fail",
        summary: expect.stringMatching(/cell 3, line 3: .*`late` changed in 15 rows/),
      },
    ]);
    expect(built.manifest.bundle).not.toBe("");
  });
});
