/** One Ctrl-C reaches us twice: from the terminal, and passed on by the launcher that got it too. */
const sameSignalMs = 500;
const graceMs = 10_000;

/** Calls `first` at the first Ctrl-C or polite kill, and `again` at each that is clearly another one. */
export function onStopSignal(handlers: {
  first(signal: NodeJS.Signals): void;
  again(): void;
}): void {
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      handlers.first(signal);
    } else if (performance.now() - firstAt > sameSignalMs) {
      handlers.again();
    }
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
}

/**
 * Waits for Ctrl-C or a polite kill, then for `close`. A second Ctrl-C, or a close that hangs, ends the process at once: the
 * state is written to survive that.
 */
export async function untilStopped(
  close: () => Promise<void>,
  say: (line: string) => void,
): Promise<void> {
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    onStopSignal({ first: resolve, again: () => process.exit(130) });
  });
  if (signal === "SIGINT") say("Ending… (Ctrl-C again ends at once)");
  const deadline = setTimeout(() => process.exit(1), graceMs);
  await close();
  clearTimeout(deadline);
}
