import { expect, test } from "vitest";
import { rememberedCount, type CountRange } from "./estimate-count.ts";

/** What is under way comes up to where it waits for time. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

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
      await settle();
      release?.();
      await settle();
    },
    settle,
    counting(ms: number, rows: () => number): () => CountRange {
      return () => async () => {
        nowMs += ms;
        return rows();
      };
    },
  };
}

/** A table of so many rows in each range, each range five milliseconds of work. */
function openTable(rows: number) {
  const time = openTime();
  const table = { rows };
  const counting = time.counting(5, () => table.rows);
  return { time, table, count: rememberedCount(counting, time.now, time.pause) };
}

test("the first count is waited for; later ones take a twentieth of the time, and the last one stands meanwhile", async () => {
  const { time, table, count } = openTable(5000);
  expect(await count()).toBe(320_000);
  await time.goOn();

  table.rows = 6000;
  for (let burst = 0; burst < 6; burst++) {
    expect(await count()).toBe(320_000);
    await time.goOn();
  }
  expect(await count()).toBe(384_000);
  // Nothing for the first; then ten ranges before each rest, and the last four of the 64 after the others.
  expect(time.pauses).toEqual([0, 1000, 1000, 1000, 1000, 1000, 1000, 400]);
});

test("a small table is counted anew in one go, and told before the rest, so that its number is fresh", async () => {
  const { time, table, count } = openTable(200);
  expect(await count()).toBe(12_800);
  await time.goOn();
  table.rows = 700;
  await count();
  await time.settle();
  expect(await count()).toBe(2100);
  expect(time.pauses).toEqual([0, 300]);
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
