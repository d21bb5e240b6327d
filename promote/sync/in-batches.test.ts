import { expect, test } from "vitest";
import { inBatches } from "./in-batches.ts";
import type { SourceRecord } from "./ports.ts";

const cases = [
  { sizes: [], batches: [] },
  { sizes: [1, 1], batches: [[1, 1]] },
  { sizes: [1, 1, 1, 1], batches: [[1, 1, 1], [1]] },
  { sizes: [4, 6, 1], batches: [[4, 6], [1]] },
  { sizes: [11, 2, 20], batches: [[11], [2], [20]] },
];
test.each(cases)(
  "$sizes bytes come three records and ten bytes at most at once, or a record alone",
  (c) => {
    const records = c.sizes.map((size, offset): SourceRecord => ({
      offset,
      timestampMs: 0,
      key: null,
      value: Buffer.alloc(size),
      headers: [],
    }));
    const batches = [...inBatches(records, { maxRecords: 3, maxBytes: 10 })];
    expect(batches.map((batch) => batch.map(({ value }) => value?.length))).toEqual(c.batches);
    expect(batches.flat()).toEqual(records);
  },
);
