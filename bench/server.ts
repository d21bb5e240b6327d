import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Workspace } from "#snapshots/workspace.ts";
import { readServerFile } from "#web/server/server-file.ts";

const cliFile = join(import.meta.dirname, "../cli/main.ts");

/** Serves a workspace as `penstock open` does, while `use` runs. */
export async function withServer<T>(
  { root, paths }: Workspace,
  use: (server: { port: number; token: string }) => Promise<T>,
): Promise<T> {
  const server = spawn(
    process.execPath,
    [...process.execArgv, cliFile, "open", root, "--no-open", "--port", "0"],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  try {
    return await use(await started(server, paths.server));
  } finally {
    server.kill("SIGTERM");
    if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
  }
}

async function started(server: ChildProcess, serverFile: string) {
  for (;;) {
    const found = readServerFile(serverFile);
    if (found) return found;
    if (server.exitCode !== null) throw new Error("The server did not start.");
    await setTimeout(20);
  }
}
