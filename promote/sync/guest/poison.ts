import type { SliceBatch } from "#kernel/guest/slice.ts";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";

/** Rows `from..to` of a decoded batch as the transform left them. `output` is missing when no guest lived through the one row. */
export type Chunk =
  | { from: number; to: number; output: SliceBatch }
  | { from: number; to: number; poison: string };

/** What became of some rows in the guest. A guest that failed is gone, and the next try has a fresh one. */
export type Tried =
  | { kind: "done"; output: SliceBatch }
  /** `isFirst`: they were the first this guest was given. `wasKilled`: from outside, and not by what it ran. */
  | { kind: "failed"; reason: string; isFirst: boolean; wasKilled: boolean }
  | { kind: "halted"; problem: Problem };

export type PoisonParts = {
  attempt(from: number, to: number): Promise<Tried>;
  /** Gives the guest up: the next try has a fresh one. */
  renew(): Promise<void>;
  /** Waits, the longer the more have failed. */
  backOff(failures: number): Promise<void>;
  random: () => number;
};

/** So often a record alone must end a fresh guest to be poison. */
const FAILURES_OF_POISON = 2;
/** Guests killed from outside are not the record's fault, unless it happens this often: a system short of memory kills, too. */
const MOST_TRIES = 8;
/** When so many records of one batch fail, each alone, and none passes, it is the release. */
const SAMPLE = 100;

/**
 * Finds the records of a failing batch that no guest lives through, by halving it until each stands alone, and runs the others. A problem:
 * nothing passes, or the guest cannot be opened.
 */
export async function setPoisonAside(rows: number, parts: PoisonParts): Promise<Result<Chunk[]>> {
  const problem = await sampleFails(rows, parts);
  if (problem !== undefined) return fail(problem);
  const chunks: Chunk[] = [];

  /** True: it passed as a whole. `mustFail`: what failed with the rest, and the rest passed. */
  async function search(from: number, to: number, mustFail: boolean): Promise<Result<boolean>> {
    if (to - from === 1) {
      const chunk = await runAlone(from, mustFail, parts);
      if (!chunk.ok) return chunk;
      chunks.push(chunk.value);
      return ok("output" in chunk.value);
    }
    if (!mustFail) {
      const tried = await parts.attempt(from, to);
      if (tried.kind === "halted") return fail(tried.problem);
      if (tried.kind === "done") {
        chunks.push({ from, to, output: tried.output });
        return ok(true);
      }
    }
    const middle = (from + to) >> 1;
    const first = await search(from, middle, false);
    if (!first.ok) return first;
    const second = await search(middle, to, first.value);
    return second.ok ? ok(false) : second;
  }

  const searched = await search(0, rows, true);
  return searched.ok ? ok(chunks) : searched;
}

async function runAlone(
  row: number,
  mustFail: boolean,
  parts: PoisonParts,
): Promise<Result<Chunk>> {
  if (mustFail) await parts.renew();
  let own = 0;
  for (let failures = 1; ; failures++) {
    const place = { from: row, to: row + 1 };
    const tried = await parts.attempt(place.from, place.to);
    if (tried.kind === "halted") return fail(tried.problem);
    if (tried.kind === "done") return ok({ ...place, output: tried.output });
    if (tried.isFirst && !tried.wasKilled) own++;
    if (own === FAILURES_OF_POISON || failures === MOST_TRIES)
      return ok({ ...place, poison: tried.reason });
    if (tried.wasKilled) await parts.backOff(failures);
  }
}

/** Tries records alone until one passes. They are drawn anew each time, so that a batch in which anything passes is not held up for ever. */
async function sampleFails(rows: number, parts: PoisonParts): Promise<Problem | undefined> {
  if (rows < SAMPLE) return undefined;
  let reason = "";
  let kills = 0;
  for (let drawn = 0; drawn < SAMPLE;) {
    const row = Math.floor(((drawn + parts.random()) * rows) / SAMPLE);
    const tried = await parts.attempt(row, row + 1);
    if (tried.kind === "halted") return tried.problem;
    if (tried.kind === "done") return undefined;
    reason = tried.reason;
    kills = tried.wasKilled ? kills + 1 : 0;
    if (kills % MOST_TRIES === 0) drawn++;
    if (tried.wasKilled) await parts.backOff(kills);
  }
  return {
    code: "guest-keeps-failing",
    message: `The release's guest failed on ${SAMPLE} records of one batch, each on its own, and none that was tried passed. The last time: ${reason}`,
    hint: "Fix the transform and promote a new release; the stream goes on from the record it stopped at. Resuming tries other records of the batch.",
  };
}
