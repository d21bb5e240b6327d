import { expect, test } from "vitest";
import { parseSide, sideName, sideText, type Side } from "./side.ts";

const sides: [string, Side, string][] = [
  ["working", { kind: "working" }, "working copy"],
  ["git:HEAD", { kind: "git", revision: "HEAD" }, "Git’s last commit"],
  ["git:feature:x", { kind: "git", revision: "feature:x" }, "feature:x"],
  ["environment:production", { kind: "environment", name: "production" }, "what production runs"],
  ["release:8c41d0aa", { kind: "release", hash: "8c41d0aa" }, "release 8c41d0"],
];

test.each(sides)("%s", (text, side, name) => {
  expect(parseSide(text)).toEqual(side);
  expect(sideText(side)).toBe(text);
  expect(sideName(side)).toBe(name);
});

test.each([null, "", "git:", "nonsense", "moon:base"])("%j names no side", (text) => {
  expect(parseSide(text)).toBeUndefined();
});
