import type { Clock } from "./lockdown.ts";

/** Time and chance for cells: the time may be asked for, and is told on; random numbers are seeded by the cell's code. */
export function cellClock(): Clock & { begin(code: string): void; used(): { usedClock: boolean } } {
  const realNow = Date.now;
  let state = 0;
  let usedClock = false;
  return {
    now() {
      usedClock = true;
      return realNow();
    },
    /** mulberry32 (Tommy Ettinger, public domain). */
    random() {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    },
    begin(code) {
      usedClock = false;
      state = 0x811c9dc5;
      for (let i = 0; i < code.length; i += 1)
        state = Math.imul(state ^ code.charCodeAt(i), 0x01000193);
    },
    used: () => ({ usedClock }),
  };
}
