import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, sep } from "node:path";
import { z } from "zod";
import { analyseCell } from "#kernel/analysis.ts";
import { parseNotebook, sourceOf } from "#kernel/notebook.ts";
import type { Workbench } from "#promote/workbench.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { Workspace } from "#snapshots/workspace.ts";

/** A notebook's file name without `.ts`; it is a module, so nothing fancy. */
export const notebookName = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_-]*$/, "is not a notebook's name (letters, digits, - and _)");

export type NotebookEntry = {
  name: string;
  path: string;
  modifiedAt: string;
  sizeBytes: number;
  /** Names of the transforms it defines, in its order: what can be compared and released. */
  transforms: string[];
  /** A session holds it open; `isDirty` when that session has unsaved edits. */
  isOpen: boolean;
  isDirty: boolean;
};

/** Every notebook in the workspace's folder, by name. */
export function listNotebooks({ workspace, sessions }: Workbench): NotebookEntry[] {
  const folder = workspace.paths.notebooks;
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.name.endsWith(".d.ts"),
    )
    .map((entry) => entry.name.slice(0, -3))
    .filter((name) => notebookName.safeParse(name).success)
    .toSorted()
    .map((name) => {
      const stats = statSync(join(folder, `${name}.ts`));
      const session = sessions.get(name);
      return {
        name,
        path: `notebooks/${name}.ts`,
        modifiedAt: stats.mtime.toISOString(),
        sizeBytes: stats.size,
        transforms: transformsIn(readFileSync(join(folder, `${name}.ts`), "utf8")),
        isOpen: session !== undefined,
        isDirty: session?.document().isDirty ?? false,
      };
    });
}

function transformsIn(text: string): string[] {
  return parseNotebook(text)
    .cells.filter((cell) => cell.kind === "code" && !cell.disabled)
    .flatMap((cell) => Object.entries(analyseCell(sourceOf(cell)).kinds))
    .flatMap(([name, kind]) => (kind === "transform" ? [name] : []));
}

/** The notebook's file in the workspace, or a problem that names those there are. */
export function notebookPath(workspace: Workspace, name: string): Result<string> {
  const path = join(workspace.paths.notebooks, `${name}.ts`);
  if (existsSync(path)) {
    // A link in a cloned repository may lead anywhere; saving would write there.
    if (isInside(workspace.root, path)) return ok(path);
    return fail({
      code: "notebook-outside",
      message: `notebooks/${name}.ts is a link that leaves the workspace.`,
      hint: "Put the file itself in its place.",
      at: { file: `notebooks/${name}.ts` },
    });
  }
  return fail({
    code: "notebook-not-found",
    message: `There is no notebook ${JSON.stringify(name)} in this workspace.`,
    hint: "`penstock status` and the notebooks page list those there are.",
  });
}

function isInside(root: string, path: string): boolean {
  return realpathSync(path).startsWith(realpathSync(root) + sep);
}

/** Makes a notebook that already does something: it opens the snapshot and passes its rows through a transform. */
export function createNotebook(
  { workspace }: Workbench,
  { name, snapshot }: { name: string; snapshot?: string | undefined },
): Result<{ name: string; path: string }> {
  const file = join(workspace.paths.notebooks, `${name}.ts`);
  const path = `notebooks/${name}.ts`;
  mkdirSync(workspace.paths.notebooks, { recursive: true });
  try {
    writeFileSync(file, starter(name, snapshot), { flag: "wx" });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") {
      return fail({
        code: "notebook-exists",
        message: `${path} exists already.`,
        hint: "Open it, or choose another name.",
        at: { file: path },
      });
    }
    return fail({
      code: "workspace-not-writable",
      message: `${path} cannot be written (${String(code ?? error)}).`,
      hint: "Make the workspace's folder writable, then try again.",
      at: { file: path },
    });
  }
  return ok({ name, path });
}

function starter(name: string, snapshot: string | undefined): string {
  const head = `// %% [markdown]\n// # ${name}\n// %%\n`;
  if (!snapshot)
    return `${head}import { snapshot, sql, transform, metric } from "penstock";\n// %%\n`;
  return `${head}import { snapshot, transform } from "penstock";
// %%
const input = snapshot(${JSON.stringify(snapshot)});
// %%
export const output = transform(input, (row) => ({ ...row }));
`;
}
