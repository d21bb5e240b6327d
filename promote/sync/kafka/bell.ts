/** Wakes the one who waits when something may have changed. A ring nobody waits for is kept for the next wait. */
export type Bell = {
  ring(): void;
  /** Until a ring, `ms`, or an abort, whichever comes first. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
};

export function openBell(): Bell {
  let isRung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      isRung = true;
      wake?.();
    },
    async wait(ms, signal) {
      if (!isRung && ms > 0 && signal?.aborted !== true)
        await new Promise<void>((resolve) => {
          const done = (): void => {
            clearTimeout(timer);
            signal?.removeEventListener("abort", done);
            resolve();
          };
          const timer = setTimeout(done, ms);
          signal?.addEventListener("abort", done);
          wake = done;
        });
      wake = undefined;
      isRung = false;
    },
  };
}
