import { api, follow, isCancelled, problemOf } from "../client.ts";
import type { Problem } from "#snapshots/problem.ts";

export type BuildRequest = { notebook: string; transform: string; message: string };
type Step = { name: string; startedAt: number; tookMs?: number };

/** One build on its way, step by step as the server reports them. */
export class Building {
  state = $state<"idle" | "working" | "failed" | "cancelled" | "done">("idle");
  steps = $state.raw<Step[]>([]);
  fraction = $state<number | undefined>(undefined);
  startedAt = $state(0);
  problem = $state.raw<Problem | undefined>(undefined);
  #abort: AbortController | undefined;

  /** The hash of what was built. */
  async start(request: BuildRequest): Promise<string | undefined> {
    const abort = new AbortController();
    this.#abort = abort;
    this.state = "working";
    this.steps = [];
    this.fraction = undefined;
    this.problem = undefined;
    this.startedAt = Date.now();
    try {
      const release = await follow<{ hash: string }, { step?: string; fraction?: number }>(
        api.releases.$post({ json: request }, { init: { signal: abort.signal } }),
        ({ step, fraction }) => {
          if (step !== undefined && step !== this.steps.at(-1)?.name) this.#begin(step);
          this.fraction = fraction;
        },
      );
      this.#end();
      this.state = "done";
      return release.hash;
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

  #begin(name: string): void {
    this.#end();
    this.steps = [...this.steps, { name, startedAt: Date.now() }];
  }

  #end(): void {
    const last = this.steps.at(-1);
    if (last)
      this.steps = [...this.steps.slice(0, -1), { ...last, tookMs: Date.now() - last.startedAt }];
  }
}
