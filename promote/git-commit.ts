import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { fail, ok, ProblemError, unwrap, type Result } from "#snapshots/problem.ts";
import { gitProblem, gitText, type RunGit } from "./git-process.ts";
import type { Person } from "./person.ts";

/** What a path shall hold in the commit; `null` removes it. */
export type FileContents = Record<string, string | Uint8Array | null>;

export type CommitRequest = {
  /** The files, or how they follow from the commit they are put on (asked again when somebody else committed first). */
  files: FileContents | ((head: HeadFiles) => Promise<FileContents>);
  message: string;
  author: Person;
  at?: Date;
};

/** The files of the commit that is about to become the parent. */
export type HeadFiles = { read(path: string): Promise<string | undefined> };

/** `commit` is undefined when HEAD already held exactly these files: nothing was committed. */
export type CommitOutcome = { commit: string | undefined; head: string };

const attempts = 20;

/** What this commit has put into the working tree so far: a retry must not take it for the user's edit. */
type Written = Map<string, string | Uint8Array>;

/**
 * Commits exactly these files on top of HEAD and touches nothing else of the user's: the tree is made in a private
 * index, and the branch moves by compare-and-swap. A working file is written unless the user has edits in it; an index
 * entry is brought along unless the user has staged something there.
 */
export async function commitFiles(
  root: string,
  run: RunGit,
  request: CommitRequest,
): Promise<Result<CommitOutcome>> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-index-"));
  const written: Written = new Map();
  try {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const outcome = await tryCommit(
        root,
        run,
        request,
        join(folder, `index-${attempt}`),
        written,
      );
      if (outcome) return ok(outcome);
      await pause(5 * attempt * Math.random());
    }
    return fail({
      code: "git-busy",
      message: "Somebody else kept committing to this branch, so this commit found no place.",
      hint: "Try again when the other work is done.",
    });
  } catch (error) {
    if (error instanceof ProblemError) return fail(error.problem);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Undefined when HEAD moved meanwhile. */
async function tryCommit(
  root: string,
  run: RunGit,
  request: CommitRequest,
  indexFile: string,
  written: Written,
): Promise<CommitOutcome | undefined> {
  const text = async (arguments_: string[], call?: Parameters<RunGit>[1]) =>
    unwrap(await gitText(run, arguments_, call)).trim();
  const environment = { GIT_INDEX_FILE: indexFile };

  const parsed = await run(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
  const parent = parsed.status === 0 ? parsed.stdout.toString("utf8").trim() : undefined;
  const headEntries = async (path: string) => (parent ? treeEntry(run, parent, path) : undefined);
  const read = async (path: string) => {
    const entry = await headEntries(path);
    return entry && (await blobText(run, entry.id));
  };
  const files = typeof request.files === "function" ? await request.files({ read }) : request.files;
  const paths = Object.keys(files);
  for (const path of paths) requireInside(path);

  const changes: Change[] = [];
  for (const path of paths) {
    const content = files[path] ?? null;
    const before = await headEntries(path);
    const id =
      content === null
        ? undefined
        : await text(["hash-object", "-w", "--stdin"], { input: content });
    if (id !== before?.id) changes.push({ path, content, id, before });
  }
  if (changes.length === 0 && parent) {
    await writeWorkingFiles(root, run, await unchangedButMissing(root, files), written);
    return { commit: undefined, head: parent };
  }

  await text(parent ? ["read-tree", parent] : ["read-tree", "--empty"], { environment });
  await text(["update-index", "-z", "--index-info"], {
    environment,
    input: indexInfo(changes),
  });
  const tree = await text(["write-tree"], { environment });

  const date = request.at ? `${Math.floor(request.at.getTime() / 1000)} +0000` : undefined;
  const { name, email } = request.author;
  const commit = await text(["commit-tree", tree, ...(parent ? ["-p", parent] : [])], {
    input: request.message.endsWith("\n") ? request.message : `${request.message}\n`,
    environment: {
      GIT_AUTHOR_NAME: name,
      GIT_AUTHOR_EMAIL: email,
      GIT_COMMITTER_NAME: name,
      GIT_COMMITTER_EMAIL: email,
      ...(date ? { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date } : {}),
    },
  });

  const staged = await stagedEntries(run, paths);
  // Working files first: killed in between, the next try finds them as they shall be.
  await writeWorkingFiles(root, run, changes, written);
  const subject = request.message.split("\n", 1)[0] ?? "";
  const swap = ["update-ref", "-m", `penstock: ${subject}`, "HEAD", commit, parent ?? ""];
  const moved = await run(swap);
  if (moved.status !== 0) {
    const now = await run(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
    const isLocked = /cannot lock ref|\.lock/.test(moved.stderr);
    if (isLocked || now.stdout.toString("utf8").trim() !== (parent ?? "")) return undefined;
    throw new ProblemError(gitProblem(swap, moved));
  }
  const untouched = changes.filter(({ path, before }) => staged.get(path)?.id === before?.id);
  await refreshIndex(run, untouched);
  return { commit, head: commit };
}

type TreeEntry = { mode: string; id: string };
type Change = {
  path: string;
  content: string | Uint8Array | null;
  id: string | undefined;
  before: TreeEntry | undefined;
};

async function treeEntry(run: RunGit, commit: string, path: string) {
  const listed = unwrap(
    await gitText(run, ["--literal-pathspecs", "ls-tree", "-z", commit, "--", path]),
  );
  const found = /^(\d+) blob ([0-9a-f]+)\t/.exec(listed);
  return found?.[1] && found[2] ? { mode: found[1], id: found[2] } : undefined;
}

async function blobText(run: RunGit, id: string): Promise<string> {
  return unwrap(await gitText(run, ["cat-file", "blob", id]));
}

async function stagedEntries(run: RunGit, paths: string[]): Promise<Map<string, TreeEntry>> {
  const listed = unwrap(
    await gitText(run, ["--literal-pathspecs", "ls-files", "-s", "-z", "--", ...paths]),
  );
  const entries = new Map<string, TreeEntry>();
  for (const line of listed.split("\0")) {
    const found = /^(\d+) ([0-9a-f]+) \d\t(.+)$/s.exec(line);
    if (found?.[1] && found[2] && found[3]) entries.set(found[3], { mode: found[1], id: found[2] });
  }
  return entries;
}

/** The format of `git update-index -z --index-info`: mode 0 removes. */
function indexInfo(changes: Change[]): string {
  return changes
    .map(({ path, id, before }) =>
      id ? `${before?.mode ?? "100644"} ${id}\t${path}\0` : `0 ${"0".repeat(40)}\t${path}\0`,
    )
    .join("");
}

/** Best effort: the commit stands even where the user's Git holds the index for long. */
async function refreshIndex(run: RunGit, changes: Change[]): Promise<void> {
  if (changes.length === 0) return;
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    const output = await run(["update-index", "-z", "--index-info"], { input: indexInfo(changes) });
    if (output.status === 0) break;
    if (!output.stderr.includes("index.lock")) return;
    await pause(50 * attempt);
  }
  await run(["update-index", "-q", "--refresh"]);
}

/** Files HEAD already holds but the working tree lacks, e.g. after a kill between commit and now. */
async function unchangedButMissing(root: string, files: FileContents): Promise<Change[]> {
  const missing: Change[] = [];
  for (const [path, content] of Object.entries(files)) {
    if (content === null) continue;
    if ((await readIfThere(join(root, path))) === undefined) {
      missing.push({ path, content, id: undefined, before: undefined });
    }
  }
  return missing;
}

async function writeWorkingFiles(
  root: string,
  run: RunGit,
  changes: Change[],
  written: Written,
): Promise<void> {
  for (const { path, content, before } of changes) {
    const file = join(root, path);
    const current = await readIfThere(file);
    const own = written.get(path);
    const isUnedited =
      current === undefined ||
      (own !== undefined && current.equals(Buffer.from(own))) ||
      (before !== undefined && (await blobId(run, path, current)) === before.id);
    if (!isUnedited) continue;
    if (content === null) {
      await rm(file, { force: true });
      continue;
    }
    written.set(path, content);
    await mkdir(dirname(file), { recursive: true });
    const temporary = `${file}.${randomUUID().slice(0, 8)}.tmp`;
    await writeFile(temporary, content);
    await rename(temporary, file);
  }
}

/** With the path's filters (line endings), so that an unedited CRLF checkout is not taken for an edit. */
async function blobId(run: RunGit, path: string, content: Buffer): Promise<string> {
  const hashed = await gitText(run, ["hash-object", "--stdin", "--path", path], { input: content });
  return unwrap(hashed).trim();
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function requireInside(path: string): void {
  const parts = path.split("/");
  const isBad = parts.some(
    (part) => part === "" || part === "." || part === ".." || part === ".git",
  );
  if (isBad || isAbsolute(path) || path.includes("\\") || path.includes("\0")) {
    throw new Error(`not a path inside the workspace: ${JSON.stringify(path)}`);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
