import { aligned } from "./arrow-ipc.ts";
import type { Feed, Pool } from "./pool.ts";
import { ProblemError, type Result } from "./problem.ts";
import type { MadeTable, WorkerRequest } from "./protocol.ts";

/** Some rows on their way into a table: an Arrow IPC stream, and where each row came from. */
export type Batch = { rows: Uint8Array; position?: BigInt64Array; part?: Int32Array };

/**
 * A table as a stream of batches. At most two are under way at a time, so a slow consumer holds the worker back; a consumer that stops
 * early lets it go. Throws `ProblemError`.
 */
export async function* readBatches(
  pool: Pool,
  request: Extract<WorkerRequest, { kind: "read" }>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const arrived: { ipc: Uint8Array; reply: (message: "more" | "end") => void }[] = [];
  let wake: (() => void) | undefined;
  let hasGranted = false;
  let isOver = false;
  const call = pool
    .call<"read">(request, {
      signal,
      onBatch(ipc, reply) {
        arrived.push({ ipc, reply });
        if (!hasGranted) reply("more");
        hasGranted = true;
        wake?.();
      },
    })
    .finally(() => {
      isOver = true;
      wake?.();
    });
  let reply: ((message: "more" | "end") => void) | undefined;
  try {
    for (;;) {
      const next = arrived.shift();
      if (next !== undefined) {
        reply = next.reply;
        reply("more");
        yield aligned(next.ipc);
        continue;
      }
      if (isOver) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const result = await call;
    if (!result.ok) throw new ProblemError(result.problem);
  } finally {
    if (!isOver) (reply ?? arrived[0]?.reply)?.("end");
    await call;
  }
}

/** Feeds a write, a batch each time the worker asks. */
export async function feedBatches(
  pool: Pool,
  request: Extract<WorkerRequest, { kind: "write" }>,
  batches: AsyncIterable<Batch>,
  signal: AbortSignal | undefined,
): Promise<Result<MadeTable>> {
  const iterator = batches[Symbol.asyncIterator]();
  let broken: unknown;
  const stop = new AbortController();
  const feed = async (send: (feed: Feed) => void) => {
    try {
      const next = await iterator.next();
      send(next.done ? "end" : next.value);
    } catch (error) {
      broken = error;
      stop.abort();
    }
  };
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const result = await pool.call<"write">(request, {
    signal: either,
    onMore: (send) => void feed(send),
  });
  if (broken instanceof ProblemError) return { ok: false, problem: broken.problem };
  if (broken !== undefined) throw broken;
  if (!result.ok) await iterator.return?.();
  return result;
}
