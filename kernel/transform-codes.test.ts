import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { arrowToRows } from "#snapshots/arrow.ts";
import { freeze, removeSnapshot } from "#snapshots/freeze.ts";
import { unwrap } from "#snapshots/problem.ts";
import { openQueries, type Queries } from "#snapshots/queries.ts";
import { openContentStore } from "#snapshots/store.ts";
import { openWorkspace } from "#snapshots/workspace.ts";
import type { Operation } from "./document.ts";
import type { Evaluation } from "./evaluate.ts";
import { openSession, type NotebookSession } from "./session-host.ts";

const notebook = `// %%
import { snapshot, transform } from "penstock";
// %%
import { limit, twice } from "./lib/limit.ts";
// %%
const flights = snapshot("flights@t");
// %%
const first = (await flights.rows({ limit: 1 }))[0].delay;
// %%
export const late = transform(flights, (f) => ({ id: f.id, limit, twice: twice(1) }));
// %%
export const held = transform(flights, (f) => ({ id: f.id, delay: f.delay, first }));
`;

let root: string;
let queries: Queries;
let session: NotebookSession;
let context: Evaluation;
let freezeFlights: (lines: string) => Promise<void>;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "penstock-codes-"));
  for (const folder of ["sources", "notebooks/lib", "data"])
    mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, "penstock.yaml"), "name: test\n");
  writeFileSync(
    join(root, "sources/flights.yaml"),
    "format: csv\npath: data/flights.csv\nrowNumber: id\nidentity: [id]\n",
  );
  writeModule(15, 2);
  writeFileSync(join(root, "notebooks/delays.ts"), notebook);
  const workspace = unwrap(openWorkspace(root));
  const store = openContentStore(workspace.paths.store);
  queries = openQueries({ store, workspaceRoot: root });
  freezeFlights = async (lines) => {
    writeFileSync(join(root, "data/flights.csv"), lines);
    const request = { workspace, store, queries, source: "flights", label: "t" };
    unwrap(await freeze({ ...request, now: () => new Date(0) }));
  };
  await freezeFlights("delay\n1\n2\n");
  context = { workspace, store, queries };
  session = unwrap(await openSession({ ...context, name: "delays" }));
  await settle({ type: "runAll" });
});

afterAll(async () => {
  await session?.close();
  await queries?.close();
  rmSync(root, { recursive: true, force: true });
});

test("an imported module that changed is in the transform's next result", async () => {
  expect(await firstRow("late")).toEqual({ id: 0, limit: 15, twice: 2 });
  writeModule(99, 3);
  await run("./lib/limit.ts");
  expect(await firstRow("late")).toEqual({ id: 0, limit: 99, twice: 3 });
});

test("a function of a module that changed makes what uses it stale", async () => {
  writeModule(99, 4);
  await run("./lib/limit.ts");
  expect(await firstRow("late")).toEqual({ id: 0, limit: 99, twice: 4 });
});

test("a captured value and a contract follow the snapshot frozen anew under the same name", async () => {
  expect(await firstRow("held")).toEqual({ id: 0, delay: 1, first: 1 });
  removeSnapshot(unwrap(openWorkspace(root)), "flights@t");
  await freezeFlights("delay\n7.5\n8\n");
  await run('snapshot("flights@t")');
  expect(await firstRow("held")).toEqual({ id: 0, delay: 7.5, first: 7.5 });
});

test("what all records share is frozen: a record cannot leave something for the next", async () => {
  const text = `import { snapshot, transform } from "penstock";
const flights = snapshot("flights@t");
const held = { n: 0 };
export const t = transform(flights, (f) => { const same = held; same.n++; return { id: f.id, n: same.n }; });
`;
  const other = unwrap(await openSession({ ...context, name: "other", text }));
  await other.apply({ type: "runAll" });
  await other.whenIdle();
  const problems = other
    .document()
    .cells.flatMap(({ outputs }) =>
      outputs.flatMap((output) => (output.kind === "problem" ? output.problem.message : [])),
    );
  expect(problems).toEqual([expect.stringContaining("Cannot assign to read only property 'n'")]);
  await other.close();
});

function writeModule(limit: number, factor: number): void {
  const text = `export const limit: number = ${limit};\nexport const twice = (n: number): number => n * ${factor};\n`;
  writeFileSync(join(root, "notebooks/lib/limit.ts"), text);
}

async function settle(operation: Operation): Promise<void> {
  const problem = await session.apply(operation);
  if (problem) throw new Error(problem.message);
  await session.whenIdle();
}

async function run(text: string): Promise<void> {
  const cell = session.document().cells.find(({ source }) => source.includes(text));
  await settle({ type: "run", cells: [cell?.id ?? ""] });
  await settle({ type: "runStale" });
}

async function firstRow(transform: string): Promise<unknown> {
  const cell = session.document().cells.find(({ defines }) => defines.includes(transform));
  const shown = cell?.outputs.find((output) => output.kind === "table");
  if (!shown) throw new Error(JSON.stringify(cell?.outputs));
  const window = unwrap(await queries.window({ table: shown.table, offset: 0, limit: 1 }));
  return arrowToRows(window.ipc)[0];
}
