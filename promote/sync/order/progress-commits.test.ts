import type { DatabaseSync } from "node:sqlite";
import { onTestFinished, expect, test } from "vitest";
import type { Stretch } from "./epochs.ts";
import { openProgressCommits } from "./progress-commits.ts";
import { NOTHING, readProgress, type Finished } from "./progress.ts";
import { claimStretch, readOffset } from "./stretch-offsets.ts";
import { openSyncState } from "../state.ts";

const id = { environment: "staging", name: "delays" };
const stretchOf = (partition: number): Stretch => ({ topic: "t", incarnation: "i", partition });
const counts = { ...NOTHING, read: 2, written: 2 };

function openState(): DatabaseSync {
  const state = openSyncState(":memory:");
  onTestFinished(() => state.close());
  return state;
}

test("what is finished together is committed in one transaction, in order, without what another worker owns by now", async () => {
  const state = openState();
  for (const partition of [0, 1]) claimStretch(state, id, stretchOf(partition), "w1", 0);
  claimStretch(state, id, stretchOf(2), "w2", 0);
  let transactions = 0;
  const exec = state.exec.bind(state);
  state.exec = (sql) => {
    if (sql.startsWith("begin")) transactions++;
    exec(sql);
  };
  const commits = openProgressCommits(state, id);
  const finished = (partition: number, next: number): Finished => ({
    stretch: stretchOf(partition),
    next,
    counts,
    deadLetters: [],
  });
  const added = [
    commits.add(finished(0, 2), "w1"),
    commits.add(finished(2, 2), "w1"),
    commits.add(finished(1, 2), "w1"),
    commits.add(finished(0, 4), "w1"),
  ];
  expect(readOffset(state, id, stretchOf(0))).toBe(0);
  expect(await Promise.all(added)).toEqual([true, false, true, true]);
  expect(transactions).toBe(1);
  expect([0, 1, 2].map((partition) => readOffset(state, id, stretchOf(partition)))).toEqual([
    4, 2, 0,
  ]);
  expect(readProgress(state, id).counts).toEqual({ ...NOTHING, read: 6, written: 6 });
  expect(await commits.add(finished(1, 4), "w1")).toBe(true);
  expect(transactions).toBe(2);
});

test("a commit that fails fails for all that went with it, and moves nothing", async () => {
  const state = openState();
  claimStretch(state, id, stretchOf(0), "w1", 0);
  const commits = openProgressCommits(state, id);
  const add = (next: number, read: number): Promise<boolean> =>
    commits.add(
      { stretch: stretchOf(0), next, counts: { ...counts, read }, deadLetters: [] },
      "w1",
    );
  const results = await Promise.allSettled([add(2, 2), add(4, 0.5)]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(readOffset(state, id, stretchOf(0))).toBe(0);
  expect(await add(2, 2)).toBe(true);
  expect(readOffset(state, id, stretchOf(0))).toBe(2);
});
