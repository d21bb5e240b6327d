import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freeze } from "#snapshots/freeze.ts";
import { unwrap } from "#snapshots/problem.ts";
import { openQueries, type Queries } from "#snapshots/queries.ts";
import { openContentStore, type ContentStore } from "#snapshots/store.ts";
import { openWorkspace, type Workspace } from "#snapshots/workspace.ts";
import { bundleTransform } from "./bundle-transform.ts";
import type { CellState, NotebookDocument, Output, SessionEvent } from "./document.ts";
import { runNotebook } from "./headless.ts";
import { openSession, type NotebookSession } from "./session-host.ts";

const rows = 3000;
const notebook = `// %% [markdown]
// # Delays

// %%
import { chart, metric, snapshot, sql, transform } from "penstock";
import { limit } from "./lib/limit.ts";

// %%
const flights = snapshot("flights@t");

// %%
const typical = sql\`select origin, median(delay) as typical from \${flights} group by origin order by origin\`;

// %%
export const delays = transform(flights, { lookup: { typical: typical.by("origin") } }, (f, { typical }) =>
  f.id % 10 === 0 ? null : { ...f, late: f.delay > limit, excess: f.delay - (typical(f.origin)?.typical ?? 0) },
);

// %%
metric.mean("late share", delays, (row) => (row.late ? 1 : 0), { better: "lower" });

// %%
const byOrigin = sql\`select origin, count(*) as n from \${delays} group by origin order by origin\`;

// %%
const list = await byOrigin.rows();
console.log("rows", list.length);
const total = list.reduce((sum, row) => sum + row.n, 0);

// %%
chart({ mark: "bar" }, byOrigin);

// %%
const half = (n: number) => n / 2;

// %%
half(total)
`;

let root: string;
let workspace: Workspace;
let store: ContentStore;
let queries: Queries;
let session: NotebookSession;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "penstock-session-"));
  for (const folder of ["sources", "notebooks/lib", "data"])
    mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, "penstock.yaml"), "name: test\n");
  writeFileSync(
    join(root, "sources/flights.yaml"),
    "format: csv\npath: data/flights.csv\nrowNumber: id\nidentity: [id]\n",
  );
  const lines = Array.from(
    { length: rows },
    (_, i) => `${(i * 7) % 60},${["ABQ", "DEN", "SFO"][i % 3]}`,
  );
  writeFileSync(join(root, "data/flights.csv"), `delay,origin\n${lines.join("\n")}\n`);
  writeFileSync(join(root, "notebooks/lib/limit.ts"), "export const limit: number = 15;\n");
  writeFileSync(join(root, "notebooks/delays.ts"), notebook);
  workspace = unwrap(openWorkspace(root));
  store = openContentStore(workspace.paths.store);
  queries = openQueries({ store, workspaceRoot: root });
  unwrap(
    await freeze({
      workspace,
      store,
      queries,
      source: "flights",
      label: "t",
      now: () => new Date(0),
    }),
  );
  session = await open("delays");
});

afterAll(async () => {
  await session?.close();
  await queries?.close();
  rmSync(root, { recursive: true, force: true });
});

async function open(name: string, by = queries): Promise<NotebookSession> {
  return unwrap(await openSession({ workspace, store, queries: by, name }));
}

async function settle(
  operation: Parameters<NotebookSession["apply"]>[0],
  on: NotebookSession = session,
): Promise<NotebookDocument> {
  const problem = await on.apply(operation);
  if (problem) throw new Error(problem.message);
  await on.whenIdle();
  return on.document();
}

function cell(document: NotebookDocument, text: string): CellState {
  const found = document.cells.find((one) => one.source.includes(text));
  if (!found) throw new Error(`no cell with ${text}`);
  return found;
}

function table(state: CellState): Extract<Output, { kind: "table" }> {
  const found = state.outputs.find((output) => output.kind === "table");
  if (!found) throw new Error(`no table: ${JSON.stringify(state.outputs)}`);
  return found;
}

const statuses = (document: NotebookDocument) => document.cells.map((one) => one.status);

describe("a notebook over real data", () => {
  test("runs from top to bottom: tables, counts, metrics, charts, text", async () => {
    const document = await settle({ type: "runAll" });
    const problems = document.cells.flatMap((one) =>
      one.outputs.filter((output) => output.kind === "problem"),
    );
    expect(problems).toEqual([]);
    expect(new Set(statuses(document))).toEqual(new Set(["ok"]));
    expect(table(cell(document, "const flights"))).toMatchObject({ name: "flights", rows });
    expect(table(cell(document, "const typical")).rows).toBe(3);
    const delays = table(cell(document, "export const delays"));
    expect(delays).toMatchObject({
      name: "delays",
      rows: rows * 0.9,
      read: rows,
      filtered: rows * 0.1,
    });
    expect(delays.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      "id BIGINT",
      "delay BIGINT",
      "origin VARCHAR",
      "late BOOLEAN",
      "excess DOUBLE",
    ]);
    expect(cell(document, "metric.mean").outputs).toMatchObject([
      { kind: "metric", name: "late share", rows: rows * 0.9, better: "lower" },
    ]);
    expect(cell(document, "console.log").outputs[0]).toMatchObject({
      kind: "text",
      stream: "stdout",
      text: "rows 3\n",
    });
    expect(cell(document, "chart(").outputs[0]).toMatchObject({
      kind: "chart",
      rows: [{ origin: "ABQ" }, { origin: "DEN" }, { origin: "SFO" }],
    });
    expect(cell(document, "half(total)").outputs).toMatchObject([
      { kind: "text", stream: "value", text: String((rows * 0.9) / 2) },
    ]);
    expect(document.cells[0]?.outputs).toEqual([{ kind: "markdown", text: "# Delays" }]);
  });

  test("an edit makes only its dependents stale, and only they run again", async () => {
    const delays = cell(session.document(), "export const delays");
    const edited = await settle({
      type: "edit",
      cell: delays.id,
      source: delays.source.replace("% 10", "% 5"),
    });
    const stale = edited.cells
      .filter((one) => one.status === "stale")
      .map((one) => one.source.slice(0, 14));
    expect(stale).toEqual([
      "export const d",
      'metric.mean("l',
      "const byOrigin",
      "const list = a",
      "chart({ mark: ",
      "half(total)",
    ]);
    const seen: string[] = [];
    const stop = session.subscribe((event) => {
      if (event.type === "cell" && event.cell.status === "running" && seen.at(-1) !== event.cell.id)
        seen.push(event.cell.id);
    });
    const document = await settle({ type: "runStale" });
    stop();
    expect(seen).toEqual(edited.cells.filter((one) => one.status === "stale").map((one) => one.id));
    expect(table(cell(document, "export const delays"))).toMatchObject({
      rows: rows * 0.8,
      filtered: rows * 0.2,
    });
    expect(cell(document, "half(total)").outputs[0]).toMatchObject({
      text: String((rows * 0.8) / 2),
    });
  });

  test("the edit undone is found in the cache: nothing is executed for its tables", async () => {
    const delays = cell(session.document(), "export const delays");
    await settle({ type: "edit", cell: delays.id, source: delays.source.replace("% 5", "% 10") });
    const document = await settle({ type: "runStale" });
    expect(cell(document, "export const delays")).toMatchObject({ status: "ok", fromCache: true });
  });
});

describe("errors are at their cell, line and column", () => {
  const cases: [string, string, object][] = [
    ["syntax", "const a =\n  ;", { line: 2, column: 3 }],
    ["thrown", "const a = 1;\n  null.x", { line: 2 }],
    ["thrown in the last expression", "\n[1].map((x) => x.y.z)", { line: 2, column: 20 }],
    [
      "a record's",
      "const bad = transform(flights, (f) => {\n  if (f.id === 7) throw new Error('seven');\n  return f;\n});",
      { line: 2, column: 25 },
    ],
    ["a query's", "const q = sql`select nothing from ${flights}`;", { line: 1, column: 22 }],
    [
      "a query's, lines below",
      "const q = sql`\n  select id\n  from ${flights}\n  where nope > 1\n`;",
      { line: 4, column: 9 },
    ],
    [
      "a query's, after values and escapes",
      "const q = sql`select '\\u{1F600}' as a, ${'x'.repeat(50)} as b, nope from ${flights}`;",
      { line: 1, column: 64 },
    ],
    [
      "a contract's",
      "const t = transform(flights, (f) => ({\n  a: JSON.parse('1'),\n}));",
      { line: 2, column: 3 },
    ],
    [
      "an impure transform's",
      "const t = transform(flights, (f) => ({\n  a: Date.now(),\n}));",
      { line: 2, column: 6 },
    ],
  ];
  test.each(cases)("%s", async (_, source, at) => {
    await session.apply({
      type: "insert",
      after: session.document().cells.at(-1)?.id ?? null,
      kind: "code",
      source,
    });
    const id = session.document().cells.at(-1)?.id ?? "";
    const document = await settle({ type: "run", cells: [id] });
    const state = document.cells.at(-1);
    const problem = state?.outputs.find((output) => output.kind === "problem");
    await session.apply({ type: "remove", cell: id });
    expect(problem).toMatchObject({ problem: { at: { cell: id, ...at } } });
    expect(
      state?.status === "error" || state?.outputs.some((output) => output.kind === "table"),
    ).toBe(true);
  });
});

describe("an interrupt", () => {
  test("ends a busy loop and keeps every other result; recipes come back when needed", async () => {
    const last = session.document().cells.at(-1)?.id ?? null;
    await session.apply({ type: "insert", after: last, kind: "code", source: "while (true) {}" });
    const id = session.document().cells.at(-1)?.id ?? "";
    await session.apply({ type: "run", cells: [id] });
    await until((document) => document.running?.cell === id && document.running.startedAt > 0);
    await session.apply({ type: "interrupt" });
    await session.whenIdle();
    const document = session.document();
    expect(document.cells.at(-1)).toMatchObject({
      status: "error",
      outputs: [{ kind: "problem", problem: { code: "interrupted" } }],
    });
    expect(new Set(statuses(document).slice(0, -1))).toEqual(new Set(["ok"]));
    await session.apply({ type: "remove", cell: id });
    const half = cell(session.document(), "half(total)");
    const after = await settle({ type: "run", cells: [half.id] });
    expect(cell(after, "half(total)").outputs[0]).toMatchObject({ text: String((rows * 0.9) / 2) });
  });
});

describe("the file", () => {
  test("save writes nothing but the change", async () => {
    const half = cell(session.document(), "const half");
    await session.apply({
      type: "edit",
      cell: half.id,
      source: "const half = (n: number) => n / 4;",
    });
    expect(await session.apply({ type: "save" })).toBeUndefined();
    expect(readFileSync(join(root, "notebooks/delays.ts"), "utf8")).toBe(
      notebook.replace("n / 2", "n / 4"),
    );
    expect(session.document().isDirty).toBe(false);
  });

  test("a change on disk is taken over cell by cell; under edits it is a conflict", async () => {
    writeFileSync(join(root, "notebooks/delays.ts"), notebook);
    await until((document) => cell(document, "const half").source.includes("n / 2"));
    expect(cell(session.document(), "export const delays").status).toBe("ok");
    const half = cell(session.document(), "const half");
    await session.apply({
      type: "edit",
      cell: half.id,
      source: "const half = (n: number) => n / 8;",
    });
    writeFileSync(join(root, "notebooks/delays.ts"), `${notebook}\n// %%\n1\n`);
    await until((document) => document.conflict !== undefined);
    await session.apply({ type: "reload" });
    expect(session.document()).toMatchObject({
      isDirty: false,
      cells: expect.arrayContaining([expect.objectContaining({ source: "1" })]),
    });
    expect(session.document().conflict).toBeUndefined();
  });

  test("opened again, everything is still there, and runs on", async () => {
    await settle({ type: "runStale" });
    const before = session.document();
    await session.close();
    session = await open("delays");
    expect(session.document().cells).toEqual(before.cells);
    const half = cell(session.document(), "half(total)");
    const after = await settle({ type: "run", cells: [half.id] });
    expect(cell(after, "half(total)").status).toBe("ok");
  });
});

test("the language service knows the notebook: diagnostics come on their own, completions and hover on demand", async () => {
  const events: SessionEvent[] = [];
  const stop = session.subscribe((event) => events.push(event));
  const half = cell(session.document(), "const half");
  await session.apply({
    type: "edit",
    cell: half.id,
    source: "const half = (n: number) => n.nowhere;\nconst late: string = 1;",
  });
  await expect
    .poll(() => events.findLast(({ type }) => type === "diagnostics"))
    .toMatchObject({
      diagnostics: [
        { cell: half.id, line: 1, column: 31 },
        { cell: half.id, line: 2, column: 7 },
      ],
    });
  stop();
  const delays = cell(session.document(), "export const delays");
  const line = delays.source.split("\n")[1] ?? "";
  const labels = await session.completions(delays.id, 2, line.indexOf("f.delay") + 3);
  expect(labels.map((one) => one.label)).toContain("origin");
  expect(await session.hover(delays.id, 2, line.indexOf("f.delay") + 4)).toContain("BIGINT");
  await session.apply({ type: "reload" });
});

test("headless: the whole notebook once, and a bundle of the same bytes as the preview's", async () => {
  const events: string[] = [];
  const done = unwrap(
    await runNotebook({
      workspace,
      store,
      queries,
      path: "notebooks/delays.ts",
      onEvent: (event) => events.push(event.type),
    }),
  );
  expect(done.cells.every((one) => one.status === "ok")).toBe(true);
  expect(events).toContain("cell");
  const fileName = join(root, "notebooks/delays.ts");
  const bundle = unwrap(
    await bundleTransform(
      { workspace, store, queries },
      {
        notebookText: readFileSync(fileName, "utf8"),
        fileName,
        transform: "delays",
        withMetrics: true,
      },
    ),
  );
  expect(table(cell(done, "export const delays")).hashOfBundle).toBe(bundle.sha256);
  expect(bundle).toMatchObject({
    key: ["id"],
    maxParts: 1,
    input: { kind: "snapshot", name: "flights@t" },
    lookups: { typical: { by: ["origin"] } },
  });
  expect(bundle.metricsBundle?.metrics).toMatchObject([{ name: "late share", kind: "mean" }]);
  expect(bundle.code).not.toContain("console");
});

describe("transforms in company", () => {
  const head = `// %%
import { snapshot, transform } from "penstock";
// %%
const flights = snapshot("flights@t");
`;
  async function notebookOf(name: string, body: string, by = queries): Promise<NotebookSession> {
    writeFileSync(join(root, `notebooks/${name}.ts`), head + body);
    return open(name, by);
  }

  test("one reads another's output, typed and cached by content", async () => {
    const chain = await notebookOf(
      "chain",
      "// %%\ntype Minutes = number;\n// %%\nconst limit: Minutes = 30;\nlimit\n// %%\nconst late = transform(flights, (f) => (f.delay > 30 ? f : null));\n// %%\nexport const later = transform(late, (f) => ({ id: f.id, by: f.delay - 30 }));\n",
    );
    const document = await settle({ type: "runAll" }, chain);
    const { id } = cell(document, "const late");
    const after = await settle({ type: "run", cells: [id, cell(document, "later").id] }, chain);
    await chain.close();
    expect(new Set(statuses(after))).toEqual(new Set(["ok"]));
    expect(cell(after, "const late").fromCache).toBe(true);
    const late = table(cell(after, "const late"));
    expect(table(cell(after, "export const later"))).toMatchObject({
      rows: late.rows,
      read: late.rows,
      filtered: 0,
      columns: [
        { name: "id", type: "BIGINT" },
        { name: "by", type: "DOUBLE" },
      ],
    });
  });

  test("a value that was waited for is captured, and a bundle built anew captures the same", async () => {
    const body =
      "// %%\nconst seen = await flights.rows({ limit: 10 });\nconst most = Math.max(...seen.map((row) => row.delay));\n// %%\nconst limits = await Promise.resolve({ most });\n// %%\nexport const over = transform(flights, (f) => ({ id: f.id, over: f.delay > limits.most }));\n";
    const captured = await notebookOf("captured", body);
    const document = await settle({ type: "runAll" }, captured);
    await captured.close();
    const shown = table(cell(document, "export const over"));
    expect(shown.rows).toBe(rows);
    const fileName = join(root, "notebooks/captured.ts");
    const bundle = unwrap(
      await bundleTransform(
        { workspace, store, queries },
        { notebookText: head + body, fileName, transform: "over" },
      ),
    );
    expect(bundle.captured).toEqual(["limits"]);
    expect(bundle.sha256).toBe(shown.hashOfBundle);
  });

  test("several records from one, and an interrupt in the middle of a transform", async () => {
    let isSent = false;
    const watched: typeof queries = {
      ...queries,
      async *read(request) {
        yield* queries.read(request);
        // Whoever asks for more has handed the last batch on.
        isSent = true;
      },
    };
    const parts = await notebookOf(
      "parts",
      "// %%\nconst parts = transform(flights, { maxParts: 2 }, (f) => [{ id: f.id, n: 1 }, { id: f.id, n: 2 }]);\n// %%\nconst stuck = transform(flights, (f) => { while (f.id > 2000) {} return f; });\n",
      watched,
    );
    const document = await settle(
      { type: "run", cells: [cell(parts.document(), "const parts").id] },
      parts,
    );
    expect(table(cell(document, "const parts"))).toMatchObject({
      rows: rows * 2,
      read: rows,
      filtered: 0,
    });
    isSent = false;
    await parts.apply({ type: "run", cells: [cell(document, "const stuck").id] });
    await expect.poll(() => isSent).toBe(true);
    await parts.apply({ type: "interrupt" });
    await parts.whenIdle();
    expect(cell(parts.document(), "const stuck")).toMatchObject({
      status: "error",
      outputs: [{ kind: "problem", problem: { code: "interrupted" } }],
    });
    expect(cell(parts.document(), "const parts").status).toBe("ok");
    await parts.close();
  });
});

test("the parts of a split are tables: of queries, transforms and metrics, in the notebook and in a bundle", async () => {
  const text = `// %%
import { metric, snapshot, split, sql, transform } from "penstock";
const flights = snapshot("flights@t");
// %%
const { train, test } = split(flights).random(0.2, { seed: 1 });
// %%
const typical = sql\`select origin, median(delay) as typical from \${train} group by origin\`;
// %%
export const judged = transform(test, { lookup: { typical: typical.by("origin") } }, (f, { typical }) => ({
  id: f.id, isLate: f.delay > (typical(f.origin)?.typical ?? 0),
}));
// %%
metric.mean("late share", judged, (row) => row.isLate);
// %%
const all = sql\`select origin, median(delay) as typical from \${flights} group by origin\`;
// %%
export const leaky = transform(test, { lookup: { all: all.by("origin") } }, (f, { all }) => ({
  isLate: f.delay > (all(f.origin)?.typical ?? 0),
}));
// %%
metric.mean("leaky share", leaky, (row) => row.isLate);
`;
  const split = unwrap(await openSession({ workspace, store, queries, name: "split", text }));
  const document = await settle({ type: "runAll" }, split);
  await split.close();
  expect(statuses(document)).toEqual(document.cells.map(() => "ok"));
  const [train, test] = cell(document, "split(").outputs;
  const sizes = [train, test].map((output) => (output?.kind === "table" ? output.rows : 0));
  expect(sizes[0] ?? 0).toBeGreaterThan(sizes[1] ?? 0);
  expect((sizes[0] ?? 0) + (sizes[1] ?? 0)).toBe(rows);
  expect(document.variables).toMatchObject(
    expect.arrayContaining([expect.objectContaining({ name: "test", kind: "split" })]),
  );
  expect(table(cell(document, "export const judged")).rows).toBe(sizes[1]);
  const [honest] = cell(document, '"late share"').outputs;
  expect(honest).toMatchObject({ kind: "metric", rows: sizes[1] });
  expect(honest).not.toHaveProperty("warnings");
  expect(cell(document, '"leaky share"').outputs).toMatchObject([
    { kind: "metric", warnings: [expect.stringMatching(/`all`, which `leaky` uses/)] },
  ]);
});

async function until(isSo: (document: NotebookDocument) => boolean): Promise<void> {
  await expect.poll(() => isSo(session.document())).toBe(true);
}
