import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fail, ok, type Result } from "#snapshots/problem.ts";

/**
 * One process holds a workspace. The lock is SQLite's exclusive lock on a file: the system lets go of it however the
 * process ends, so a killed one never leaves the workspace locked. `lock.pid` only names the holder.
 */
export function holdWorkspace(folder: string): Result<{ release(): void }> {
  const pidFile = join(folder, "lock.pid");
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    database = new DatabaseSync(join(folder, "lock.db"));
    database.exec("PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    writeFileSync(pidFile, `${process.pid}\n`);
  } catch (error) {
    database?.close();
    const reason = error instanceof Error ? error.message : String(error);
    if (!/locked|busy/.test(reason)) {
      return fail({
        code: "workspace-not-writable",
        message: `${folder} cannot be written to (${reason}).`,
        hint: "Make the workspace's folder writable, then try again.",
      });
    }
    return fail({
      code: "workspace-held",
      message: `Another Penstock process${holder(pidFile)} holds this workspace.`,
      hint: "Use that one (`penstock status` shows its address), or end it first.",
    });
  }
  const mine = database;
  held.add(mine);
  return ok({
    release() {
      held.delete(mine);
      mine.close();
    },
  });
}

/** A lock nobody refers to any more would be let go of with its database, by the garbage collector. */
const held = new Set<DatabaseSync>();

function holder(pidFile: string): string {
  try {
    return ` (pid ${readFileSync(pidFile, "utf8").trim()})`;
  } catch {
    return "";
  }
}
