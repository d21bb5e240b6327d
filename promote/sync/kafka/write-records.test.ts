import * as fc from "fast-check";
import { expect, test } from "vitest";
import { encodeHeaders } from "./batch-builder.ts";
import { fillBatches } from "./write-records.ts";

test("a batch stays below its limit, but for a larger record alone; every record is in one, those of a partition in order", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 60 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 200, max: 5000 }), (all, batchBytes) => {
      const encoded = (i: number) => ({
        timestampMs: i,
        key: null,
        value: new Uint8Array(all[i] ?? 0),
        headers: encodeHeaders([]),
      });
      const partition = (i: number) => i % 3;
      const queues = fillBatches({ partition, encoded, batchBytes }, all.keys());
      for (const queue of queues) {
        for (const { batch, records } of queue) {
          expect(batch.count()).toBe(records.length);
          if (records.length > 1) expect(batch.sizeBytes()).toBeLessThanOrEqual(batchBytes);
        }
        const order = queue.flatMap(({ records }) => records);
        expect(order).toEqual([...all.keys()].filter((i) => i % 3 === queue[0]?.partition));
      }
      expect(queues.flat().flatMap(({ records }) => records)).toHaveLength(all.length);
    }),
  );
});
