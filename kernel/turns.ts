import { availableParallelism } from "node:os";

type Turns = { free: number; waiting: (() => void)[] };

const turns = new WeakMap<object, Turns>();

/**
 * A transform holds two of DuckDB's workers at once, one that reads and one that writes. Were as many under way as there are
 * workers, each could hold one and wait for the other's for ever; beyond half as many they would only get in each other's way.
 */
const atOnce = Math.max(1, Math.floor(Math.min(4, availableParallelism()) / 2));

/** Runs `work` when it is its turn with `of`; undefined when the signal ends the wait. */
export async function inTurn<T>(
  of: object,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const own = turns.get(of) ?? { free: atOnce, waiting: [] };
  turns.set(of, own);
  if (!(await isMyTurn(own, signal))) return undefined;
  try {
    return await work();
  } finally {
    const next = own.waiting.shift();
    if (next) next();
    else own.free += 1;
  }
}

function isMyTurn(own: Turns, signal: AbortSignal | undefined): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  if (own.free > 0) {
    own.free -= 1;
    return Promise.resolve(true);
  }
  return new Promise((resolve) => {
    const come = (): void => {
      signal?.removeEventListener("abort", leave);
      resolve(true);
    };
    const leave = (): void => {
      own.waiting.splice(own.waiting.indexOf(come), 1);
      resolve(false);
    };
    signal?.addEventListener("abort", leave, { once: true });
    own.waiting.push(come);
  });
}
