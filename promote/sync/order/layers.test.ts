import { describe, expect, test } from "vitest";
import { beginningOf } from "../rewrites/begin-rewrite.ts";
import type { Epoch, Stretch } from "./epochs.ts";
import { layersOf, numbersFor, settledOffset } from "./layers.ts";
import type { Rewrite } from "../rewrites/rewrites.ts";
import { MAX_EPOCH } from "./version.ts";

const NOW = "2026-11-26T10:00:00Z";
const stretchOf = (partition: number): Stretch => ({ topic: "t", incarnation: "i", partition });

function offsetEpoch(
  partition: number,
  epoch: number,
  firstOffset: number,
  partitions: number,
): Epoch {
  const about = { release: "r1", reason: "", openedAt: NOW, partitions };
  return { ...stretchOf(partition), ...about, epoch, firstOffset, ordering: "offset" };
}

function transition(
  partition: number,
  epoch: number,
  firstOffset: number,
  partitions: number,
): Epoch {
  const order = {
    ordering: "timestamp" as const,
    transition: epoch,
    untilMs: 5,
    origin: firstOffset,
  };
  return { ...offsetEpoch(partition, epoch, firstOffset, partitions), ...order };
}

/** Of two partitions one more was made when the first had 100 records and the second 50; the transition took 20 in each, and none in the new one. */
const GROWN: Epoch[] = [
  offsetEpoch(0, 1024, 0, 2),
  offsetEpoch(1, 1025, 0, 2),
  transition(0, 1026, 100, 3),
  transition(1, 1026, 50, 3),
  transition(2, 1026, 0, 3),
  offsetEpoch(0, 9218, 120, 3),
  offsetEpoch(1, 9219, 70, 3),
  offsetEpoch(2, 9220, 0, 3),
];

describe("where a partition has all that is newer of its records' identities", () => {
  test.each([
    ["a topic that never grew", GROWN.slice(0, 2), 0, 0],
    ["the transition is over", GROWN, 0, 120],
    ["the transition found nothing in it", GROWN, 2, 0],
    ["it is in the transition", GROWN.slice(0, 5), 0, Infinity],
    ["others have come to the transition first", GROWN.slice(0, 3), 1, Infinity],
    ["a backfill has begun since", [...GROWN, offsetEpoch(0, 20_000, 300, 3)], 0, 120],
  ] as const)("%s", (_, epochs, partition, expected) => {
    expect(settledOffset(epochs, stretchOf(partition))).toBe(expected);
  });
});

test("a grown topic is written again in the order it was read in first, under numbers that its partitions share", () => {
  const layers = [0, 1, 2].map((partition) => {
    const epoch = offsetEpoch(partition, 30_000 + partition, 500, 3);
    const epochs = [...GROWN, epoch];
    return layersOf(epochs, { epoch, lowest: 20_000, to: 500 }).map((layer) => [
      layer.from,
      layer.to,
      layer.epoch.ordering,
      layer.epoch.epoch,
    ]);
  });
  expect(layers).toEqual([
    [
      [0, 100, "offset", 20_000],
      [100, 120, "timestamp", 20_001],
      [120, 500, "offset", 30_000],
    ],
    [
      [0, 50, "offset", 20_000],
      [50, 70, "timestamp", 20_001],
      [70, 500, "offset", 30_001],
    ],
    [[0, 500, "offset", 30_002]],
  ]);
});

test("numbers that growths to come need are not taken", () => {
  expect(numbersFor(GROWN, stretchOf(0))).toEqual({ lowest: 9221, above: 9221 + 8193 });
  const late = [...GROWN, offsetEpoch(0, MAX_EPOCH - 2 ** 18, 300, 3)];
  expect(numbersFor(late, stretchOf(0))).toBeUndefined();
});

describe("how what was asked together begins in a grown topic", () => {
  const r1 = { release: "r1", learnedAt: new Date("2026-11-26T09:00:00Z") };
  const r2 = { release: "r2", learnedAt: new Date("2026-11-26T11:00:00Z") };

  test("the first opens the numbers, the others join them", () => {
    const asked = [0, 1, 2].map((partition) => rewriteOf(partition));
    expect(begin(GROWN, asked, 0, r1)).toMatchObject({ kind: "opens", lowest: 9221 });
    const going = [begun(0), ...asked.slice(1)];
    expect(begin(after(0), going, 1, r1)).toEqual({ kind: "joins", lowest: 9221 });
  });

  test("another release opens others, unless it has not heard of the one that runs by now", () => {
    const going = [begun(0), rewriteOf(1), rewriteOf(2)];
    expect(begin(after(0), going, 1, r2)).toMatchObject({ kind: "opens", lowest: 17_415 });
    const late = { ...r2, learnedAt: r1.learnedAt };
    expect(begin(after(0), going, 1, late)).toEqual({ kind: "waits" });
  });

  test("a growth since opens others, once every partition is through it", () => {
    const going = [begun(0), rewriteOf(1), rewriteOf(2)];
    const moving = [...after(0), transition(0, 20_000, 600, 4)];
    expect(begin(moving, going, 1, r1)).toEqual({ kind: "waits" });
    const grown = [0, 1, 2, 3].flatMap((partition) => [
      transition(partition, 20_000, 600, 4),
      offsetEpoch(partition, 28_192 + partition, 700, 4),
    ]);
    expect(begin([...after(0), ...grown], going, 1, r1)).toMatchObject({
      kind: "opens",
      stretches: [{ partition: 0 }, { partition: 1 }, { partition: 2 }, { partition: 3 }],
    });
  });

  test("what was asked of one partition alone leaves out what may have newer records elsewhere", () => {
    expect(beginningOf(GROWN, [], rewriteOf(0), r1)).toEqual({ kind: "alone", from: 120 });
    expect(beginningOf(GROWN, [], rewriteOf(0, 300), r1)).toEqual({ kind: "alone", from: 300 });
  });

  test("where the topic holds nothing from before it grew, each partition is written by itself", () => {
    const asked = [rewriteOf(0, 120), rewriteOf(1, 90), rewriteOf(2, 10)];
    expect(begin(GROWN, asked, 1, r1)).toEqual({ kind: "alone", from: 90 });
  });

  test("what has begun together goes on together, also where a partition turns out to be settled from its beginning", () => {
    const going = [{ ...begun(0), from: 120 }, rewriteOf(1, 90), rewriteOf(2, 10)];
    expect(begin(after(0), going, 1, r1)).toEqual({ kind: "joins", lowest: 9221 });
  });
});

const after = (partition: number): Epoch[] => [...GROWN, offsetEpoch(partition, 17_414, 300, 3)];
const begin = (
  epochs: readonly Epoch[],
  together: readonly Rewrite[],
  partition: number,
  by: { release: string; learnedAt: Date },
) => beginningOf(epochs, together, together[partition] ?? rewriteOf(partition), by);

function rewriteOf(partition: number, from = 0): Rewrite {
  return {
    ...stretchOf(partition),
    rewrite: partition + 1,
    ask: 1,
    from,
    selection: { all: true },
    reason: "backfill",
    state: "asked",
    askedAt: NOW,
    epoch: undefined,
    to: undefined,
    release: undefined,
    lowest: undefined,
    written: 0,
    deadLettered: 0,
  };
}

function begun(partition: number): Rewrite {
  const as = { epoch: 17_414, to: 300, release: "r1", lowest: 9221 };
  return { ...rewriteOf(partition), ...as, state: "running" };
}
