import { api, follow, isCancelled, problemOf } from "../client.ts";
import type { Problem } from "#snapshots/problem.ts";
import type { SnapshotManifest } from "#snapshots/workspace.ts";

export type FreezeRequest = {
  source: string;
  label: string;
  sample?: { fraction: number; seed: number };
};
type Outcome = { snapshot: SnapshotManifest; reused: boolean };

/** One freeze on its way. Cancelling closes the request; the server then leaves nothing behind. */
export class Freezing {
  state = $state<"idle" | "working" | "done" | "failed" | "cancelled">("idle");
  request = $state.raw<FreezeRequest | undefined>(undefined);
  rows = $state(0);
  fraction = $state(0);
  startedAt = $state(0);
  tookMs = $state(0);
  outcome = $state.raw<Outcome | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  #abort: AbortController | undefined;

  async start(request: FreezeRequest): Promise<Outcome | undefined> {
    const abort = new AbortController();
    this.#abort = abort;
    this.request = request;
    this.state = "working";
    this.rows = 0;
    this.fraction = 0;
    this.outcome = undefined;
    this.problem = undefined;
    this.startedAt = Date.now();
    try {
      const outcome = await follow<Outcome, { rows: number; fraction: number }>(
        api.snapshots.$post({ json: request }, { init: { signal: abort.signal } }),
        (progress) => {
          this.rows = progress.rows;
          this.fraction = progress.fraction;
        },
      );
      this.tookMs = Date.now() - this.startedAt;
      this.outcome = outcome;
      this.state = "done";
      return outcome;
    } catch (error) {
      if (abort.signal.aborted || isCancelled(error)) return undefined;
      this.problem = problemOf(error);
      this.state = "failed";
      return undefined;
    }
  }

  cancel(): void {
    this.#abort?.abort();
    this.state = "cancelled";
  }

  reset(): void {
    if (this.state !== "working") this.state = "idle";
  }
}
