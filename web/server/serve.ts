import { once } from "node:events";
import type { Server } from "node:http";
import { logAskedFor } from "#promote/sync/log/log.ts";
import { openWatch } from "#promote/sync/metrics/watch.ts";
import { openWorkbench } from "#promote/workbench.ts";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { createApi } from "../api/app.ts";
import { newToken } from "../auth/token.ts";
import { openInBrowser } from "./browser.ts";
import { createHttpServer, type HttpParts, type Pages } from "./http.ts";
import { loadPages } from "./pages.ts";
import { listen } from "./port.ts";
import { removeServerFile, writeServerFile } from "./server-file.ts";
import { openSockets } from "./sockets.ts";

const defaultPort = 4747;

export type ServeOptions = {
  /** The workspace's folder. */
  workspace: string;
  port?: number;
  /** The user named the port: a taken one is a problem, not a reason to move on. */
  isPortExplicit: boolean;
  openBrowser: boolean;
  /** In place of the built pages, for tests. */
  pages?: Pages;
  /** Lines for the terminal. */
  say(line: string): void;
};

export type Served = {
  /** With the token: whoever has it is in. */
  url: string;
  port: number;
  close(): Promise<void>;
};

/** Opens a workspace and serves it on loopback until closed: pages, API, sockets, and its pipelines. */
export async function serve(options: ServeOptions): Promise<Result<Served>> {
  const level = logAskedFor(process.env);
  if (!level.ok) return level;
  const watch = openWatch(level.value);
  const token = newToken();
  const behind = Promise.withResolvers<HttpParts>();
  // Nobody may be waiting when it fails.
  behind.promise.catch(() => {});
  const http = createHttpServer(token, behind.promise, watch.metrics);
  const give = async (problem: Problem) => {
    behind.reject(new Error(problem.message));
    await closeHttp(http);
    watch.close();
    return fail(problem);
  };

  const listening = await listen(http, {
    port: options.port ?? defaultPort,
    isExplicit: options.isPortExplicit,
  });
  if (!listening.ok) return give(listening.problem);
  const { port, taken } = listening.value;

  const pages = options.pages ? ok(options.pages) : await loadPages();
  if (!pages.ok) return give(pages.problem);
  const opened = await openWorkbench(options.workspace, {
    withSync: true,
    holdLock: true,
    watch,
  });
  if (!opened.ok) return give(opened.problem);
  const workbench = opened.value;
  watch.metrics.watch(() => workbench.sync.reports());
  const sockets = openSockets(workbench);
  behind.resolve({ api: createApi(workbench), pages: pages.value, upgrade: sockets.upgrade });

  const serverPath = workbench.workspace.paths.server;
  writeServerFile(serverPath, { pid: process.pid, port, token });
  const url = `http://127.0.0.1:${port}/?token=${token}`;
  if (taken !== undefined) options.say(`Port ${taken} is taken; serving on ${port} instead.`);
  options.say(url);
  watch.log?.say("metrics-served", `Metrics at http://127.0.0.1:${port}/metrics.`);
  if (options.openBrowser) openInBrowser(url);

  let closing: Promise<void> | undefined;
  const close = async () => {
    removeServerFile(serverPath);
    sockets.close();
    await closeHttp(http);
    await workbench.close();
    watch.close();
  };
  return ok({ url, port, close: () => (closing ??= close()) });
}

/** Long work is cut off: closing its request cancels it. */
async function closeHttp(http: Server): Promise<void> {
  if (!http.listening) return;
  http.close();
  http.closeAllConnections();
  await once(http, "close").catch(() => {});
}
