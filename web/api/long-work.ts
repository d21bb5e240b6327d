import type { Problem, Result } from "#snapshots/problem.ts";
import { problemOf } from "./refusal.ts";

/** A line of a stream of long work. An empty line in between is a heartbeat. */
export type WorkEvent<Progress, Value> =
  | ({ type: "progress" } & Progress)
  | { type: "done"; value: Value }
  | { type: "failed"; problem: Problem };

export type Work<Progress, Value> = (
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
) => Promise<Result<Value>>;

/** Longer silence than this makes proxies and people doubt. */
const heartbeatMs = 5_000;
/** A reader that does not keep up loses progress lines beyond this, never the last line. */
const bufferedLines = 256;

/**
 * Answers with newline-delimited JSON while the work goes on: progress, then `done` or `failed`. When the client closes
 * the request the work's signal is aborted; the caller promises work that ends soon after.
 */
export function streamWork<Progress extends object, Value>(
  request: Request,
  work: Work<Progress, Value>,
): Response {
  const abort = new AbortController();
  const encoder = new TextEncoder();
  let heartbeat: ReturnType<typeof setInterval> | undefined;
  const cancel = () => {
    clearInterval(heartbeat);
    abort.abort();
  };
  request.signal.addEventListener("abort", cancel, { once: true });
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const line = (event: WorkEvent<Progress, Value> | undefined) => {
          if (abort.signal.aborted) return;
          controller.enqueue(encoder.encode(event ? `${JSON.stringify(event, jsonSafe)}\n` : "\n"));
        };
        const onProgress = (progress: Progress) => {
          if ((controller.desiredSize ?? 0) > 0) line({ ...progress, type: "progress" });
        };
        line(undefined);
        heartbeat = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) line(undefined);
        }, heartbeatMs);
        const finish = async () => {
          const event = await settle(work, abort.signal, onProgress);
          clearInterval(heartbeat);
          request.signal.removeEventListener("abort", cancel);
          if (abort.signal.aborted) {
            // Whoever still reads (in process, where no connection broke) learns that it ended, once it has.
            controller.error(abort.signal.reason);
            return;
          }
          line(event);
          controller.close();
        };
        void finish();
      },
      cancel,
    },
    { highWaterMark: bufferedLines },
  );
  return new Response(stream, {
    headers: {
      "content-type": "application/x-ndjson; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

/** For `JSON.stringify`: integers beyond 2^53 as text, bytes as base64, so that an answer is never a crash. */
export function jsonSafe(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return value;
}

async function settle<Progress, Value>(
  work: Work<Progress, Value>,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<WorkEvent<Progress, Value>> {
  try {
    const result = await work(signal, onProgress);
    if (result.ok) return { type: "done", value: result.value };
    return { type: "failed", problem: result.problem };
  } catch (error) {
    return { type: "failed", problem: problemOf(error) };
  }
}
