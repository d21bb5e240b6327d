import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";

const serverFile = z.object({
  pid: z.int().min(1),
  port: z.int().min(1).max(65_535),
  token: z.string().min(20),
});

/** What `.penstock/server.json` says about the server that holds the workspace. The token in it is a key: mode 600. */
export type ServerFile = z.infer<typeof serverFile>;

export function writeServerFile(path: string, server: ServerFile): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, `${JSON.stringify(server)}\n`, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}

/** Undefined where there is none, or none that makes sense. A file left by a killed server is still read: ask it first. */
export function readServerFile(path: string): ServerFile | undefined {
  try {
    return serverFile.safeParse(JSON.parse(readFileSync(path, "utf8"))).data;
  } catch {
    return undefined;
  }
}

/** Removes the file if it is still ours. */
export function removeServerFile(path: string): void {
  if (readServerFile(path)?.pid === process.pid) rmSync(path, { force: true });
}
