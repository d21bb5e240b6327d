import { realpathSync } from "node:fs";
import { join } from "node:path";
import { hc, type ClientResponse } from "hono/client";
import { z } from "zod";
import { ProblemError, unwrap, type Problem } from "#snapshots/problem.ts";
import type { Watch } from "#promote/sync/metrics/watch.ts";
import type { Api } from "#web/api/app.ts";
import { readServerFile } from "#web/server/server-file.ts";

export type Client = ReturnType<typeof clientOf>;

/** Looks on while pipelines run in this process. */
export type Onlooker = Pick<Watch, "metrics" | "log" | "observe" | "refused" | "failed">;

export type Connection = {
  api: Client["api"];
  /** The server that holds the workspace; undefined when this process opened it itself. */
  server: { pid: number; url: string } | undefined;
  close(): Promise<void>;
};

/**
 * The workspace's API: the living server's, where one holds the workspace; else opened in this process.
 * `withSync`: in this process, run the pipelines too.
 */
export async function connect(
  workspace: string,
  options: { withSync: boolean; watch?: Onlooker } = { withSync: false },
): Promise<Connection> {
  const root = realpathSync(workspace);
  const server = await livingServer(root);
  if (server) {
    const headers = { authorization: `Bearer ${server.token}` };
    const { api } = clientOf(server.origin, { headers });
    return {
      api,
      server: { pid: server.pid, url: `${server.origin}/?token=${server.token}` },
      close: async () => {},
    };
  }
  return openHere(root, { ...options, holdLock: true });
}

/**
 * A worker: this process runs one environment's pipelines, beside the server and other workers. An embedded environment's files belong to one
 * process, so its worker has to hold the workspace.
 */
export async function connectWorker(
  workspace: string,
  environment: string,
  watch: Onlooker,
): Promise<Connection> {
  const root = realpathSync(workspace);
  const { git } = await import("#promote/git.ts");
  const { readEnvironment } = await import("#promote/environments.ts");
  const { kind } = unwrap(await readEnvironment(git(root), environment));
  const holdLock = kind === "embedded";
  return openHere(root, { withSync: true, holdLock, only: environment, watch });
}

async function openHere(
  root: string,
  options: { withSync: boolean; holdLock: boolean; only?: string; watch?: Onlooker },
): Promise<Connection> {
  // Only now: a call to a server should not wait for all this to load.
  const { openWorkbench } = await import("#promote/workbench.ts");
  const { createApi } = await import("#web/api/app.ts");
  const workbench = unwrap(await openWorkbench(root, options));
  options.watch?.metrics.watch(() => workbench.sync.reports());
  const app = createApi(workbench);
  const { api } = clientOf("http://localhost", {
    fetch: async (input: RequestInfo | URL, init?: RequestInit) =>
      app.fetch(new Request(input, init)),
  });
  return { api, server: undefined, close: () => workbench.close() };
}

/** Connects, does the work, and closes whatever was opened, also when the work fails. */
export async function withConnection<T>(
  workspace: string,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect(workspace);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** A good answer's JSON; a refusal is thrown as its problem. */
export async function read<R extends ClientResponse<unknown>>(
  request: Promise<R>,
): Promise<R extends ClientResponse<infer T> ? T : never> {
  const response = await accepted(request);
  return (await response.json()) as R extends ClientResponse<infer T> ? T : never;
}

/** The response itself, once it is a good one. */
export async function accepted<R extends Pick<Response, "ok" | "status" | "text">>(
  request: Promise<R>,
): Promise<R> {
  const response = await request;
  if (response.ok) return response;
  const text = await response.text();
  throw new ProblemError(
    refusalIn(text) ?? { code: `http-${response.status}`, message: text.slice(0, 500) },
  );
}

/** Asks before it trusts: the file may be left from a server that was killed, its port taken by another program. */
export async function livingServer(
  root: string,
): Promise<{ pid: number; origin: string; token: string } | undefined> {
  const file = readServerFile(join(root, ".penstock/server.json"));
  if (!file || !isAlive(file.pid)) return undefined;
  const origin = `http://127.0.0.1:${file.port}`;
  const { api } = clientOf(origin, { headers: { authorization: `Bearer ${file.token}` } });
  try {
    const response = await api.status.$get(undefined, {
      init: { signal: AbortSignal.timeout(3_000) },
    });
    if (!response.ok) return undefined;
    const status = await response.json();
    return status.pid === file.pid && status.workspace === root ? { ...file, origin } : undefined;
  } catch {
    return undefined;
  }
}

function clientOf(origin: string, options: Parameters<typeof hc<Api>>[1]) {
  return hc<Api>(origin, options);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

const refusal = z.object({ problem: z.looseObject({ code: z.string(), message: z.string() }) });

function refusalIn(text: string): Problem | undefined {
  try {
    return refusal.safeParse(JSON.parse(text)).data?.problem;
  } catch {
    return undefined;
  }
}
