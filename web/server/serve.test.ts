import { statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { CellState, NotebookDocument } from "#kernel/document.ts";
import { unwrap } from "#snapshots/problem.ts";
import { tinyWorkspace } from "../api/tiny-workspace.ts";
import { apiPages } from "./api-pages.ts";
import { serve, type Served } from "./serve.ts";
import { readServerFile } from "./server-file.ts";

let tiny: Awaited<ReturnType<typeof tinyWorkspace>>;
let served: Served;
let token: string;
const said: string[] = [];

beforeAll(async () => {
  tiny = await tinyWorkspace();
  served = unwrap(
    await serve({
      workspace: tiny.dir,
      port: 0,
      isPortExplicit: true,
      openBrowser: false,
      pages: apiPages,
      say: (line) => said.push(line),
    }),
  );
  token = new URL(served.url).searchParams.get("token") ?? "";
  // It answers at once and says in its last line that it is done.
  const frozen = await (await api("POST", "/snapshots", { source: "trips", label: "one" })).text();
  if (!frozen.trimEnd().split("\n").at(-1)?.includes('"type":"done"')) throw new Error(frozen);
});

afterAll(async () => {
  await served.close();
  tiny.remove();
});

async function api(method: string, path: string, json?: unknown): Promise<Response> {
  return fetch(`http://127.0.0.1:${served.port}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
}

type Message = {
  type?: string;
  reply?: number;
  document?: NotebookDocument;
  cell?: CellState;
  problem?: { code: string };
  completions?: { label: string }[];
  pipelines?: unknown[];
};

/** A socket that keeps what it was told and can be asked to wait for something. */
class Page {
  readonly told: Message[] = [];
  readonly socket: WebSocket;
  closed: Promise<number>;
  #wake = () => {};

  constructor(path: string) {
    this.socket = new WebSocket(`ws://127.0.0.1:${served.port}/api${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    this.socket.on("message", (data) => {
      this.told.push(JSON.parse((data as Buffer).toString()) as Message);
      this.#wake();
    });
    this.closed = new Promise((resolve) => this.socket.on("close", resolve));
  }

  async until(fits: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.told.find(fits);
      if (found) return found;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async send(message: unknown): Promise<void> {
    if (this.socket.readyState === WebSocket.CONNECTING) {
      await new Promise((resolve) => this.socket.once("open", resolve));
    }
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }
}

test("it says where it is in one line, and keeps its key for its owner only", () => {
  expect(said).toEqual([`http://127.0.0.1:${served.port}/?token=${token}`]);
  const file = join(tiny.dir, ".penstock/server.json");
  expect(readServerFile(file)).toEqual({ pid: process.pid, port: served.port, token });
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("whoever is on this machine may ask whether it is well, and nothing else", async () => {
  const ask = (path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${served.port}${path}`, { headers: { accept: "application/json" } });
  expect(await (await ask("/healthz")).text()).toBe("alive\n");
  expect(await (await ask("/readyz")).json()).toEqual({ status: "ready", pipelines: [] });
  expect(await (await ask("/metrics")).text()).toContain("process_start_time_seconds");
  expect((await ask("/api/status")).status).toBe(401);
});

test("a second server on the same workspace is refused and leaves the first one's file alone", async () => {
  const second = await serve({
    workspace: tiny.dir,
    port: 0,
    isPortExplicit: true,
    openBrowser: false,
    pages: apiPages,
    say: () => {},
  });
  expect(second).toMatchObject({ ok: false, problem: { code: "workspace-held" } });
  expect(readServerFile(join(tiny.dir, ".penstock/server.json"))?.port).toBe(served.port);
});

test("a named port that is taken is a problem before anything is opened", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const refused = await serve({
    workspace: tiny.dir,
    port,
    isPortExplicit: true,
    openBrowser: false,
    pages: apiPages,
    say: () => {},
  });
  expect(refused).toMatchObject({ ok: false, problem: { code: "port-taken" } });
  other.close();
});

describe("a notebook's session", () => {
  test("two pages see one session: what one runs, the other sees", async () => {
    const [one, two] = [new Page("/notebooks/slow/session"), new Page("/notebooks/slow/session")];
    const { document } = await one.until(({ type }) => type === "document");
    await two.until(({ type }) => type === "document");
    const cell = document?.cells.find(({ defines }) => defines.includes("slow"));
    await one.send({ id: 1, op: { type: "run", cells: [cell?.id] } });
    expect(await one.until(({ reply }) => reply === 1)).toEqual({ reply: 1 });
    const isDone = ({ cell: told }: Message) =>
      told?.id === cell?.id && (told?.status === "ok" || told?.status === "error");
    const seen = await two.until(isDone);
    expect(seen.cell?.status).toBe("ok");
    expect(seen.cell?.outputs).toContainEqual(
      expect.objectContaining({ kind: "table", rows: 134 }),
    );
    expect((await (await api("GET", "/notebooks")).json()) as unknown).toMatchObject({
      notebooks: [{ name: "slow", isOpen: true }],
    });
    one.socket.close();
    two.socket.close();
    // A reload: the session is still there, with its results.
    const again = new Page("/notebooks/slow/session");
    const after = await again.until(({ type }) => type === "document");
    expect(after.document?.cells.find(({ id }) => id === cell?.id)?.status).toBe("ok");
    again.socket.close();
  });

  test("what it does not understand is a problem, and the session goes on", async () => {
    const page = new Page("/notebooks/slow/session");
    await page.send("{");
    await page.until(({ problem }) => problem?.code === "bad-json");
    await page.send({ op: { type: "format disk" } });
    await page.until(({ problem }) => problem?.code === "bad-request");
    await page.send({ id: 7, complete: { cell: "none", line: 1, column: 1 } });
    expect(await page.until(({ reply }) => reply === 7)).toBeDefined();
    page.socket.close();
  });

  test("a message beyond the limit closes the socket", async () => {
    const page = new Page("/notebooks/slow/session");
    await page.send({ op: { type: "edit", cell: "x", source: "x".repeat(5_000_000) } });
    expect(await page.closed).toBe(1009);
  });

  test("a notebook that is not there is said, then the socket closes", async () => {
    const page = new Page("/notebooks/nope/session");
    await page.until(({ problem }) => problem?.code === "no-notebook");
    expect(await page.closed).toBe(4404);
  });

  test("an address that is no socket is refused", async () => {
    const socket = new Page("/nothing").socket;
    const error = await new Promise<Error>((resolve) => socket.on("error", resolve));
    expect(error.message).toContain("404");
  });
});

test("the pipelines' page is told all statuses on connect", async () => {
  const page = new Page("/pipelines/live");
  expect(await page.until(({ type }) => type === "pipelines")).toEqual({
    type: "pipelines",
    pipelines: [],
  });
  page.socket.close();
});
