import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Slice, SliceBatch } from "#kernel/guest/slice.ts";
import type { Decoded } from "../decode/decode.ts";
import { backOff, openPatiently } from "./guest-openings.ts";
import { setPoisonAside, type Chunk, type Tried } from "./poison.ts";

/** The transform in its guest, whatever happens to the guest. */
export type GuestStage = {
  run(decoded: Decoded, signal: AbortSignal): Promise<Result<Chunk[]>>;
  restarts(): number;
  close(): Promise<void>;
};

export type GuestStageParts = {
  open: (signal: AbortSignal) => Promise<Result<Slice>>;
  maxParts: number;
  /** How long a batch may take, and how long a piece of one in which poison is searched for. */
  batchTimeoutMs: number;
  searchTimeoutMs: number;
  random: () => number;
};

/**
 * Runs batches through a guest. A guest that cannot be opened, hangs, dies or sends garbage is replaced and the batch run again; where a
 * batch fails twice, its poison is set aside.
 */
export function openGuestStage(parts: GuestStageParts): GuestStage {
  let guest: { slice: Slice; isFresh: boolean } | undefined;
  let restarts = 0;

  async function ensure(signal: AbortSignal): Promise<Result<NonNullable<typeof guest>>> {
    if (guest !== undefined) return ok(guest);
    const opened = await openPatiently(parts.open, signal, () => restarts++);
    if (!opened.ok) return opened;
    guest = { slice: opened.value, isFresh: true };
    return ok(guest);
  }

  async function drop(): Promise<void> {
    const old = guest;
    guest = undefined;
    await old?.slice.close();
  }

  async function attempt(
    decoded: Decoded,
    [from, to]: readonly [number, number],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Tried> {
    const ready = await ensure(signal);
    if (signal.aborted) return { kind: "halted", problem: STOPPED };
    if (!ready.ok) return { kind: "halted", problem: ready.problem };
    const { slice, isFresh: isFirst } = ready.value;
    ready.value.isFresh = false;
    const result = await slice.run(decoded.encode(from, to), signal, timeoutMs);
    if (result.ok && holds(result.value, to - from, parts.maxParts))
      return { kind: "done", output: result.value };
    await drop();
    if (signal.aborted) return { kind: "halted", problem: STOPPED };
    restarts++;
    const reason = result.ok ? "the guest's answer does not fit its batch" : result.problem.message;
    const wasKilled = !result.ok && result.problem.code === "guest-killed";
    return { kind: "failed", reason, isFirst, wasKilled };
  }

  return {
    async run(decoded, signal) {
      const { rows } = decoded;
      if (rows === 0) return ok([]);
      for (let round = 0; round < 2; round++) {
        const tried = await attempt(decoded, [0, rows], parts.batchTimeoutMs, signal);
        if (tried.kind === "done") return ok([{ from: 0, to: rows, output: tried.output }]);
        if (tried.kind === "halted") return fail(tried.problem);
      }
      return setPoisonAside(rows, {
        attempt: (from, to) => attempt(decoded, [from, to], parts.searchTimeoutMs, signal),
        renew: drop,
        backOff: (failures) => backOff(failures, signal),
        random: parts.random,
      });
    },
    restarts: () => restarts,
    close: drop,
  };
}

const STOPPED: Problem = { code: "stopped", message: "The pipeline was stopped." };

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
