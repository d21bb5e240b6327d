import { onTestFinished, expect, test } from "vitest";
import type { DatabaseSync } from "node:sqlite";
import { inTransaction, openSyncState } from "../state.ts";
import { listHalts, recordHalt } from "./halts.ts";
import { forgetOldMinutes, listExpectationHistory, readMinutes, recordTallies } from "./history.ts";

const id = { environment: "production", name: "delays" };
const NOW = 1_000_000;
const nowMs = NOW * 60_000 + 1;
const at = (minute: number): string => new Date(minute * 60_000).toISOString();
const tally = { expectation: "range delay", minute: NOW, checked: 10, failed: 0 };

function openState(): DatabaseSync {
  const state = openSyncState(":memory:");
  onTestFinished(() => state.close());
  return state;
}

test("minutes add up across batches and workers, and keep the example of what failed first", () => {
  const state = openState();
  inTransaction(state, () => {
    recordTallies(state, id, [tally, { ...tally, example: "offset 1: not counted" }]);
  });
  recordTallies(state, id, [{ ...tally, failed: 2, example: "offset 3: first" }]);
  recordTallies(state, id, [{ ...tally, failed: 1, example: "offset 9: later", isCutShort: true }]);
  recordTallies(state, { ...id, name: "another" }, [tally]);
  const [row, ...others] = listExpectationHistory(state, id, { nowMs });
  expect(others).toEqual([]);
  expect(row).toEqual({
    expectation: "range delay",
    at: at(NOW),
    checked: 40,
    failed: 3,
    example: "offset 3: first",
    isCutShort: true,
  });
});

test("minutes are forgotten after 30 days by the clock, and those far ahead at once", () => {
  const state = openState();
  const days = (n: number): number => NOW - n * 24 * 60;
  for (const minute of [days(31), days(29), NOW, 28_000_000_000_000])
    recordTallies(state, id, [{ ...tally, minute }]);
  forgetOldMinutes(state, id, nowMs);
  const minutes = state.prepare("select minute from sync_expectations order by minute").all();
  expect(minutes.map((row) => row["minute"])).toEqual([days(29), NOW]);
});

test("what an earlier version kept of a record far ahead of the clock is not listed", () => {
  const state = openState();
  recordTallies(state, id, [
    tally,
    { ...tally, expectation: "volume", minute: 28_000_000_000_000 },
  ]);
  expect(listExpectationHistory(state, id, { nowMs })).toMatchObject([
    { expectation: "range delay", at: at(NOW) },
  ]);
});

test("a volume has its own last minutes, however old; what is asked for no more is listed no more", () => {
  const state = openState();
  for (const expectation of ["volume", "gone"])
    recordTallies(
      state,
      id,
      [5000, 3001, 2999].map((ago) => ({ ...tally, expectation, minute: NOW - ago })),
    );
  recordTallies(state, id, [tally]);
  state
    .prepare("insert into sync_judged_minutes values (?, ?, 'volume', 'flights', 'i', ?)")
    .run(id.environment, id.name, NOW - 2998);
  const listed = listExpectationHistory(state, id, { nowMs, minutes: 1000 });
  expect(listed.map((row) => [row.expectation, row.at])).toEqual([
    ["range delay", at(NOW)],
    ["volume", at(NOW - 3001)],
    ["volume", at(NOW - 2999)],
  ]);
});

test("a volume is judged by its minutes with records and the hour of them before", () => {
  const state = openState();
  const volume = { ...tally, expectation: "volume" };
  recordTallies(
    state,
    id,
    Array.from({ length: 100 }, (_, n) => ({ ...volume, minute: NOW + n })),
  );
  recordTallies(state, id, [{ ...volume, minute: NOW + 100, checked: 0, failed: 1 }]);
  const minutes = readMinutes(state, id, "volume", { next: NOW + 90, open: NOW + 102 });
  expect(minutes.map(({ minute }) => minute - NOW)).toEqual(
    Array.from({ length: 70 }, (_, n) => n + 30),
  );
});

test("a record that makes the pipeline halt is counted once, however often it comes", () => {
  const state = openState();
  const stretch = { topic: "flights", incarnation: "i", partition: 0 };
  const problem = { code: "expectation-failed", message: "no" };
  const halt = {
    problem,
    expectation: "range delay",
    offset: 7,
    minute: NOW,
    example: "offset 7: no",
  };
  const added = [0, 1, 2].map((later) =>
    recordHalt(state, id, stretch, { ...halt, minute: NOW + later }),
  );
  expect(added.map((tallies) => tallies.length)).toEqual([1, 0, 0]);
  recordHalt(state, id, { ...stretch, partition: 1 }, halt);
  expect(listExpectationHistory(state, id, { nowMs })).toMatchObject([
    { checked: 2, failed: 2, example: "offset 7: no" },
  ]);
  expect(listHalts(state, id).map(({ partition, offset }) => [partition, offset])).toEqual([
    [0, 7],
    [1, 7],
  ]);
  forgetOldMinutes(state, id, (NOW + 31 * 24 * 60) * 60_000);
  expect(listHalts(state, id)).toEqual([]);
});
