import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { OutcomeAnswer, OutcomeRequest } from "./outcomes-answer.ts";

/** Resampling a million records takes seconds: it is done in a thread of its own, one metric after another. */
export function openOutcomesThread(signal: AbortSignal | undefined) {
  let worker: Worker | undefined;
  return {
    async outcomeOf(request: OutcomeRequest): Promise<OutcomeAnswer> {
      worker ??= new Worker(new URL("./outcomes-worker.ts", import.meta.url));
      const answered = once(worker, "message", signal ? { signal } : {});
      worker.postMessage(request);
      const [answer] = (await answered) as [OutcomeAnswer];
      return answer;
    },
    close: async (): Promise<void> => {
      await worker?.terminate();
    },
  };
}
