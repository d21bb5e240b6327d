import { expect, test } from "vitest";
import { rememberedCount, type CountRange } from "./estimate-count.ts";

/** A clock that counting and pausing move on; a pause lasts until it is released. */
function openTime() {
  let nowMs = 0;
  let release: (() => void) | undefined;
  const pauses: number[] = [];
  return {
    pauses,
    now: () => nowMs,
    pause: (ms: number) => {
      pauses.push(ms);
      return new Promise<void>((resolve) => (release = resolve));
    },
    /** Lets the pause end, and what comes up to the next one begin. */
    async goOn() {
      release?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
    counting(ms: number, rows: () => number): () => CountRange {
      return () => async () => {
        nowMs += ms;
        return rows();
      };
    },
  };
}

test("the first count is waited for; later ones take a twentieth of the time, and the last one stands meanwhile", async () => {
  const time = openTime();
  let rows = 5000;
  const count = rememberedCount(
    time.counting(5, () => rows),
    time.now,
    time.pause,
  );
  expect(await count()).toBe(320_000);
  expect(time.pauses).toEqual([]);

  rows = 6000;
  for (let range = 0; range < 64; range++) {
    expect(await count()).toBe(320_000);
    await time.goOn();
  }
  expect(time.pauses).toEqual(Array.from({ length: 64 }, () => 100));
  expect(await count()).toBe(384_000);
});

test("a small table is counted anew in one go, so that its number stays fresh", async () => {
  const time = openTime();
  let rows = 10;
  const count = rememberedCount(
    time.counting(5, () => rows),
    time.now,
    time.pause,
  );
  expect(await count()).toBe(640);
  rows = 700;
  await count();
  await time.goOn();
  expect(time.pauses).toEqual([100]);
  expect(await count()).toBe(700);
});

test("what takes longer than a second is estimated from the part that was counted", async () => {
  const time = openTime();
  const count = rememberedCount(
    time.counting(100, () => 3),
    time.now,
    time.pause,
  );
  expect(await count()).toBe(64 * 3);
  expect(time.now()).toBe(1100);
});

test("a table that cannot be counted, or not yet, keeps its last number", async () => {
  let ask: CountRange | undefined;
  const count = rememberedCount(() => ask, Date.now);
  expect(await count()).toBe(0);
  ask = async () => 1;
  expect(await count()).toBe(64);
  ask = () => Promise.reject(new Error("gone"));
  expect(await count()).toBe(64);
  expect(await count()).toBe(64);
});
