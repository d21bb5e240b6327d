import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { OutcomeAnswer, OutcomeRequest } from "./answer.ts";
import { interrupted } from "./problem.ts";

/** Resampling a million records takes seconds: it is done in a thread of its own, one metric after another. */
export function openOutcomesThread(signal: AbortSignal) {
  let worker: Worker | undefined;
  return {
    async outcomeOf(request: OutcomeRequest): Promise<Result<OutcomeAnswer>> {
      if (signal.aborted) return fail(interrupted);
      worker ??= new Worker(new URL("./worker.ts", import.meta.url));
      const answered = once(worker, "message", { signal });
      worker.postMessage(request, partsOf(request));
      try {
        const [answer] = (await answered) as [OutcomeAnswer];
        return ok(answer);
      } catch (error) {
        if (signal.aborted) return fail(interrupted);
        throw error;
      }
    },
    close: async (): Promise<void> => {
      await worker?.terminate();
    },
  };
}

/** Handed over instead of copied: a metric's parts are its own. What pairs its rows is shared by metrics, and is copied. */
function partsOf({ before, after }: OutcomeRequest): ArrayBuffer[] {
  const buffers = [before, after].flatMap(({ first, second, counted }) => [
    first.buffer,
    second.buffer,
    counted.buffer,
  ]);
  return [...new Set(buffers)].filter((buffer) => buffer instanceof ArrayBuffer);
}
