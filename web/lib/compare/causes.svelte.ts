import { api, isCancelled, problemOf, read } from "../client.ts";
import type { Causes } from "#promote/compare-details.ts";
import type { Problem } from "#snapshots/problem.ts";

/** The search for what explains a comparison's differences; begun when somebody looks. */
export class CauseSearch {
  state = $state<"idle" | "working" | "done" | "failed">("idle");
  found = $state.raw<Causes | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  readonly #id: string;
  #request: AbortController | undefined;

  constructor(id: string) {
    this.#id = id;
  }

  async search(budgetMs?: number): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    this.state = "working";
    this.problem = undefined;
    try {
      const found = await read(
        api.compare[":id"].causes.$get(
          {
            param: { id: this.#id },
            query: budgetMs === undefined ? {} : { budget: String(budgetMs) },
          },
          { init: { signal: request.signal } },
        ),
      );
      if (request.signal.aborted) return;
      this.found = found;
      this.state = "done";
    } catch (error) {
      if (request.signal.aborted || isCancelled(error)) return;
      this.problem = problemOf(error);
      this.state = "failed";
    }
  }

  /** What was found before stays. */
  cancel(): void {
    this.#request?.abort();
    this.state = this.found ? "done" : "idle";
  }

  close(): void {
    this.#request?.abort();
  }
}
