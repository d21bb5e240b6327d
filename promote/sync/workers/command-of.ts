import type { Problem } from "#snapshots/problem.ts";
import type { Progress } from "../order/progress.ts";
import type { WorkerReport } from "./workers.ts";

/** What a worker knew of its pipeline when it began, or when it last looked and had nothing to obey. */
export type Known = Pick<Progress, "resumes" | "halts">;

/**
 * What another process wants of a worker: somebody asked for a pause or a resume, or another worker met what halts the pipeline. Undefined: nothing.
 */
export function commandOf(
  state: WorkerReport["state"],
  asked: Progress,
  known: Known,
): "pause" | "resume" | { halt: Problem } | undefined {
  const { isPaused, resumes, halts, halted } = asked;
  switch (state) {
    case "running":
      if (isPaused) return "pause";
      return halted !== undefined && halts > known.halts ? { halt: halted } : undefined;
    case "paused":
    case "halted":
      return !isPaused && resumes > known.resumes ? "resume" : undefined;
    case "starting":
    case "stopped":
      return undefined;
  }
}
