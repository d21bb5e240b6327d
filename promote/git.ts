import { realpath } from "node:fs/promises";
import { resolve as resolvePath } from "node:path";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { commitFiles, type CommitOutcome, type CommitRequest } from "./git-commit.ts";
import { gitProcess, gitText } from "./git-process.ts";
import { readPerson, type Person } from "./person.ts";

export type Commit = {
  id: string;
  author: Person;
  at: string;
  subject: string;
};

/** One line of `git status`: `index` and `working` are Git's letters (`M`, `A`, `D`, `?`, or a space). */
export type FileStatus = { path: string; index: string; working: string };

/** The workspace's repository, through the `git` program. Revisions are checked before they are used. */
export type Git = {
  root: string;
  /** True when `root` itself is the top of a repository; a repository further up does not count. */
  isRepository(): Promise<boolean>;
  init(): Promise<Result<void>>;
  /** The commit HEAD names; undefined before the first commit. */
  head(): Promise<string | undefined>;
  resolve(revision: string): Promise<Result<string>>;
  /** A file's text in a revision; `undefined` when the revision has no such file. */
  show(revision: string, path: string): Promise<Result<string | undefined>>;
  /** One file's text in many commits (whole ids), by one Git process. */
  showEach(commits: string[], path: string): Promise<(string | undefined)[]>;
  /** Paths of the files below `folder` in a revision. */
  list(revision: string, folder: string): Promise<Result<string[]>>;
  /** Newest first. `path` limits it to the commits that changed the path. */
  log(request?: { path?: string; limit?: number; from?: string }): Promise<Result<Commit[]>>;
  status(paths?: string[]): Promise<Result<FileStatus[]>>;
  /** Git's own log of where HEAD has pointed: it grows with every commit, so watching it is watching for commits. */
  headLogPath(): Promise<string>;
  /** Who commits here: Git's configured user, else the person logged in. */
  person(): Promise<Person>;
  /** See `git-commit.ts`: never sweeps up or clobbers the user's own edits. */
  commitFiles(
    request: Omit<CommitRequest, "author"> & { author?: Person },
  ): Promise<Result<CommitOutcome>>;
};

export function git(root: string): Git {
  const run = gitProcess(root);
  const text = (arguments_: string[]) => gitText(run, arguments_);
  const person = () => readPerson(run);
  // One commit of ours at a time; the compare-and-swap is against everybody else's.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };

  const resolve: Git["resolve"] = async (revision) => {
    const arguments_ = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
    const found = await text([...arguments_, `${revision}^{commit}`]);
    if (found.ok) return ok(found.value.trim());
    if (found.problem.code !== "git-failed") return found;
    return fail({
      code: "revision-unknown",
      message: `Git knows no commit ${JSON.stringify(revision)} in this workspace.`,
      hint: "Name a branch, a tag or a commit that `git log` shows.",
    });
  };

  const isRepository: Git["isRepository"] = async () => {
    const found = await text(["rev-parse", "--show-toplevel"]);
    return found.ok && (await realpath(found.value.trim())) === (await realpath(root));
  };

  return {
    root,
    isRepository,
    resolve,
    person,
    init: async () => {
      const made = await text(["init", "--quiet", "--initial-branch=main"]);
      return made.ok ? ok(undefined) : made;
    },
    headLogPath: async () => {
      const found = await text(["rev-parse", "--git-path", "logs/HEAD"]);
      return resolvePath(root, found.ok ? found.value.trim() : ".git/logs/HEAD");
    },
    head: async () => {
      const found = await resolve("HEAD");
      return found.ok ? found.value : undefined;
    },
    show: async (revision, path) => {
      const commit = await resolve(revision);
      if (!commit.ok) return commit;
      const output = await run(["cat-file", "blob", `${commit.value}:${path}`]);
      return ok(output.status === 0 ? output.stdout.toString("utf8") : undefined);
    },
    showEach: async (commits, path) => {
      if (commits.length === 0) return [];
      const input = commits.map((id) => `${id}:${path}\n`).join("");
      return readBatch((await run(["cat-file", "--batch"], { input })).stdout, commits.length);
    },
    list: async (revision, folder) => {
      const commit = await resolve(revision);
      if (!commit.ok) return commit;
      const arguments_ = ["--literal-pathspecs", "ls-tree", "-r", "-z", "--name-only"];
      const listed = await text([...arguments_, commit.value, "--", `${folder}/`]);
      return listed.ok ? ok(listed.value.split("\0").filter(Boolean)) : listed;
    },
    log: async ({ path, limit, from = "HEAD" } = {}) => {
      const commit = await resolve(from);
      if (!commit.ok) return from === "HEAD" ? ok([]) : commit;
      const arguments_ = ["--literal-pathspecs", "log", "-z", "--no-show-signature"];
      arguments_.push("--format=%H%x1f%an%x1f%ae%x1f%aI%x1f%s");
      if (limit !== undefined) arguments_.push(`--max-count=${limit}`);
      const listed = await text([...arguments_, commit.value, "--", ...(path ? [path] : [])]);
      return listed.ok ? ok(listed.value.split("\0").filter(Boolean).map(readCommit)) : listed;
    },
    status: async (paths = []) => {
      const arguments_ = ["--literal-pathspecs", "status", "--porcelain=v1", "-z", "--no-renames"];
      const listed = await text([...arguments_, "--untracked-files=all", "--", ...paths]);
      return listed.ok ? ok(listed.value.split("\0").filter(Boolean).map(readStatus)) : listed;
    },
    commitFiles: async (request) => {
      const author = request.author ?? (await person());
      return inTurn(() => commitFiles(root, run, { ...request, author }));
    },
  };
}

function readCommit(line: string): Commit {
  const [id = "", name = "", email = "", at = "", subject = ""] = line.trim().split("\x1f");
  return { id, author: { name, email }, at, subject };
}

function readStatus(line: string): FileStatus {
  return { index: line.slice(0, 1), working: line.slice(1, 2), path: line.slice(3) };
}

/** The format of `git cat-file --batch`: `<id> blob <size>\n<bytes>\n`, or `<name> missing\n`. */
function readBatch(output: Buffer, count: number): (string | undefined)[] {
  const texts: (string | undefined)[] = [];
  let offset = 0;
  while (texts.length < count) {
    const end = output.indexOf(0x0a, offset);
    const size = /^\w+ blob (\d+)$/.exec(output.toString("latin1", offset, end))?.[1];
    offset = end + 1;
    if (size === undefined) {
      texts.push(undefined);
      continue;
    }
    texts.push(output.toString("utf8", offset, offset + Number(size)));
    offset += Number(size) + 1;
  }
  return texts;
}
