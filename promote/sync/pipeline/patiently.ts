import { setTimeout as delay } from "node:timers/promises";
import type { Problem } from "#snapshots/problem.ts";
import type { PipelineEvent } from "../events.ts";
import { isTransient } from "../transient.ts";
import { STOPPED } from "../unless-stopped.ts";

const CAP_MS = 5000;
const BASE_MS = 200;

type Waiting = {
  signal: AbortSignal;
  observe: (event: PipelineEvent) => void;
  /** By waiting. */
  isCurable?: (problem: Problem) => boolean;
};

/** Does something until it is done: what waiting may cure is waited out. A problem: a person is needed, or the pipeline was stopped. */
export async function patiently(
  where: string,
  act: () => Promise<Problem | undefined>,
  { signal, observe, isCurable = isTransient }: Waiting,
): Promise<Problem | undefined> {
  for (let round = 0; !signal.aborted; round++) {
    const problem = await act();
    if (signal.aborted) break;
    if (problem !== undefined && !isCurable(problem)) return problem;
    observe({ kind: "backoff", where, problem });
    if (problem === undefined) return undefined;
    const waitMs = Math.min(CAP_MS, BASE_MS * 2 ** round);
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
  }
  return STOPPED;
}
