import { api, isCancelled, problemOf, read } from "../client.ts";
import type { Problem } from "#snapshots/problem.ts";
import type { LetterGroup } from "#promote/dead-letter-groups.ts";
import type { DeadLetter, LetterPlace, ListedLetter, Shelf } from "./dead-letters.ts";
import type { Rewrite } from "./replays.ts";

/** Which letters. `until`: those of the group that had failed by then, which is what somebody has seen of it. */
export type Choice = "all" | { group: string; until: string } | LetterPlace[];
export type Action = "replay" | "dismiss" | "restore";
/** What came of it. Of a replay, `gone`: their records are no longer in the topic; `moved`: they are from before it was given more partitions. */
export type Answered =
  | { action: "replay"; asked: number; gone: number; moved: number }
  | { action: "dismiss" | "restore"; letters: number };

export const pageSize = 50;

/** A pipeline's dead letters as the page shows them: all groups, one group's page of letters, one letter in full. */
export class LetterBox {
  groups = $state.raw<LetterGroup[]>();
  /** How many there are, of many groups more than are listed. */
  groupsTotal = $state(0);
  total = $state(0);
  openTotal = $state(0);
  dismissedTotal = $state(0);
  /** Those that somebody dismissed, or the others. */
  readonly #shelf: () => Shelf;
  /** The page of the chosen group as it was read: it stays until it is asked for again, so that nothing moves under the pointer. */
  letters = $state.raw<ListedLetter[]>();
  lettersTotal = $state(0);
  /** Of which group the listed letters are. */
  listed = $state.raw<string>();
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

  constructor(env: string, name: string, shelf: () => Shelf) {
    this.#param = { env, name };
    this.#shelf = shelf;
  }

  get pauseMs(): number {
    return Math.max(2_000, 10 * this.#tookMs);
  }

  get #routes() {
    return api.pipelines[":env"][":name"];
  }

  async look(): Promise<void> {
    const shelf = this.#shelf();
    const init = { init: { signal: this.#closing.signal } };
    const startedAt = performance.now();
    try {
      const [found, { rewrites }] = await Promise.all([
        read(
          this.#routes["dead-letters"].groups.$get({ param: this.#param, query: { shelf } }, init),
        ),
        read(this.#routes.rewrites.$get({ param: this.#param }, init)),
      ]);
      this.#tookMs = performance.now() - startedAt;
      this.rewrites = rewrites;
      // Another shelf was asked for meanwhile.
      if (shelf !== this.#shelf()) return;
      this.groups = found.groups;
      this.groupsTotal = found.groupsTotal;
      this.total = found.total;
      this.openTotal = found.open;
      this.dismissedTotal = found.dismissed;
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
      const shelf = this.#shelf();
      const query = { group, shelf, offset: String(page * pageSize), limit: String(pageSize) };
      const found = await read(
        this.#routes["dead-letters"].$get(
          { param: this.#param, query },
          { init: { signal: request.signal } },
        ),
      );
      if (request.signal.aborted) return;
      this.letters = found.letters;
      this.listed = group;
      this.lettersTotal = found.total;
    } catch (error) {
      if (!request.signal.aborted) this.#report(error);
    }
  }

  async open(place: LetterPlace): Promise<void> {
    this.#opening?.abort();
    const request = new AbortController();
    this.#opening = request;
    const query = queryOf(place);
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

  async act(action: Action, choice: Choice): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    this.answered = undefined;
    this.problem = undefined;
    try {
      this.answered = await this.#ask(action, choice);
      await this.look();
    } catch (error) {
      this.#report(error);
    }
    this.isAsking = false;
  }

  async #ask(action: Action, choice: Choice): Promise<Answered> {
    const { replay, dismiss, restore } = this.#routes["dead-letters"];
    const param = this.#param;
    if (action === "replay") {
      const letters = replayed(choice);
      return { action, ...(await read(replay.$post({ param, json: { letters } }))) };
    }
    if (choice === "all") throw new Error("Letters are dismissed by the group.");
    const json = { letters: choice };
    if (action === "dismiss")
      return { action, letters: (await read(dismiss.$post({ param, json }))).dismissed };
    return { action, letters: (await read(restore.$post({ param, json }))).restored };
  }

  /** Where every byte of a record's key or value is to be had. */
  bytesHref(place: LetterPlace, part: "key" | "value"): string {
    const { env, name } = this.#param;
    const path = [env, name].map(encodeURIComponent).join("/");
    const query = new URLSearchParams(queryOf(place));
    return `/api/pipelines/${path}/dead-letters/letter/${part}?${query}`;
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

const queryOf = ({ partition, offset, topic, incarnation, stage }: LetterPlace) => ({
  topic,
  incarnation,
  stage,
  partition: String(partition),
  offset: String(offset),
});

/** A replay takes records, whichever stage refused them. */
function replayed(choice: Choice) {
  if (choice === "all") return choice;
  if ("group" in choice) return { groups: [choice.group] };
  return { records: choice.map(({ topic, partition, offset }) => ({ topic, partition, offset })) };
}
