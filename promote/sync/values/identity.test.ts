import { expect, test } from "vitest";
import { identityToken } from "./identity.ts";
import type { Kept } from "./json-values.ts";

test("what stands for an identity is told apart from others, also once it was kept as JSON", () => {
  const identities: Kept[][] = [
    ...[0, 0.5, 1e21, Number.NaN, Infinity, -Infinity].map((value) => [value]),
    ...["", "\u0000", "é", "e\u0301"].map((value) => [value]),
    [2n ** 127n],
    [1n],
    [true],
    [[1, null]],
    ["a", "b"],
    ["ab", ""],
    [Number.NaN, Infinity],
  ];
  const tokens = identities.map(identityToken);
  expect(new Set(tokens).size).toBe(identities.length);
  expect(JSON.parse(JSON.stringify(tokens))).toEqual(tokens);
});
