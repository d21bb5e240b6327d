import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const projectRoot = join(dirname(fileURLToPath(import.meta.url)), "../..");
const command = ["--disable-warning=ExperimentalWarning", join(projectRoot, "cli/main.ts")];

/** A demo workspace of its own, served by a `penstock open` as a user would start it. */
export type Workbench = {
  readonly root: string;
  /** Where the running server is, with its token. */
  url(): string;
  /** What its terminal has shown so far. */
  said(): string;
  /** Starts the server and waits until it has printed its address. */
  start(): Promise<void>;
  /** As the machine would: no farewell. The server's children are told by nobody. */
  kill(): Promise<void>;
  /** Ctrl-C. Resolves with its exit code, and with the children it had. */
  interrupt(): Promise<{ exitCode: number | null; children: number[] }>;
  git(...words: string[]): string;
  /** Ends what runs and removes the workspace. */
  remove(): Promise<void>;
};

/** Makes the demo workspace in a temporary folder; nothing runs yet. */
export function makeWorkbench(): Workbench {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "penstock-walk-")));
  const root = join(folder, "workspace");
  execFileSync(process.execPath, [...command, "init", root, "--demo"], { stdio: "pipe" });

  let server: ChildProcess | undefined;
  let address = "";
  let printed = "";

  async function start(): Promise<void> {
    const child = spawn(process.execPath, [...command, "open", root, "--no-open"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    server = child;
    child.stderr.on("data", (chunk: Buffer) => (printed += chunk.toString()));
    for await (const line of createInterface({ input: child.stdout })) {
      printed += `${line}\n`;
      if (!line.startsWith("http://")) continue;
      address = line;
      child.stdout.resume();
      return;
    }
    throw new Error(`The server ended before it was up:\n${printed}`);
  }

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    const child = server;
    server = undefined;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const exited = once(child, "exit") as Promise<[number | null]>;
    child.kill(signal);
    const [exitCode] = await exited;
    return exitCode;
  }

  return {
    root,
    url: () => address,
    said: () => printed,
    start,
    async kill() {
      await end("SIGKILL");
    },
    async interrupt() {
      const children = server?.pid === undefined ? [] : descendants(server.pid);
      return { exitCode: await end("SIGINT"), children };
    },
    git: (...words) => execFileSync("git", words, { cwd: root, encoding: "utf8" }),
    async remove() {
      await end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Every process below this one, by pid. */
function descendants(pid: number): number[] {
  const listing = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const parents = listing
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const below = (of: number): number[] =>
    parents.flatMap(([child = 0, parent]) => (parent === of ? [child, ...below(child)] : []));
  return below(pid);
}

/** Which of these processes still live. */
export function living(pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  });
}
