import { expect, test } from "vitest";
import { openBatchSize } from "./batch-size.ts";

/** Batches of what is asked for, in a stage that takes `fixedMs` and then `perRecordMs` each. */
function settle(fixedMs: number, perRecordMs: number, first = 16_384): number {
  const size = openBatchSize({ most: 16_384, latencyMs: 250 });
  size.took("write", first, fixedMs + first * perRecordMs);
  for (let i = 0; i < 200; i++) {
    const records = size.records();
    size.took("decode", records, 1);
    size.took("write", records, fixedMs + records * perRecordMs);
  }
  return size.records();
}

test("until something is measured, as large as may be", () => {
  expect(openBatchSize({ most: 100, latencyMs: 250 }).records()).toBe(100);
});

test.each([
  { fixedMs: 0, perRecordMs: 0.05, records: 5000 },
  { fixedMs: 50, perRecordMs: 0.05, records: 4000 },
  { fixedMs: 5, perRecordMs: 0.001, records: 16_384 },
  { fixedMs: 400, perRecordMs: 1, records: 512 },
])(
  "the slowest stage takes its time: $fixedMs ms and $perRecordMs ms a record",
  ({ fixedMs, perRecordMs, records }) => {
    expect(settle(fixedMs, perRecordMs)).toBeGreaterThan(records * 0.98);
    expect(settle(fixedMs, perRecordMs)).toBeLessThan(records * 1.02);
    // Whatever came first: a trickle of single records, too.
    expect(settle(fixedMs, perRecordMs, 1)).toBeGreaterThan(records * 0.98);
  },
);

test("a batch of none tells nothing", () => {
  const size = openBatchSize({ most: 100, latencyMs: 250 });
  size.took("write", 0, 5000);
  expect(size.records()).toBe(100);
});
