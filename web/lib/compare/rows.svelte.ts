import { problemOf } from "../client.ts";
import type { DiffPage, DiffRow } from "#snapshots/diff.ts";
import type { Problem } from "#snapshots/problem.ts";

const block = 200;
const keepBlocks = 12;

/** Fetches the rows of one list, `offset` first, and how many it holds. */
export type FetchRows = (offset: number, limit: number, signal: AbortSignal) => Promise<DiffPage>;

/** The rows of a list of which only what is in view is fetched; blocks far from view are forgotten. */
export class PagedRows {
  #blocks = $state.raw<Readonly<Record<number, DiffRow[]>>>({});
  problem = $state.raw<Problem | undefined>(undefined);
  /** As the server counted them; unknown until it has answered. */
  total = $state<number | undefined>(undefined);
  readonly #fetch: FetchRows;
  readonly #pending: Record<number, AbortController> = {};

  constructor(fetch: FetchRows) {
    this.#fetch = fetch;
  }

  at(index: number): DiffRow | undefined {
    return this.#blocks[Math.floor(index / block)]?.[index % block];
  }

  /** Asks for what rows `from` to `to` need; requests for what has left the view are dropped. */
  need(from: number, to: number): void {
    const [first, last] = [Math.floor(from / block), Math.floor(Math.max(from, to - 1) / block)];
    for (const at of Object.keys(this.#pending).map(Number)) {
      if (at < first - 1 || at > last + 1) this.#drop(at);
    }
    for (let at = first; at <= last; at += 1) {
      if (!this.#blocks[at] && !this.#pending[at]) void this.#load(at, first, last);
    }
  }

  retry(from: number, to: number): void {
    this.problem = undefined;
    this.need(from, to);
  }

  /** The same list may hold other rows now: what is in view is asked for again. */
  renew(): void {
    this.close();
    this.#blocks = {};
  }

  close(): void {
    for (const at of Object.keys(this.#pending).map(Number)) this.#drop(at);
  }

  #drop(at: number): void {
    this.#pending[at]?.abort();
    delete this.#pending[at];
  }

  async #load(at: number, first: number, last: number): Promise<void> {
    const request = new AbortController();
    this.#pending[at] = request;
    try {
      const { rows, total } = await this.#fetch(at * block, block, request.signal);
      if (request.signal.aborted) return;
      const far = (index: number) => Math.max(first - index, index - last);
      const nearest = Object.entries({ ...this.#blocks, [at]: rows })
        .toSorted(([a], [b]) => far(Number(a)) - far(Number(b)))
        .slice(0, keepBlocks);
      this.#blocks = Object.fromEntries(nearest);
      this.total = total;
      this.problem = undefined;
    } catch (error) {
      if (!request.signal.aborted) this.problem = problemOf(error);
    } finally {
      if (this.#pending[at] === request) delete this.#pending[at];
    }
  }
}
