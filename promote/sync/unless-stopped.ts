import { fail, type Result } from "#snapshots/problem.ts";

/** What the work comes to, or a problem as soon as the signal is aborted: the work then ends unheard. */
export async function unlessStopped<T>(
  work: Promise<Result<T>>,
  signal: AbortSignal,
): Promise<Result<T>> {
  const { promise: stopped, resolve } = Promise.withResolvers<Result<T>>();
  const stop = (): void => resolve(fail({ code: "stopped", message: "It was stopped." }));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([stopped, work]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
