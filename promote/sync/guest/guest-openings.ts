import { setTimeout as delay } from "node:timers/promises";
import type { Slice } from "#kernel/guest/slice.ts";
import type { Result } from "#snapshots/problem.ts";

/** How often opening is tried at all, by what went wrong. What is not named here is the release's own and the same each time. */
const TRIES: Readonly<Record<string, number>> = {
  "guest-start": 8,
  "guest-killed": 8,
  "guest-died": 8,
  "query-worker-ended": 8,
  // These may be the machine's fault, or the release's each time anew, and take long.
  "guest-memory": 3,
  "query-memory": 3,
  "guest-garbage": 3,
  "guest-hung": 2,
};

const BASE_MS = 200;
const CAP_MS = 5_000;

/** A wait that grows with how often something failed; over at once when aborted. */
export function backOff(failures: number, signal: AbortSignal): Promise<void> {
  const waitMs = Math.min(CAP_MS, BASE_MS * 2 ** (failures - 1));
  return delay(waitMs, undefined, { signal }).catch(() => undefined);
}

/** Opens a guest, again where trying again may help. The problem is the last one. `onFailure` hears of each that is tried again. */
export async function openPatiently(
  open: (signal: AbortSignal) => Promise<Result<Slice>>,
  signal: AbortSignal,
  onFailure: () => void,
): Promise<Result<Slice>> {
  for (let failures = 1; ; failures++) {
    const opened = await open(signal);
    if (opened.ok || signal.aborted) return opened;
    if (failures >= (TRIES[opened.problem.code] ?? 1)) return opened;
    onFailure();
    await backOff(failures, signal);
  }
}
