import { expect, test } from "vitest";
import {
  askRewrite,
  listOpenRewrites,
  listRewrites,
  summarizeRewrites,
  type Selection,
} from "./rewrites.ts";
import { openSyncState } from "../state.ts";

test("whoever looks at rewrites is told how much each takes, and not what", () => {
  const state = openSyncState(":memory:");
  const id = { environment: "staging", name: "delays" };
  const stretch = { topic: "flights", incarnation: "one", partition: 0 };
  const selections: Selection[] = [
    { all: true },
    { clears: [{ key: "[1]", found: "7" }] },
    { clears: [] },
    { offsets: [1, 2, 3], tokens: ["a", 5] },
    { offsets: [], tokens: [] },
  ];
  for (const selection of selections)
    askRewrite(state, id, { ...stretch, from: 1, selection, reason: "why", askedAt: "then" });
  const seen = summarizeRewrites(state, id);
  expect(seen.map(({ what }) => what)).toEqual([
    { kind: "all" },
    { kind: "clears", identities: 1 },
    { kind: "clears", identities: 0 },
    { kind: "some", records: 3, identities: 2 },
    { kind: "some", records: 0, identities: 0 },
  ]);
  const kinds = ["all", "clears", "clears", "some", "some"];
  expect(listOpenRewrites(state, id).map(({ kind }) => kind)).toEqual(kinds);
  for (const [i, { selection, ...rest }] of listRewrites(state, id).entries()) {
    expect(selection).toEqual(selections[i]);
    expect(seen[i]).toMatchObject(rest);
  }
});
