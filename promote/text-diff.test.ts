import * as fc from "fast-check";
import { expect, test } from "vitest";
import { changedLines, diffLines } from "./text-diff.ts";

test("shows what was removed before what was added", () => {
  expect(diffLines("a\nb\nc\n", "a\nx\nc\n")).toEqual([
    { kind: "same", text: "a" },
    { kind: "removed", text: "b" },
    { kind: "added", text: "x" },
    { kind: "same", text: "c" },
  ]);
});

test("keeps the asked context only", () => {
  const before = ["1", "2", "3", "4", "5"].join("\n");
  const lines = changedLines(diffLines(before, `${before}\n6`), 1);
  expect(lines.map((line) => line.text)).toEqual(["5", "6"]);
});

test("law: without the added lines it is the text before, without the removed ones the text after", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", "")).map((lines) => lines.join("\n"));
  fc.assert(
    fc.property(text, text, (before, after) => {
      const diff = diffLines(before, after);
      const side = (dropped: string) =>
        diff.filter(({ kind }) => kind !== dropped).map((line) => line.text);
      expect(side("added")).toEqual(linesOf(before));
      expect(side("removed")).toEqual(linesOf(after));
    }),
  );
});

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}
