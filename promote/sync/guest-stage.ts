import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Slice, SliceBatch } from "#kernel/guest/slice.ts";
import type { Decoded } from "./decode/decode.ts";

/** Rows `from..to` of a decoded batch as the transform left them. `output` is missing when the guest could not live through the one row. */
export type Chunk =
  | { from: number; to: number; output: SliceBatch }
  | { from: number; to: number; poison: string };

/** The transform in its guest, whatever happens to the guest. */
export type GuestStage = {
  run(decoded: Decoded, signal: AbortSignal): Promise<Result<Chunk[]>>;
  restarts(): number;
  close(): Promise<void>;
};

/** More poison in one batch than this is not a few bad records but a release that cannot run. */
const MOST_POISON = 16;

/**
 * Runs batches through a guest. A guest that hangs, dies or sends garbage is replaced and the batch run again; failing twice, it is
 * halved until the record that does it stands alone. `open` may be told that the guest is looking for poison, to give up sooner.
 */
export function openGuestStage(
  open: (options: { isSearching: boolean }) => Promise<Result<Slice>>,
  maxParts: number,
): GuestStage {
  let slice: Slice | undefined;
  let openedForSearch = false;
  let restarts = 0;

  async function ensure(isSearching: boolean): Promise<Result<Slice>> {
    if (slice !== undefined && openedForSearch === isSearching) return ok(slice);
    await drop();
    const opened = await open({ isSearching });
    if (!opened.ok) return opened;
    slice = opened.value;
    openedForSearch = isSearching;
    return opened;
  }

  async function drop(): Promise<void> {
    const old = slice;
    slice = undefined;
    await old?.close();
  }

  /** Undefined problem: the guest answered. A guest that failed is gone. */
  async function attempt(
    decoded: Decoded,
    from: number,
    to: number,
    isSearching: boolean,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const guest = await ensure(isSearching);
    if (!guest.ok) return { kind: "cannot-open", problem: guest.problem };
    const result = await guest.value.run(decoded.encode(from, to), signal);
    if (result.ok && holds(result.value, to - from, maxParts))
      return { kind: "done", output: result.value };
    await drop();
    if (!signal.aborted) restarts++;
    return {
      kind: "failed",
      reason: result.ok ? "the guest's answer does not fit its batch" : result.problem.message,
    };
  }

  async function search(
    decoded: Decoded,
    from: number,
    to: number,
    found: Chunk[],
    signal: AbortSignal,
  ): Promise<Problem | undefined> {
    if (signal.aborted) return STOPPED;
    const tried = await attempt(decoded, from, to, true, signal);
    if (tried.kind === "cannot-open") return tried.problem;
    if (tried.kind === "done") {
      found.push({ from, to, output: tried.output });
      return undefined;
    }
    if (to - from === 1) {
      found.push({ from, to, poison: tried.reason });
      const poison = found.filter((chunk) => "poison" in chunk).length;
      return poison < MOST_POISON ? undefined : tooMuchPoison(tried.reason);
    }
    const middle = (from + to) >> 1;
    return (
      (await search(decoded, from, middle, found, signal)) ??
      search(decoded, middle, to, found, signal)
    );
  }

  return {
    async run(decoded, signal) {
      if (decoded.rows === 0) return ok([]);
      for (let round = 0; round < 2; round++) {
        const tried = await attempt(decoded, 0, decoded.rows, false, signal);
        if (tried.kind === "done") return ok([{ from: 0, to: decoded.rows, output: tried.output }]);
        if (tried.kind === "cannot-open") return fail(tried.problem);
        if (signal.aborted) return fail(STOPPED);
      }
      const chunks: Chunk[] = [];
      const problem = await search(decoded, 0, decoded.rows, chunks, signal);
      return problem === undefined ? ok(chunks) : fail(problem);
    },
    restarts: () => restarts,
    close: drop,
  };
}

type Attempt =
  | { kind: "done"; output: SliceBatch }
  | { kind: "failed"; reason: string }
  | { kind: "cannot-open"; problem: Problem };

const STOPPED: Problem = { code: "stopped", message: "The pipeline was stopped." };

function tooMuchPoison(reason: string): Problem {
  return {
    code: "guest-keeps-failing",
    message: `The release's guest failed on ${MOST_POISON} records of one batch, each on its own. The last time: ${reason}`,
    hint: "Fix the transform and promote a new release; the stream goes on from the record it stopped at.",
  };
}

/** A guest's frames are untrusted: every row must name an input row and a part there can be, each once. */
function holds(output: SliceBatch, rows: number, maxParts: number): boolean {
  const seen = new Uint8Array(rows * maxParts);
  for (let i = 0; i < output.input.length; i++) {
    const input = output.input[i] ?? -1;
    const part = output.part[i] ?? -1;
    if (input < 0 || input >= rows || part < 0 || part >= maxParts) return false;
    if (seen[input * maxParts + part] === 1) return false;
    seen[input * maxParts + part] = 1;
  }
  return (
    output.part.length === output.input.length &&
    output.errors.every((error) => error.row >= 0 && error.row < rows)
  );
}
