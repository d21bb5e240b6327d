import { api, follow, isCancelled, problemOf } from "../client.ts";
import type { Comparison } from "#promote/compare.ts";
import type { Problem } from "#snapshots/problem.ts";
import { parseSide } from "./side.ts";

/** What is compared, as the address bar names it. */
export type Question = { notebook: string; transform: string; before: string; after: string };

/** One comparison on its way: asked, computed with progress, then here. */
export class Comparing {
  state = $state<"idle" | "working" | "done" | "failed" | "cancelled">("idle");
  step = $state("");
  fraction = $state<number | undefined>(undefined);
  startedAt = $state(0);
  result = $state.raw<Comparison | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  #request: AbortController | undefined;

  async start(question: Question): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    const [before, after] = [parseSide(question.before), parseSide(question.after)];
    this.result = undefined;
    this.problem = undefined;
    if (!before || !after) {
      this.state = "failed";
      this.problem = {
        code: "side-unknown",
        message: `The address names a side that is none: \`${before ? question.after : question.before}\`.`,
        hint: "Choose both sides above.",
      };
      return;
    }
    this.state = "working";
    this.step = "Starting";
    this.fraction = undefined;
    this.startedAt = Date.now();
    try {
      const result = await follow<Comparison, { step?: string; fraction?: number }>(
        api.compare.$post(
          { json: { notebook: question.notebook, transform: question.transform, before, after } },
          { init: { signal: request.signal } },
        ),
        (progress) => {
          if (request.signal.aborted) return;
          if (progress.step) this.step = progress.step;
          this.fraction = progress.fraction;
        },
      );
      if (request.signal.aborted) return;
      this.result = result;
      this.state = "done";
    } catch (error) {
      if (request.signal.aborted || isCancelled(error)) return;
      this.problem = problemOf(error);
      this.state = "failed";
    }
  }

  cancel(): void {
    this.#request?.abort();
    this.state = "cancelled";
  }

  close(): void {
    this.#request?.abort();
  }
}
