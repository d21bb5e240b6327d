import { api, isCancelled, problemOf, read } from "../client.ts";
import type { ProfilePair } from "#snapshots/diff-profile.ts";
import type { Problem } from "#snapshots/problem.ts";

/** A column of a comparison at a glance, fetched when it is opened. */
export class OpenProfile {
  pair = $state.raw<ProfilePair | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  readonly #id: string;
  readonly #column: string;
  readonly #request = new AbortController();

  constructor(id: string, column: string) {
    this.#id = id;
    this.#column = column;
  }

  async load(): Promise<void> {
    const { signal } = this.#request;
    this.problem = undefined;
    try {
      const pair = await read(
        api.compare[":id"].profile.$get(
          { param: { id: this.#id }, query: { column: this.#column } },
          { init: { signal } },
        ),
      );
      if (!signal.aborted) this.pair = pair;
    } catch (error) {
      if (!signal.aborted && !isCancelled(error)) this.problem = problemOf(error);
    }
  }

  close(): void {
    this.#request.abort();
  }
}
