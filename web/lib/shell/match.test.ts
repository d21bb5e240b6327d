import { expect, test } from "vitest";
import { matches } from "./match.ts";
import type { Command } from "./commands.svelte.ts";

const command = (title: string, kind?: string): Command => ({
  id: title,
  title,
  run: () => {},
  ...(kind && { kind }),
});
const all = [
  command("Compare delays"),
  command("delays.ts", "notebook"),
  command("Run all cells"),
  command("a.c+b"),
];
const titles = (query: string) => matches(all, query).map((match) => match.command.title);

test("an empty query lists everything in the order offered", () => {
  expect(titles("")).toEqual(all.map(({ title }) => title));
});

test("a beginning comes before a word inside", () => {
  expect(titles("del")).toEqual(["delays.ts", "Compare delays"]);
});

test("every word must be found, in the title or the kind", () => {
  expect(titles("notebook del")).toEqual(["delays.ts"]);
  expect(titles("run cells")).toEqual(["Run all cells"]);
  expect(titles("run delays")).toEqual([]);
});

test("signs are taken as they are, and hits are marked", () => {
  expect(matches(all, "c+")[0]?.parts).toEqual([
    { text: "a.", isHit: false },
    { text: "c+", isHit: true },
    { text: "b", isHit: false },
  ]);
});
