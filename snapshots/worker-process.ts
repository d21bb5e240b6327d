import { fork, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Problem } from "./problem.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";

const workerFile = fileURLToPath(new URL("worker/main.ts", import.meta.url));
const pageBytes = 4096;
const watchMs = 200;

/** One DuckDB process. It answers one request at a time and can be killed at any moment. */
export type WorkerProcess = {
  send(message: ToWorker): void;
  /** Where messages go, and the problem when the process ends unasked; one listener at a time. */
  listen(
    listener: { message(message: FromWorker): void; ended(problem: Problem): void } | undefined,
  ): void;
  isAlive(): boolean;
  kill(reason?: Problem): void;
};

/** Starts a worker. `residentLimitBytes`: above it the process is killed, for what DuckDB's own limit does not see. */
export function startWorker(residentLimitBytes: number): WorkerProcess {
  const child = fork(workerFile, [], {
    serialization: "advanced",
    execArgv: ["--disable-warning=ExperimentalWarning"],
    env: { TZ: "UTC", LANG: "C.UTF-8" },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let listener: Parameters<WorkerProcess["listen"]>[0];
  let reason: Problem | undefined;
  let complaint = "";
  let watch: NodeJS.Timeout | undefined;
  let isAlive = true;

  child.stderr?.on("data", (text: Buffer) => {
    complaint = (complaint + text.toString("utf8")).slice(-2000);
  });
  const kill = (problem?: Problem) => {
    reason ??= problem;
    isAlive = false;
    child.kill("SIGKILL");
  };
  const ended = () => {
    isAlive = false;
    clearInterval(watch);
    const last = listener;
    listener = undefined;
    last?.ended(reason ?? crashed(child, complaint));
  };
  child.on("message", (message: FromWorker) => listener?.message(message));
  child.on("error", (error) => {
    complaint ||= error.message;
  });
  child.on("exit", ended);
  idle(child);

  return {
    send(message) {
      // A worker that died between two messages reports through `exit`.
      if (isAlive && child.connected) child.send(message, () => undefined);
    },
    listen(next) {
      listener = next;
      clearInterval(watch);
      if (next === undefined) {
        idle(child);
        return;
      }
      child.ref();
      child.channel?.ref();
      if (!isAlive) {
        queueMicrotask(ended);
        return;
      }
      watch = setInterval(() => {
        if (residentBytes(child.pid) > residentLimitBytes) kill(tooMuchMemory);
      }, watchMs);
    },
    isAlive: () => isAlive,
    kill,
  };
}

const tooMuchMemory: Problem = {
  code: "query-memory",
  message: "The query used more memory than it may, and was stopped.",
  hint: "Filter or aggregate earlier, or select fewer columns.",
};

/** A waiting worker must not keep a program from ending. */
function idle(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
}

function residentBytes(pid: number | undefined): number {
  const path = `/proc/${pid}/statm`;
  if (pid === undefined || !existsSync(path)) return 0;
  try {
    return Number(readFileSync(path, "utf8").split(" ")[1]) * pageBytes;
  } catch {
    return 0;
  }
}

function crashed(child: ChildProcess, complaint: string): Problem {
  const how = child.signalCode ?? `code ${child.exitCode}`;
  return {
    code: "query-worker-ended",
    message: `The query's process ended (${how}).${complaint ? ` It said: ${complaint.trim().split("\n").at(-1)}` : ""}`,
    hint: "Run it again. If it ends again, it may need more memory than this machine has.",
  };
}
