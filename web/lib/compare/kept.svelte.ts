import { api, isCancelled, problemOf, read } from "../client.ts";
import type { ComparisonSummary } from "#promote/review/answer.ts";
import type { Problem } from "#snapshots/problem.ts";

/** As many as one list shows. */
export const keptLimit = 200;

/** The comparisons of one transform that are kept, newest first. */
export class Kept {
  comparisons = $state.raw<ComparisonSummary[]>([]);
  isLoaded = $state(false);
  problem = $state.raw<Problem | undefined>(undefined);
  #request: AbortController | undefined;

  async load(notebook: string, transform: string): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    const query = { notebook, transform, limit: String(keptLimit) };
    try {
      const { comparisons } = await read(
        api.compare.history.$get({ query }, { init: { signal: request.signal } }),
      );
      if (request.signal.aborted) return;
      this.comparisons = comparisons;
      this.problem = undefined;
    } catch (error) {
      if (request.signal.aborted || isCancelled(error)) return;
      this.problem = problemOf(error);
    }
    this.isLoaded = true;
  }

  close(): void {
    this.#request?.abort();
  }
}
