import { api, isCancelled, problemOf, read } from "../client.ts";
import type { Remark, ReviewState } from "#promote/review/answer.ts";
import type { Problem } from "#snapshots/problem.ts";
import type { DiffKind, DiffRow, ValueFilter } from "#snapshots/diff.ts";
import type { Filters } from "./filters.ts";

/** What a remark says. */
export type Said = { text: string; isIntended: boolean };

/** … and of what: one row, or all that filters leave. */
type SaidOf = Said &
  (
    | { difference: string; kind: DiffKind; key: unknown[] }
    | { kind?: DiffKind; column?: string; values?: ValueFilter[]; cause?: string }
  );

/** How far the review of a comparison has come; what is said here is kept at once. */
export class Reviewing {
  state = $state.raw<ReviewState | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  /** How often something was said: rows that depend on it are fetched anew. */
  version = $state(0);
  #id = "";
  #since: string | undefined;
  #request: AbortController | undefined;

  async show(id: string, since: string | undefined): Promise<void> {
    if (id !== this.#id || since !== this.#since) this.state = undefined;
    this.#id = id;
    this.#since = since;
    await this.load();
  }

  async load(): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    const query = this.#since === undefined ? {} : { since: this.#since };
    try {
      const state = await read(
        api.compare[":id"].review.$get(
          { param: { id: this.#id }, query },
          { init: { signal: request.signal } },
        ),
      );
      if (request.signal.aborted) return;
      this.state = state;
      this.problem = undefined;
    } catch (error) {
      if (request.signal.aborted || isCancelled(error)) return;
      this.problem = problemOf(error);
    }
  }

  /** Each of these gives what went wrong, if anything: it is shown where it was asked. */
  async markReviewed(note: string): Promise<Problem | undefined> {
    const json = note.trim() === "" ? {} : { note: note.trim() };
    return this.#say(read(api.compare[":id"].reviews.$post({ param: { id: this.#id }, json })));
  }

  async remarkRow(row: DiffRow, said: Said): Promise<Problem | undefined> {
    const { difference, kind, key } = row;
    if (difference === undefined) return undefined;
    return this.#remark({ ...said, difference, kind, key });
  }

  async remarkRows(
    { kind, column, values, cause, review, remark }: Filters,
    said: Said,
  ): Promise<Problem | undefined> {
    // The same as the list of rows is asked for by.
    const since = review === undefined ? undefined : this.#since;
    return this.#remark({
      ...(review ? { review } : {}),
      ...(since === undefined ? {} : { since }),
      ...(remark === undefined ? {} : { remark }),
      ...said,
      ...(kind ? { kind } : {}),
      ...(column === undefined ? {} : { column }),
      ...(values.length > 0 ? { values } : {}),
      ...(cause === undefined ? {} : { cause }),
    });
  }

  async remove({ id }: Remark): Promise<Problem | undefined> {
    const param = { id: this.#id, remark: String(id) };
    return this.#say(read(api.compare[":id"].remarks[":remark"].$delete({ param })));
  }

  close(): void {
    this.#request?.abort();
  }

  #remark(json: SaidOf): Promise<Problem | undefined> {
    return this.#say(read(api.compare[":id"].remarks.$post({ param: { id: this.#id }, json })));
  }

  async #say(request: Promise<unknown>): Promise<Problem | undefined> {
    try {
      await request;
    } catch (error) {
      return problemOf(error);
    }
    await this.load();
    this.version += 1;
    return undefined;
  }
}
