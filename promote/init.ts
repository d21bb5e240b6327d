import { createRequire } from "node:module";
import { cp, mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { fail, ok, ProblemError, unwrap, type Problem, type Result } from "#snapshots/problem.ts";
import { freeze } from "#snapshots/freeze.ts";
import { openQueries } from "#snapshots/queries.ts";
import { openContentStore } from "#snapshots/store.ts";
import { openWorkspace } from "#snapshots/workspace.ts";
import { git, type Git } from "./git.ts";

export type InitRequest = {
  dir: string;
  /** With the real flights, two snapshots and a notebook; else an empty workspace. */
  demo: boolean;
  signal?: AbortSignal;
  onProgress?(step: { message: string; fraction?: number }): void;
  now?: () => Date;
};

/** What the demo freezes at once, so that its notebook runs the moment it is opened. */
const demoSnapshots = [
  { source: "flights", label: "2001q1" },
  { source: "airports", label: "2001" },
];
const demoData = ["flights-3m.parquet", "airports.csv"];

/** In a folder that is being filled; gone when everything is there. */
const unfinished = ".penstock-unfinished";

/**
 * Makes a workspace: its files, its Git repository and the first commit. It is made beside its place and moved there when
 * complete, so that a killed attempt leaves nothing that looks like a workspace. A complete one is left as it is.
 */
export async function initWorkspace(
  request: InitRequest,
): Promise<Result<{ root: string; created: boolean }>> {
  const root = resolve(request.dir);
  try {
    const place = await examine(root);
    if (place.kind === "workspace") {
      await ensureRepository(root, basename(root));
      return ok({ root, created: false });
    }
    if (place.kind === "occupied") return fail(occupied(root));
    await clearAbandoned(root);
    const making = join(dirname(root), `.${basename(root)}.making-${process.pid}`);
    try {
      await make(making, basename(root), request);
      request.signal?.throwIfAborted();
      await moveInto(making, root, place.kind === "empty");
    } finally {
      await rm(making, { recursive: true, force: true });
    }
    return ok({ root, created: true });
  } catch (error) {
    if (error instanceof ProblemError) return fail(error.problem);
    if (request.signal?.aborted)
      return fail({ code: "cancelled", message: "Cancelled; nothing was made." });
    const problem = fileProblem(error, root);
    if (problem) return fail(problem);
    throw error;
  }
}

async function make(folder: string, name: string, request: InitRequest): Promise<void> {
  const say = (message: string, fraction?: number) =>
    request.onProgress?.({ message, ...(fraction === undefined ? {} : { fraction }) });
  await mkdir(folder, { recursive: true });
  say("Writing the workspace's files");
  await (request.demo ? writeDemo(folder) : writeEmpty(folder, name));
  for (const empty of ["sources", "snapshots", "notebooks", "environments", "releases"]) {
    await mkdir(join(folder, empty), { recursive: true });
  }
  const repository = git(folder);
  unwrap(await repository.init());
  if (request.demo) await freezeDemo(folder, request, say);
  await commitEverything(
    repository,
    request.demo ? "Begin with the flights demo" : `Begin ${name}`,
  );
}

async function writeDemo(folder: string): Promise<void> {
  await cp(demoFolder, folder, { recursive: true });
  await rename(join(folder, "gitignore"), join(folder, ".gitignore"));
  await mkdir(join(folder, "data"));
  const from = join(dirname(createRequire(import.meta.url).resolve("vega-datasets")), "../data");
  for (const file of demoData) await cp(join(from, file), join(folder, "data", file));
}

async function writeEmpty(folder: string, name: string): Promise<void> {
  const packageName = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  const files: Record<string, string> = {
    "penstock.yaml": (await demoFile("penstock.yaml")).replace(
      /^name:.*$/m,
      () => `name: ${JSON.stringify(name)}`,
    ),
    "package.json": `${JSON.stringify({ name: packageName || "workspace", private: true, type: "module" }, null, 2)}\n`,
    "tsconfig.json": await demoFile("tsconfig.json"),
    ".gitignore": await demoFile("gitignore"),
    "environments/staging.yaml": await demoFile("environments/staging.yaml"),
    "environments/production.yaml": await demoFile("environments/production.yaml"),
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

function demoFile(path: string): Promise<string> {
  return readFile(join(demoFolder, path), "utf8");
}

async function freezeDemo(
  folder: string,
  request: InitRequest,
  say: (message: string, fraction?: number) => void,
): Promise<void> {
  const workspace = unwrap(openWorkspace(folder));
  const store = openContentStore(workspace.paths.store);
  const queries = openQueries({ store, workspaceRoot: folder, workers: 1 });
  try {
    for (const { source, label } of demoSnapshots) {
      say(`Freezing ${source}@${label}`);
      unwrap(
        await freeze({
          workspace,
          store,
          queries,
          source,
          label,
          ...(request.signal ? { signal: request.signal } : {}),
          onProgress: ({ fraction }) => say(`Freezing ${source}@${label}`, fraction),
          now: request.now ?? (() => new Date()),
        }),
      );
    }
  } finally {
    await queries.close();
  }
}

/** A workspace copied without its repository becomes one; in one that has commits nothing changes. */
async function ensureRepository(root: string, name: string): Promise<void> {
  const repository = git(root);
  if (!(await repository.isRepository())) unwrap(await repository.init());
  if (!(await repository.head())) await commitEverything(repository, `Begin ${name}`);
}

async function commitEverything(repository: Git, message: string): Promise<void> {
  const files: Record<string, Uint8Array> = {};
  for (const { path } of unwrap(await repository.status())) {
    files[path] = await readFile(join(repository.root, path));
  }
  unwrap(await repository.commitFiles({ files, message }));
}

type Place = { kind: "absent" | "empty" | "workspace" | "occupied" };

async function examine(root: string): Promise<Place> {
  let names: string[];
  try {
    names = await readdir(root);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { kind: "absent" };
    throw error;
  }
  if (names.includes(unfinished)) {
    // Filled by an attempt that was killed: everything in it came from there.
    for (const name of names.filter((name) => name !== unfinished)) {
      await rm(join(root, name), { recursive: true, force: true });
    }
    await rm(join(root, unfinished));
    return { kind: "empty" };
  }
  if (names.includes("penstock.yaml")) return { kind: "workspace" };
  return { kind: names.length === 0 ? "empty" : "occupied" };
}

/** An existing folder is filled rather than replaced: it may be somebody's current directory, or a mount. */
async function moveInto(making: string, root: string, exists: boolean): Promise<void> {
  if (!exists) {
    await rename(making, root);
    return;
  }
  await writeFile(join(root, unfinished), "A workspace is being made here.\n");
  for (const name of await readdir(making)) await rename(join(making, name), join(root, name));
  await rm(join(root, unfinished));
  await rmdir(making);
}

/** Removes what killed attempts left beside the place. */
async function clearAbandoned(root: string): Promise<void> {
  const parent = dirname(root);
  await mkdir(parent, { recursive: true });
  const prefix = `.${basename(root)}.making-`;
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix) && !isAlive(Number(name.slice(prefix.length)))) {
      await rm(join(parent, name), { recursive: true, force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

function occupied(root: string): Problem {
  return {
    code: "folder-not-empty",
    message: `${root} is not empty and not a Penstock workspace (it has no penstock.yaml).`,
    hint: "Choose a new or an empty folder, or open a folder that holds a penstock.yaml.",
  };
}

function fileProblem(error: unknown, root: string): Problem | undefined {
  const reasons: Record<string, [message: string, hint: string]> = {
    EROFS: ["is on a read-only disk", "Choose a folder you can write to."],
    EACCES: [
      "may not be written to",
      "Choose a folder you can write to, or change its permissions.",
    ],
    EPERM: [
      "may not be written to",
      "Choose a folder you can write to, or change its permissions.",
    ],
    ENOSPC: [
      "is on a disk that is full",
      "Make room (the demo takes about 100 MB), then try again.",
    ],
    ENOTDIR: ["is a file, or lies below one", "Choose a folder."],
  };
  const reason = reasons[codeOf(error) ?? ""];
  if (!reason) return undefined;
  return { code: "folder-not-usable", message: `${root} ${reason[0]}.`, hint: reason[1] };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

const demoFolder = fileURLToPath(new URL("../demo/", import.meta.url));
