import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Operation, SessionEvent } from "#kernel/document.ts";
import { openSession } from "#kernel/session-host.ts";
import { unwrap } from "#snapshots/problem.ts";
import { openQueries } from "#snapshots/queries.ts";
import { openContentStore } from "#snapshots/store.ts";
import { openWorkspace, type Workspace } from "#snapshots/workspace.ts";
import { git } from "#promote/git.ts";
import type { SessionMessage } from "#web/api/messages.ts";
import { median, type Benchmark } from "./bench.ts";
import { withServer } from "./server.ts";

const rounds = 300;
const warmUp = 50;
const noOp = 15;
/** marimo 0.23 takes 6.3 ms on such a machine. */
const barMs = 12;

/** A cell that does nothing, run again and again in the middle of a notebook of 30 cells. */
export const rows: Benchmark[] = [
  {
    name: "a no-op cell over the WebSocket of a server",
    run: () => withNotebook(overWebSocket),
  },
  { name: "a no-op cell through a session", run: () => withNotebook(throughSession) },
];

async function withNotebook<T>(measure: (workspace: Workspace) => Promise<T>): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  try {
    mkdirSync(join(root, "notebooks"));
    writeFileSync(join(root, "penstock.yaml"), "name: bench\n");
    const cells = Array.from(
      { length: 30 },
      (_, i) => `// %%\nconst value${i} = ${i === 0 ? 0 : `value${i - 1}`};\n`,
    );
    writeFileSync(join(root, "notebooks/noop.ts"), cells.join("\n"));
    return await measure(unwrap(openWorkspace(root)));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function throughSession(workspace: Workspace) {
  const store = openContentStore(workspace.paths.store);
  const queries = openQueries({ store, workspaceRoot: workspace.root, workers: 1 });
  const session = unwrap(await openSession({ workspace, store, queries, name: "noop" }));
  try {
    await session.apply({ type: "runAll" });
    await session.whenIdle();
    const cell = session.document().cells[noOp]?.id ?? "";
    session.subscribe(() => undefined);
    const value = await p50(async () => {
      await session.apply({ type: "run", cells: [cell] });
      await session.whenIdle();
    });
    return [{ label: "no-op cell through a session in process, p50", value, unit: "ms" }];
  } finally {
    await session.close();
    await queries.close();
  }
}

/** From the sending of "run" to the arrival of the cell's result, as a page sees it. */
async function overWebSocket(workspace: Workspace) {
  unwrap(await git(workspace.root).init());
  return withServer(workspace, async (server) => {
    const page = openPage(server);
    const cells = await page.cells;
    const cell = cells[noOp] ?? "";
    await page.run({ type: "runAll" }, cells.at(-1) ?? "");
    const value = await p50(() => page.run({ type: "run", cells: [cell] }, cell));
    page.close();
    const label = "no-op cell over a server's WebSocket, p50";
    return [{ label, value, unit: "ms", bar: { most: barMs } }];
  });
}

/** A page's end of the notebook's socket. `run` settles when the cell named has run and its result has arrived. */
function openPage({ port, token }: { port: number; token: string }) {
  // Node's own takes headers; the types describe a browser's.
  const options = { headers: { authorization: `Bearer ${token}` } } as unknown as string[];
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/notebooks/noop/session`, options);
  const document = Promise.withResolvers<string[]>();
  let waiting: { cell: string; isTaken: boolean; settle: PromiseWithResolvers<void> } | undefined;
  const end = (why: string): void => {
    document.reject(new Error(why));
    waiting?.settle.reject(new Error(why));
  };
  socket.addEventListener("close", () => end("The server closed the notebook's socket."));
  socket.addEventListener("error", () => end("The notebook's socket failed."));
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as SessionMessage;
    // From its reply on, a cell that is "ok" has run again.
    if ("reply" in message) {
      if ("problem" in message && message.problem) end(message.problem.message);
      if (waiting) waiting.isTaken = true;
      return;
    }
    if (message.type === "problem") end(message.problem.message);
    if (message.type === "document") document.resolve(message.document.cells.map(({ id }) => id));
    const cell = cellsOf(message).find(({ id }) => id === waiting?.cell);
    if (cell?.status === "error") end("The cell failed.");
    if (waiting?.isTaken && cell?.status === "ok") waiting.settle.resolve();
  });
  return {
    cells: document.promise,
    run(operation: Operation, cell: string): Promise<void> {
      const settle = Promise.withResolvers<void>();
      waiting = { cell, isTaken: false, settle };
      socket.send(JSON.stringify({ id: 1, op: operation }));
      return settle.promise;
    },
    close: () => socket.close(),
  };
}

/** A page that fell behind is sent the whole document in place of patches. */
function cellsOf(event: SessionEvent) {
  if (event.type === "document") return event.document.cells;
  return event.type === "cell" ? [event.cell] : [];
}

async function p50(run: () => Promise<void>): Promise<number> {
  const timings: number[] = [];
  for (let round = 0; round < rounds + warmUp; round++) {
    const started = performance.now();
    await run();
    if (round >= warmUp) timings.push(performance.now() - started);
  }
  return median(timings);
}
