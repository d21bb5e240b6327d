import * as fc from "fast-check";
import { expect, test } from "vitest";
import { GROWTH, openWorld, type Act } from "./growth-fixture.ts";

const KEYS = 12;
const MOST = 4;

const writing: fc.WeightedArbitrary<Act>[] = [
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("write" as const),
      keys: fc.array(fc.integer({ min: 0, max: KEYS - 1 }), { minLength: 1, maxLength: 30 }),
      isLate: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant("clock" as const),
      ms: fc.integer({ min: 1, max: 400 }),
    }),
  },
];
const reading: fc.WeightedArbitrary<Act>[] = [
  ...writing,
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("read" as const),
      partition: fc.integer({ min: 0, max: MOST - 1 }),
      most: fc.integer({ min: 1, max: 60 }),
      isCommitted: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("settle" as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("restart" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant("move" as const),
      partition: fc.integer({ min: 0, max: MOST - 1 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("swap" as const) }) },
];
const rewriting: fc.WeightedArbitrary<Act>[] = [
  { weight: 1, arbitrary: fc.record({ act: fc.constant("backfill" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant("repair" as const),
      key: fc.integer({ min: 0, max: KEYS - 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant("replay" as const),
      partition: fc.integer({ min: 0, max: MOST - 1 }),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      act: fc.constant("rewrite" as const),
      worker: fc.integer({ min: 0, max: 1 }),
      steps: fc.integer({ min: 1, max: 30 }),
    }),
  },
];

const writes = fc.array(fc.oneof(...writing), { maxLength: 20 });
const acts = fc.array(fc.oneof(...reading), { maxLength: 40 });
const all = fc.array(fc.oneof(...reading, ...rewriting), { maxLength: 40 });

test(
  "whoever reads what when, the newest record of each identity is left",
  { timeout: 300_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(acts, acts, acts, acts, acts, async (...phases) => {
        const [before, unnoticed, moving, settling, after] = phases;
        const world = openWorld(2);
        await world.start();
        await world.live(before);
        world.grow(3);
        await world.live(unnoticed);
        await world.notice();
        await world.live(moving);
        world.pass(GROWTH.transitionMs);
        await world.live(settling);
        await world.settle();
        await readToTheEnd(world, after);
        expect(world.found()).toEqual(world.newest());
      }),
      { numRuns: 200 },
    );
  },
);

/** Keys written once before the topic grew, enough that no partitioner but their own puts all of them where they lie. */
const telling: Act = {
  act: "write",
  keys: Array.from({ length: KEYS }, (_, n) => KEYS + n),
  isLate: false,
};

test("whoever begins to read a topic when, however often it had grown by then, the newest record of each identity is left", async () => {
  await fc.assert(
    fc.asyncProperty(
      writes,
      fc.array(writes, { minLength: 1, maxLength: 2 }),
      acts,
      acts,
      async (before, growths, reading, after) => {
        const world = openWorld(2);
        await world.live([telling, ...before]);
        for (const [n, written] of growths.entries()) {
          world.pass(GROWTH.transitionMs);
          world.grow(3 + n);
          await world.live(written);
        }
        world.pass(GROWTH.transitionMs);
        await world.start();
        await world.live(reading);
        world.pass(GROWTH.transitionMs);
        world.readAll();
        await world.settle();
        await readToTheEnd(world, after);
        expect(world.found()).toEqual(world.newest());
      },
    ),
    { numRuns: 200 },
  );
});

test(
  "however far behind some partitions are when it grows again, and whoever notices it when, the newest record of each identity is left",
  { timeout: 300_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        acts,
        fc.array(fc.tuple(writes, acts, fc.option(acts), acts), { minLength: 2, maxLength: 2 }),
        acts,
        async (before, growths, after) => {
          const world = openWorld(2, { ...GROWTH, lookBackMs: 50 });
          await world.start();
          await world.live(before);
          for (const [n, [meanwhile, moving, settling, steady]] of growths.entries()) {
            world.grow(3 + n);
            await world.notice(meanwhile);
            await world.live(moving);
            // Else it grows again before the first transition is over.
            if (settling === null) continue;
            world.pass(GROWTH.transitionMs);
            await world.live(settling);
            await world.settle();
            await world.live(steady);
          }
          world.pass(GROWTH.transitionMs);
          await world.settle();
          await readToTheEnd(world, after);
          expect(world.found()).toEqual(world.newest());
        },
      ),
      { numRuns: 400 },
    );
  },
);

/** What is dated back now says nothing of its order: no transition is open any more. */
async function readToTheEnd(
  world: ReturnType<typeof openWorld>,
  after: readonly Act[],
): Promise<void> {
  world.dateBack(true);
  await world.live(after);
  world.readAll();
}

/** A transition finds records dated back in their order only where they were committed before. */
function committed(step: Act): Act {
  return step.act === "read" ? { ...step, isCommitted: true } : step;
}

test(
  "whoever writes what again when, the newest record of each identity is left, and shown as soon as it is read",
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        all,
        fc.array(fc.tuple(all, all, all), { minLength: 2, maxLength: 2 }),
        all,
        async (ancient, growths, after) => {
          const world = openWorld(2);
          await world.start();
          world.dateBack(true);
          await world.live(ancient.map(committed));
          world.readAll();
          world.dateBack(false);
          for (const [n, [before, moving, settling]] of growths.entries()) {
            await world.live(before);
            world.grow(3 + n);
            await world.notice();
            await world.live(moving);
            world.pass(GROWTH.transitionMs);
            await world.live(settling);
            await world.settle();
            world.readAll();
          }
          world.dateBack(true);
          world.steady();
          await world.live(after);
          world.readAll();
          await world.writeAll();
          expect(world.found()).toEqual(world.newest());
        },
      ),
      { numRuns: 150 },
    );
  },
);
