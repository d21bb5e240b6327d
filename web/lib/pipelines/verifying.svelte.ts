import { api, follow, isCancelled, problemOf } from "../client.ts";
import type { Repair } from "#promote/sync/sync.ts";
import type { VerifyProgress, VerifyReport } from "#promote/sync/verify/verify.ts";
import type { Problem } from "#snapshots/problem.ts";

/** One verify of a pipeline on its way, and what it found; then the repair that would heal it, which is carried out by a press of its own. */
export class Verifying {
  work = $state<"" | "verify" | "plan" | "apply">("");
  step = $state("");
  records = $state(0);
  startedAt = $state(0);
  endedAt = $state(0);
  isCancelled = $state(false);
  report = $state.raw<VerifyReport>();
  repair = $state.raw<Repair>();
  problem = $state.raw<Problem>();
  #request: AbortController | undefined;
  readonly #param: { env: string; name: string };

  constructor(env: string, name: string) {
    this.#param = { env, name };
  }

  async verify(): Promise<void> {
    const { verify } = api.pipelines[":env"][":name"];
    this.repair = undefined;
    await this.#run("verify", (init) =>
      follow<VerifyReport, VerifyProgress>(
        verify.$post({ param: this.#param, json: { samples: 100 } }, init),
        this.#onProgress,
      ).then((report) => {
        this.report = report;
      }),
    );
  }

  /** Verifies once more, and plans what would heal every difference; with `apply`, has it done. */
  async plan(apply: boolean): Promise<void> {
    const { repair } = api.pipelines[":env"][":name"];
    await this.#run(apply ? "apply" : "plan", (init) =>
      follow<Repair, VerifyProgress>(
        repair.$post({ param: this.#param, json: { apply } }, init),
        this.#onProgress,
      ).then((made) => {
        this.repair = made;
        this.report = made.report;
      }),
    );
  }

  cancel(): void {
    this.#request?.abort();
    this.work = "";
    this.isCancelled = true;
  }

  close(): void {
    this.#request?.abort();
  }

  readonly #onProgress = ({ step, records }: VerifyProgress): void => {
    this.step = step;
    this.records = records;
  };

  async #run(
    work: "verify" | "plan" | "apply",
    task: (init: { init: { signal: AbortSignal } }) => Promise<void>,
  ): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    this.work = work;
    this.isCancelled = false;
    this.problem = undefined;
    this.step = "taking the cut";
    this.records = 0;
    this.startedAt = Date.now();
    try {
      await task({ init: { signal: request.signal } });
    } catch (error) {
      if (request.signal.aborted || isCancelled(error)) return;
      this.problem = problemOf(error);
    }
    if (this.#request !== request) return;
    this.work = "";
    this.endedAt = Date.now();
  }
}
