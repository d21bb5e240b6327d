import type { DatabaseSync } from "node:sqlite";
import type { PipelineId } from "./epochs.ts";
import { commitProgress, type Finished } from "./progress.ts";

type Waiting = {
  finished: Finished;
  owner: string;
  resolve: (isOurs: boolean) => void;
  reject: (cause: unknown) => void;
};

/** Finished batches on their way into the state database. Those that are finished together go in one transaction: each waits for the disk. */
export type ProgressCommits = {
  /** In the order in which they are added. Resolves when it is durable; false: another worker owns the stretch by now. */
  add(finished: Finished, owner: string): Promise<boolean>;
};

export function openProgressCommits(state: DatabaseSync, id: PipelineId): ProgressCommits {
  let waiting: Waiting[] = [];

  function commit(): void {
    const together = waiting;
    waiting = [];
    try {
      const areOurs = commitProgress(state, id, together);
      together.forEach(({ resolve }, i) => resolve(areOurs[i] === true));
    } catch (cause) {
      for (const { reject } of together) reject(cause);
    }
  }

  return {
    add(finished, owner) {
      // What the same answer of a sink finishes is added before the next turn of the event loop.
      if (waiting.length === 0) setImmediate(commit);
      return new Promise((resolve, reject) => waiting.push({ finished, owner, resolve, reject }));
    },
  };
}
