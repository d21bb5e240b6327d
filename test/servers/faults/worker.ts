import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "#promote/sync/fixture.ts";
import type { Tuning } from "#promote/sync/tuning.ts";
import type { PipelineSpec } from "#promote/sync/sync.ts";
import type { Growth } from "#promote/sync/order/stretches.ts";
import type { WorkerReport } from "#promote/sync/workers/workers.ts";
import type { Problem } from "#snapshots/problem.ts";

export type WorkerOptions = {
  root: string;
  tuning?: Partial<Tuning>;
  growth?: Partial<Growth>;
};

export type Asked = { id: number; act: "start" | "pause" | "resume"; spec: PipelineSpec } | Close;
type Close = { id: number; act: "close" };

export type Told =
  | { kind: "done"; id: number; problem: string | undefined }
  | {
      kind: "state";
      state: WorkerReport["state"];
      problem: Problem | undefined;
      /** What is being waited out, by whom: the source, or a sink by its name. */
      backoffs: Record<string, Problem>;
      /** Partitions. */
      held: number[];
    };

export type Seen = Omit<Extract<Told, { kind: "state" }>, "kind">;

/** A worker process. A request that it refuses, and a wait that its end or halt makes vain, throw. */
export type FaultWorker = {
  process: ChildProcess;
  seen(): Seen;
  /** Codes of every problem that was waited out or halted at, so far. */
  troubles: ReadonlySet<string>;
  /** Starts the pipeline, or swaps its release. */
  start(spec: PipelineSpec): Promise<void>;
  pause(spec: PipelineSpec): Promise<void>;
  resume(spec: PipelineSpec): Promise<void>;
  /** As `until`, where a halt is no surprise. */
  stands(what: string, holds: () => boolean): Promise<void>;
  until(what: string, holds: () => boolean, timeoutMs?: number): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Drains and ends it. */
  close(): Promise<void>;
};

const child = fileURLToPath(new URL("./worker-child.ts", import.meta.url));
const PATIENCE_MS = 600_000;

export function openWorker(options: WorkerOptions, command: string[] = []): FaultWorker {
  const [program = process.execPath, ...before] = command;
  const started = fork(child, [JSON.stringify(options)], {
    execPath: program,
    execArgv: before,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let errors = "";
  let hasEnded = false;
  let asks = 0;
  let seen: Seen = { state: "starting", problem: undefined, backoffs: {}, held: [] };
  const troubles = new Set<string>();
  const waiting = new Map<number, (problem: string | undefined) => void>();
  started.stderr?.on("data", (data: Buffer) => (errors += data.toString()));
  started.on("exit", () => {
    hasEnded = true;
    for (const done of waiting.values()) done(`the worker ended: ${errors}`);
  });
  started.on("message", (message) => {
    const told = message as Told; // worker-child.ts sent it
    if (told.kind === "done") {
      waiting.get(told.id)?.(told.problem);
      return;
    }
    const { state, problem, backoffs, held } = told;
    seen = { state, problem, backoffs, held };
    for (const { code } of Object.values(backoffs)) troubles.add(code);
    if (problem !== undefined) troubles.add(problem.code);
  });

  async function ask(make: (id: number) => Asked): Promise<void> {
    const id = asks++;
    const done = new Promise<string | undefined>((resolve) => waiting.set(id, resolve));
    started.send(make(id));
    const problem = await done;
    waiting.delete(id);
    if (problem !== undefined) throw new Error(problem);
  }

  function wait(what: string, timeoutMs: number, holds: () => boolean): Promise<void> {
    return until(
      what,
      () => {
        if (hasEnded) throw new Error(`the worker ended: ${errors}`);
        return holds();
      },
      timeoutMs,
    ).catch((cause: unknown) => {
      throw new Error(`${what}: ${String(cause)}; last seen: ${JSON.stringify(seen)}`, { cause });
    });
  }

  return {
    process: started,
    seen: () => seen,
    troubles,
    start: (spec) => ask((id) => ({ id, act: "start", spec })),
    pause: (spec) => ask((id) => ({ id, act: "pause", spec })),
    resume: (spec) => ask((id) => ({ id, act: "resume", spec })),
    stands: (what, holds) => wait(what, PATIENCE_MS, holds),
    until: (what, holds, timeoutMs = PATIENCE_MS) =>
      wait(what, timeoutMs, () => {
        if (holds()) return true;
        if (seen.state === "halted") throw new Error("it halted");
        return false;
      }),
    async kill() {
      if (hasEnded) return;
      const ended = once(started, "exit");
      started.kill("SIGKILL");
      await ended;
    },
    async close() {
      if (hasEnded) return;
      const ended = once(started, "exit");
      await ask((id) => ({ id, act: "close" }));
      await ended;
    },
  };
}
