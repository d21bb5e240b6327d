import { fail, ok, type Problem, type Result } from "./problem.ts";
import type { FromWorker, Limits, ToWorker, WorkerRequest, WorkerValue } from "./protocol.ts";
import { startWorker, type WorkerProcess } from "./worker-process.ts";

type Of<Kind extends WorkerRequest["kind"]> = Extract<WorkerRequest, { kind: Kind }>;

/** How a request is watched and ended from outside. */
export type CallOptions = {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  onProgress?: ((fraction: number, rows: number) => void) | undefined;
  /** Batches of a read; the worker goes on when `more` is sent. */
  onBatch?: ((ipc: Uint8Array, reply: (message: "more" | "end") => void) => void) | undefined;
  /** A write's worker wants the next batch. */
  onMore?: ((send: (message: Feed) => void) => void) | undefined;
};
export type Feed = { rows: Uint8Array; position?: BigInt64Array; part?: Int32Array } | "end";

/** A few warm worker processes. A request waits for a free one, has it for itself, and may end it. */
export type Pool = {
  call<Kind extends WorkerRequest["kind"]>(
    request: Of<Kind>,
    options?: CallOptions,
  ): Promise<Result<WorkerValue[Kind]>>;
  close(): Promise<void>;
};

export type PoolOptions = { workers: number; limits: Limits; residentLimitBytes: number };

export function openPool({ workers, limits, residentLimitBytes }: PoolOptions): Pool {
  const idle: WorkerProcess[] = [startWorker(residentLimitBytes)];
  const waiting: ((worker: WorkerProcess | undefined) => void)[] = [];
  const all = new Set(idle);
  let nextId = 1;
  let isClosed = false;

  function start(): WorkerProcess {
    const worker = startWorker(residentLimitBytes);
    all.add(worker);
    return worker;
  }

  function acquire(): Promise<WorkerProcess | undefined> {
    if (isClosed) return Promise.resolve(undefined);
    for (let worker = idle.pop(); worker !== undefined; worker = idle.pop()) {
      if (worker.isAlive()) return Promise.resolve(worker);
      all.delete(worker);
    }
    if (all.size < workers) return Promise.resolve(start());
    return new Promise((resolve) => waiting.push(resolve));
  }

  function release(worker: WorkerProcess): void {
    worker.listen(undefined);
    if (!worker.isAlive()) all.delete(worker);
    if (isClosed) return;
    // A worker that was killed is replaced at once, so that the next request finds a warm one.
    const next = worker.isAlive() ? worker : start();
    const waiter = waiting.shift();
    if (waiter === undefined) idle.push(next);
    else waiter(next);
  }

  async function call<Kind extends WorkerRequest["kind"]>(
    request: Of<Kind>,
    options: CallOptions = {},
  ): Promise<Result<WorkerValue[Kind]>> {
    if (options.signal?.aborted) return fail(cancelled);
    const worker = await acquire();
    if (worker === undefined) return fail(closed);
    if (options.signal?.aborted) {
      release(worker);
      return fail(cancelled);
    }
    const id = nextId;
    nextId += 1;
    try {
      return await converse<Kind>(worker, id, request, limits, options);
    } finally {
      release(worker);
    }
  }

  return {
    call,
    close() {
      isClosed = true;
      for (const worker of all) worker.kill(closed);
      all.clear();
      for (const waiter of waiting.splice(0)) waiter(undefined);
      return Promise.resolve();
    },
  };
}

const cancelled: Problem = {
  code: "cancelled",
  message: "Cancelled.",
  hint: "Run it again when you want it.",
};
const closed: Problem = {
  code: "closed",
  message: "The workspace is being closed.",
  hint: "Open it again.",
};

function converse<Kind extends WorkerRequest["kind"]>(
  worker: WorkerProcess,
  id: number,
  request: Of<Kind>,
  limits: Limits,
  options: CallOptions,
): Promise<Result<WorkerValue[Kind]>> {
  return new Promise((resolve) => {
    const abort = () => worker.kill(cancelled);
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => worker.kill(timedOut(options.timeoutMs ?? 0)), options.timeoutMs);
    const finish = (result: Result<WorkerValue[Kind]>) => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", abort);
      worker.listen(undefined);
      resolve(result);
    };
    options.signal?.addEventListener("abort", abort);
    worker.listen({
      message(message: FromWorker) {
        if (message.type === "ready" || message.id !== id) return;
        switch (message.type) {
          case "progress":
            options.onProgress?.(message.fraction, message.rows);
            break;
          case "batch":
            options.onBatch?.(message.ipc, (type) => worker.send({ type, id }));
            break;
          case "more":
            options.onMore?.((feed) => worker.send(feedMessage(id, feed)));
            break;
          case "done":
            finish(ok(message.value as WorkerValue[Kind]));
            break;
          case "failed":
            finish(fail(message.problem));
            break;
        }
      },
      ended: (problem) => finish(fail(problem)),
    });
    worker.send({ type: "request", id, limits, request });
  });
}

function feedMessage(id: number, feed: Feed): ToWorker {
  return feed === "end" ? { type: "end", id } : { type: "rows", id, ...feed };
}

function timedOut(timeoutMs: number): Problem {
  return {
    code: "query-timeout",
    message: `The query was stopped after ${timeoutMs / 1000} s, the longest it may take.`,
    hint: "Filter earlier, or aggregate in steps.",
  };
}
