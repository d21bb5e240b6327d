import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fail, ok, type Result } from "#snapshots/problem.ts";

/** The named folder; else the nearest one upwards that holds a penstock.yaml; else `workspace/` here, if it does. */
export function findWorkspace(from: string, named: string | undefined): Result<string> {
  if (named !== undefined) {
    const folder = resolve(from, named);
    return isWorkspace(folder)
      ? ok(folder)
      : noWorkspace(`${folder} is not a Penstock workspace: it has no penstock.yaml.`);
  }
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (isWorkspace(folder)) return ok(folder);
    if (dirname(folder) === folder) break;
  }
  const below = resolve(from, "workspace");
  if (isWorkspace(below)) return ok(below);
  return noWorkspace(`There is no Penstock workspace in ${resolve(from)} or above it.`);
}

function isWorkspace(folder: string): boolean {
  return existsSync(join(folder, "penstock.yaml"));
}

function noWorkspace(message: string): Result<never> {
  return fail({
    code: "no-workspace",
    message,
    hint: "Name it with --workspace DIR, or make one: penstock init DIR (--demo for the demo).",
  });
}
