import { expect, test } from "vitest";
import { inTransaction, openSyncState } from "../state.ts";
import { listExpectationHistory, readMinutes, recordTallies } from "./history.ts";

const id = { environment: "production", name: "delays" };

test("minutes add up across batches and workers, keep their first example, and are forgotten after 30 days", () => {
  const state = openSyncState(":memory:");
  const tally = { expectation: "range delay", minute: 1_000_000, checked: 10, failed: 0 };
  inTransaction(state, () => {
    recordTallies(state, id, [tally, { ...tally, expectation: "other", minute: 900_000 }]);
  });
  recordTallies(state, id, [{ ...tally, failed: 2, example: "offset 3: first" }]);
  recordTallies(state, id, [{ ...tally, failed: 1, example: "offset 9: later", isCutShort: true }]);
  recordTallies(state, { ...id, name: "another" }, [tally]);
  expect(listExpectationHistory(state, id)).toEqual([
    {
      expectation: "range delay",
      at: new Date(1_000_000 * 60_000).toISOString(),
      checked: 30,
      failed: 3,
      example: "offset 3: first",
      isCutShort: true,
    },
  ]);
  expect(readMinutes(state, id, "range delay")).toEqual([
    { minute: 1_000_000, checked: 30, failed: 3 },
  ]);
  expect(readMinutes(state, id, "other")).toEqual([]);
  state.close();
});
