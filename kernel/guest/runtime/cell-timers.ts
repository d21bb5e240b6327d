type Call = (...rest: unknown[]) => unknown;
type Timer = (run: unknown, delay?: unknown, ...rest: unknown[]) => number;

/** The timers of cells. `clear` when another cell begins: what an earlier one left running would speak in its name. */
export function cellTimers(): {
  add: Readonly<Record<"setTimeout" | "setInterval" | "clearTimeout" | "clearInterval", unknown>>;
  clear(): void;
} {
  const real = { setTimeout, setInterval, clearTimeout };
  // By numbers of our own: what the runtime hands out is an object that cells would share.
  const running = new Map<number, ReturnType<typeof setTimeout>>();
  let next = 1;

  const timeout: Timer = (run, delay, ...rest) => {
    const call = checked(run);
    const id = next++;
    const ring = (): void => {
      running.delete(id);
      call(...rest);
    };
    running.set(id, real.setTimeout(ring, Number(delay)));
    return id;
  };
  const interval: Timer = (run, delay, ...rest) => {
    const call = checked(run);
    const id = next++;
    const ring = (): void => void call(...rest);
    running.set(id, real.setInterval(ring, Number(delay)));
    return id;
  };
  const clear = (id: unknown): void => {
    const number = Number(id);
    real.clearTimeout(running.get(number));
    running.delete(number);
  };
  return {
    add: { setTimeout: timeout, setInterval: interval, clearTimeout: clear, clearInterval: clear },
    clear() {
      for (const handle of running.values()) real.clearTimeout(handle);
      running.clear();
    },
  };
}

/** A text would be compiled outside any cell. */
function checked(run: unknown): Call {
  if (typeof run !== "function") throw new TypeError("A timer takes a function first.");
  return run as Call;
}
