import { expect, test } from "vitest";
import { changesOf } from "./watch.ts";

const topic = (id: string, count: number) => ({
  id,
  partitions: Array.from({ length: count }, (_, partition) => ({ partition, leader: 1 })),
});

const cases = [
  {
    name: "nothing changed",
    now: { a: topic("1", 2) },
    changes: { remade: [], isRedealt: false },
  },
  {
    name: "a partition more",
    now: { a: topic("1", 3) },
    changes: { remade: [], isRedealt: true },
  },
  {
    name: "a topic gone: its partitions are kept until it comes back",
    now: {},
    changes: { remade: [], isRedealt: false },
  },
  {
    name: "a topic made again, of the same size",
    now: { a: topic("2", 2) },
    changes: { remade: ["a"], isRedealt: false },
  },
  {
    name: "a topic made again, smaller",
    now: { a: topic("2", 1) },
    changes: { remade: ["a"], isRedealt: true },
  },
  {
    name: "a topic nobody was dealt yet",
    now: { a: topic("1", 2), b: topic("9", 1) },
    changes: { remade: [], isRedealt: true },
  },
];

test.each(cases)("$name", ({ now, changes }) => {
  const dealt = new Map([["a", 2]]);
  const held = new Map([["a", "1"]]);
  expect(changesOf(dealt, held, new Map(Object.entries(now)))).toEqual(changes);
});
