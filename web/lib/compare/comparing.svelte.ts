import { api, follow, isCancelled, problemOf, read } from "../client.ts";
import type { Comparison, CompareProgress } from "#promote/compare.ts";
import type { Problem } from "#snapshots/problem.ts";
import type { Question } from "./question.ts";
import { parseSide } from "./side.ts";

/** One comparison on its way: asked, computed with progress, then here; or opened as it was kept. */
export class Comparing {
  state = $state<"idle" | "opening" | "working" | "done" | "failed" | "cancelled">("idle");
  step = $state("");
  fraction = $state<number | undefined>(undefined);
  startedAt = $state(0);
  result = $state.raw<Comparison | undefined>(undefined);
  /** The last answer is shown, and it is not known yet whether both versions are still the same. */
  isChecking = $state(false);
  problem = $state.raw<Problem | undefined>(undefined);
  #request: AbortController | undefined;

  async start(question: Question): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    const [before, after] = [parseSide(question.before), parseSide(question.after)];
    this.result = undefined;
    this.isChecking = false;
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
      const result = await follow<Comparison, Partial<CompareProgress>>(
        api.compare.$post(
          { json: { notebook: question.notebook, transform: question.transform, before, after } },
          { init: { signal: request.signal } },
        ),
        (progress) => {
          if (request.signal.aborted) return;
          this.#report(progress);
        },
      );
      if (request.signal.aborted) return;
      this.#answer(result);
    } catch (error) {
      if (request.signal.aborted || isCancelled(error)) return;
      this.isChecking = false;
      this.problem = problemOf(error);
      this.state = "failed";
    }
  }

  /** A comparison that was made before: nothing runs. */
  async open(id: string): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    if (this.result?.id !== id) this.result = undefined;
    this.isChecking = false;
    this.problem = undefined;
    this.state = "opening";
    try {
      const result = await read(
        api.compare[":id"].$get({ param: { id } }, { init: { signal: request.signal } }),
      );
      if (!request.signal.aborted) this.#answer(result);
    } catch (error) {
      if (request.signal.aborted || isCancelled(error)) return;
      this.problem = problemOf(error);
      this.state = "failed";
    }
  }

  #answer(result: Comparison): void {
    // The same answer stays the same object: nothing on the page is asked for again.
    if (this.result?.id !== result.id) this.result = result;
    this.isChecking = false;
    this.state = "done";
  }

  #report({ step, fraction, last }: Partial<CompareProgress>): void {
    if (last) {
      this.result = last;
      this.isChecking = true;
      this.state = "done";
      return;
    }
    // Work goes on after the versions were built: the last answer holds no more.
    this.state = "working";
    this.isChecking = false;
    this.result = undefined;
    if (step) this.step = step;
    this.fraction = fraction;
  }

  cancel(): void {
    this.#request?.abort();
    this.isChecking = false;
    this.state = "cancelled";
  }

  close(): void {
    this.#request?.abort();
  }
}
