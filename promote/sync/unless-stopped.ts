import type { Problem } from "#snapshots/problem.ts";
import type { Outcome } from "./ports.ts";

export const STOPPED: Problem = { code: "stopped", message: "It was stopped." };
/** What became of an operation nobody waits for any more: it may be written or not. */
export const GIVEN_UP: Outcome = { kind: "retryAfter", afterMs: 0, problem: STOPPED };

/** What the work comes to, or `stopped` as soon as the signal is aborted: the work then ends unheard. */
export async function unlessStopped<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  stopped: T,
): Promise<T> {
  if (signal === undefined) return work;
  const { promise, resolve } = Promise.withResolvers<T>();
  const stop = (): void => resolve(stopped);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promise, work]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
