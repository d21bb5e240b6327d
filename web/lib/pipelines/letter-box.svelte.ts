import { api, isCancelled, problemOf, read } from "../client.ts";
import type { Problem } from "#snapshots/problem.ts";
import type { LetterGroup } from "#promote/dead-letter-groups.ts";
import type { DeadLetter, LetterPlace } from "./dead-letters.ts";
import type { Rewrite } from "./replays.ts";

export type ReplayChoice = "all" | { group: string } | LetterPlace[];
/** What a replay was answered with. `gone`: their records are no longer in the topic. `left`: more than one replay takes. */
export type Answered = { asked: number; gone: number; left: number };

export const pageSize = 50;

/** A pipeline's dead letters as the page shows them: all groups, one group's page of letters, one letter in full. */
export class LetterBox {
  groups = $state.raw<LetterGroup[]>();
  total = $state(0);
  /** The page of the chosen group as it was read: it stays until it is asked for again, so that nothing moves under the pointer. */
  letters = $state.raw<DeadLetter[]>();
  lettersTotal = $state(0);
  letter = $state.raw<{ group: string; letter: DeadLetter }>();
  /** Why the letter the address names is not shown. */
  letterProblem = $state.raw<Problem>();
  rewrites = $state.raw<Rewrite[]>([]);
  problem = $state.raw<Problem>();
  isAsking = $state(false);
  answered = $state.raw<Answered>();
  readonly #param: { env: string; name: string };
  readonly #closing = new AbortController();
  #listing: AbortController | undefined;
  #opening: AbortController | undefined;
  /** How long the last look took: a large box is looked into less often. */
  #tookMs = 0;

  constructor(env: string, name: string) {
    this.#param = { env, name };
  }

  get pauseMs(): number {
    return Math.max(2_000, 10 * this.#tookMs);
  }

  get #routes() {
    return api.pipelines[":env"][":name"];
  }

  async look(): Promise<void> {
    const init = { init: { signal: this.#closing.signal } };
    const startedAt = performance.now();
    try {
      const [found, { rewrites }] = await Promise.all([
        read(this.#routes["dead-letters"].groups.$get({ param: this.#param }, init)),
        read(this.#routes.rewrites.$get({ param: this.#param }, init)),
      ]);
      this.#tookMs = performance.now() - startedAt;
      this.groups = found.groups;
      this.total = found.total;
      this.rewrites = rewrites;
      this.problem = undefined;
    } catch (error) {
      this.#report(error);
    }
  }

  async list(group: string, page: number): Promise<void> {
    this.#listing?.abort();
    const request = new AbortController();
    this.#listing = request;
    try {
      const query = { group, offset: String(page * pageSize), limit: String(pageSize) };
      const found = await read(
        this.#routes["dead-letters"].$get(
          { param: this.#param, query },
          { init: { signal: request.signal } },
        ),
      );
      if (request.signal.aborted) return;
      this.letters = found.letters;
      this.lettersTotal = found.total;
    } catch (error) {
      if (!request.signal.aborted) this.#report(error);
    }
  }

  async open(place: LetterPlace): Promise<void> {
    this.#opening?.abort();
    const request = new AbortController();
    this.#opening = request;
    const query = {
      topic: place.topic,
      partition: String(place.partition),
      offset: String(place.offset),
    };
    try {
      const found = await read(
        this.#routes["dead-letters"].letter.$get(
          { param: this.#param, query },
          { init: { signal: request.signal } },
        ),
      );
      if (request.signal.aborted) return;
      this.letter = found;
      this.letterProblem = undefined;
    } catch (error) {
      if (request.signal.aborted || isCancelled(error)) return;
      this.letterProblem = problemOf(error);
    }
  }

  async replay(letters: ReplayChoice): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    this.answered = undefined;
    this.problem = undefined;
    try {
      const json = { letters };
      this.answered = await read(
        this.#routes["dead-letters"].replay.$post({ param: this.#param, json }),
      );
      await this.look();
    } catch (error) {
      this.#report(error);
    }
    this.isAsking = false;
  }

  close(): void {
    this.#closing.abort();
    this.#listing?.abort();
    this.#opening?.abort();
  }

  #report(error: unknown): void {
    if (!this.#closing.signal.aborted && !isCancelled(error)) this.problem = problemOf(error);
  }
}
