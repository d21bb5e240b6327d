import fc from "fast-check";
import { expect, test } from "vitest";
import type { SliceBatch } from "#kernel/guest/slice.ts";
import { unwrap } from "#snapshots/problem.ts";
import { setPoisonAside, type PoisonParts, type Tried } from "./poison.ts";

const output: SliceBatch = {
  rows: new Uint8Array(),
  input: new Int32Array(),
  part: new Int32Array(),
  read: 0,
  filtered: 0,
  errors: [],
};

/** A guest that ends at these rows, and otherwise as often as `kills` says, from outside. */
function guestOf(
  poison: (row: number) => boolean,
  kills: (row: number) => number = () => 0,
): PoisonParts & { tries: number } {
  let isFresh = true;
  const killed = new Map<number, number>();
  const parts = {
    tries: 0,
    attempt(from: number, to: number): Promise<Tried> {
      parts.tries++;
      const isFirst = isFresh;
      const rows = Array.from({ length: to - from }, (_, i) => from + i);
      const victim = rows.find((row) => (killed.get(row) ?? 0) < kills(row));
      isFresh = true;
      if (victim !== undefined) {
        killed.set(victim, (killed.get(victim) ?? 0) + 1);
        return Promise.resolve({ kind: "failed", reason: "killed", isFirst, wasKilled: true });
      }
      if (rows.some(poison))
        return Promise.resolve({ kind: "failed", reason: "looped", isFirst, wasKilled: false });
      isFresh = false;
      return Promise.resolve({ kind: "done", output });
    },
    renew() {
      isFresh = true;
      return Promise.resolve();
    },
    backOff: () => Promise.resolve(),
    random: () => 0.5,
  };
  return parts;
}

async function poisonIn(rows: number, parts: PoisonParts): Promise<number[]> {
  const chunks = unwrap(await setPoisonAside(rows, parts));
  let next = 0;
  for (const { from, to } of chunks) {
    expect(from).toBe(next);
    next = to;
  }
  expect(next).toBe(rows);
  return chunks.flatMap((chunk) => ("poison" in chunk ? [chunk.from] : []));
}

test("whatever is poison in a batch in which something passes is found, and every other row has an output", async () => {
  const batch = fc
    .integer({ min: 1, max: 99 })
    .chain((rows) => fc.tuple(fc.constant(rows), fc.uniqueArray(fc.nat(rows - 1))));
  await fc.assert(
    fc.asyncProperty(batch, async ([rows, poison]) => {
      const found = await poisonIn(
        rows,
        guestOf((row) => poison.includes(row)),
      );
      expect(found).toEqual(poison.toSorted((a, b) => a - b));
    }),
  );
});

test("what the first half of a failing piece does not hold is looked for in the second without trying it whole", async () => {
  const guest = guestOf((row) => row === 15);
  expect(await poisonIn(16, guest)).toEqual([15]);
  // 8, 4, 2 and 1 rows pass, the last one ends two guests.
  expect(guest.tries).toBe(6);
});

const cases: [what: string, poison: (row: number) => boolean, rows: number, found: number][] = [
  ["every record of a small batch", () => true, 20, 20],
  ["the first 300 of 1,000", (row) => row < 300, 1_000, 300],
  ["all but the last hundredth", (row) => row < 990, 1_000, 990],
];
test.each(cases)("%s is set aside", async (_, poison, rows, found) => {
  expect(await poisonIn(rows, guestOf(poison))).toHaveLength(found);
});

test("when a hundred records of a batch fail, each alone, and none passes, the release is told of", async () => {
  const guest = guestOf(() => true);
  expect(await setPoisonAside(1_000, guest)).toMatchObject({
    ok: false,
    problem: { code: "guest-keeps-failing", message: expect.stringContaining("looped") },
  });
  expect(guest.tries).toBe(100);
});

const kills: [times: number, found: number[]][] = [
  [3, []],
  [6, []],
  [Infinity, [0]],
];
test.each(kills)("a record whose guest is killed from outside %s times", async (times, found) => {
  const guest = guestOf(
    () => false,
    () => times,
  );
  expect(await poisonIn(1, guest)).toEqual(found);
});

test("guests that are killed from outside, as where memory is short, say nothing against a release", async () => {
  const guest = guestOf(
    () => false,
    () => 3,
  );
  expect(await poisonIn(1_000, guest)).toEqual([]);
});
