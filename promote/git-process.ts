import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";

export type GitOutput = { status: number; stdout: Buffer; stderr: string };

export type GitCall = {
  input?: string | Uint8Array;
  /** Added to the environment, e.g. `GIT_INDEX_FILE`. */
  environment?: Record<string, string>;
};

export type RunGit = (arguments_: string[], call?: GitCall) => Promise<GitOutput>;

// A workbench started from a Git hook inherits these; they would point Git at another repository.
const inherited = [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_PREFIX",
  "GIT_OBJECT_DIRECTORY",
  "GIT_COMMON_DIR",
  "GIT_NAMESPACE",
];

/**
 * Runs the `git` program in `root` and nowhere above it: a workspace inside another repository (the demo lies in
 * Penstock's own checkout) must never be taken for a part of that repository. Hooks, signing and prompts are off.
 */
export function gitProcess(root: string): RunGit {
  const environment: NodeJS.ProcessEnv = { ...process.env };
  for (const name of inherited) delete environment[name];
  Object.assign(environment, {
    GIT_TERMINAL_PROMPT: "0",
    GIT_CEILING_DIRECTORIES: dirname(root),
    GIT_OPTIONAL_LOCKS: "0",
    LC_ALL: "C",
  });
  const always = ["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false"];
  return (arguments_, call = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn("git", [...always, ...arguments_], {
        cwd: root,
        env: { ...environment, ...call.environment },
        stdio: ["pipe", "pipe", "pipe"],
      });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
      child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
      child.on("error", reject);
      child.on("close", (code) =>
        resolve({
          status: code ?? 128,
          stdout: Buffer.concat(stdout),
          stderr: Buffer.concat(stderr).toString("utf8").trim(),
        }),
      );
      // Git may end before it has read everything; its exit status says why.
      child.stdin.on("error", () => undefined);
      child.stdin.end(call.input ?? "");
    });
}

/** Git's standard output, or a `Problem` in Git's own words. */
export async function gitText(
  run: RunGit,
  arguments_: string[],
  call?: GitCall,
): Promise<Result<string>> {
  let output: GitOutput;
  try {
    output = await run(arguments_, call);
  } catch (error) {
    return fail(cannotStart(error));
  }
  if (output.status !== 0) return fail(gitProblem(arguments_, output));
  return ok(output.stdout.toString("utf8"));
}

export function gitProblem(arguments_: string[], output: GitOutput): Problem {
  if (output.stderr.includes("dubious ownership")) {
    return {
      code: "git-owner",
      message: "Git refuses this workspace because another user owns its folder.",
      hint: "Give the folder to your user, or allow it with `git config --global --add safe.directory DIR`.",
    };
  }
  const verb = arguments_.find((argument) => !argument.startsWith("-")) ?? "git";
  return {
    code: "git-failed",
    message: `git ${verb} failed: ${output.stderr || `exit status ${output.status}`}.`,
    hint: "Put right what Git names, then try again.",
  };
}

function cannotStart(error: unknown): Problem {
  const reason = error instanceof Error ? error.message : String(error);
  if (reason.includes("ENOENT")) {
    return {
      code: "git-missing",
      message: "The `git` program was not found, or the workspace's folder is gone.",
      hint: "Install Git and see that `git --version` works in a terminal.",
    };
  }
  return { code: "git-missing", message: `The \`git\` program could not be started: ${reason}.` };
}
