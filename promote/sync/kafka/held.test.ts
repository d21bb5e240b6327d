import { expect, test } from "vitest";
import { encodeHeaders, openBatch } from "./batch-builder.ts";
import { crc32c } from "./crc32c.ts";
import { addFetched, isFetchable, seekTo, takeDelivery, type Held } from "./held.ts";
import { heldOf } from "./held-fixture.ts";

const REQUEST = { maxRecords: 3, maxBytes: 1 << 20, waitMs: 0 };

const held = (): Held => heldOf("id");

/** A batch of `count` records whose last `more` offsets compaction took away. */
function batch(base: number, count: number, more = 0): Buffer {
  const builder = openBatch();
  for (let i = 0; i < count; i++)
    builder.add({ timestampMs: i, key: null, value: null, headers: encodeHeaders([]) });
  const bytes = builder.build({ producerId: 1n, epoch: 0, sequence: 0 }, "none");
  bytes.writeBigInt64BE(BigInt(base), 0);
  return withGap(bytes, count + more - 1);
}

function withGap(bytes: Buffer, lastOffsetDelta: number): Buffer {
  const patched = Buffer.from(bytes);
  patched.writeInt32BE(lastOffsetDelta, 23);
  patched.writeUInt32BE(crc32c(patched, 21), 17);
  return patched;
}

function fetched(batches: Buffer) {
  return { topicId: "id", partition: 0, error: 0, batches, aborted: [], first: 0, stable: 0 };
}

test("a fetch is delivered in slices, each saying where to go on; the last one beyond what compaction took", () => {
  const place = held();
  addFetched(place, fetched(batch(0, 7, 5)));
  expect(place.position).toBe(12);
  const deliveries = [1, 2, 3].map(() => takeDelivery(place, REQUEST));
  expect(deliveries).toMatchObject([
    { next: 3, records: { length: 3 } },
    { next: 6, records: { length: 3 } },
    { next: 12, records: { length: 1 } },
  ]);
  expect(takeDelivery(place, REQUEST)).toBeUndefined();
});

test("a delivery keeps to the bytes that were asked for after decompression, too; a record larger than that comes alone", () => {
  const builder = openBatch();
  for (const size of [400, 400, 400, 2000, 10])
    builder.add({
      timestampMs: 0,
      key: null,
      value: Buffer.alloc(size, "a"),
      headers: encodeHeaders([]),
    });
  const bytes = builder.build({ producerId: 1n, epoch: 0, sequence: 0 }, "gzip");
  expect(bytes.length).toBeLessThan(1000);
  const place = held();
  addFetched(place, fetched(bytes));
  const request = { ...REQUEST, maxRecords: 10, maxBytes: 1000 };
  const deliveries = [1, 2, 3].map(() => takeDelivery(place, request));
  expect(deliveries).toMatchObject([
    { next: 2, records: { length: 2 } },
    { next: 3, records: { length: 1 } },
    { next: 4, records: { length: 1 } },
  ]);
});

test("offsets without records between two deliveries are remembered, to be committed with those before", () => {
  const place = held();
  addFetched(place, fetched(batch(0, 2)));
  expect(takeDelivery(place, REQUEST)).toMatchObject({ next: 2 });
  addFetched(place, fetched(batch(2, 0, 3)));
  addFetched(place, fetched(batch(5, 0, 1)));
  expect(takeDelivery(place, REQUEST)).toBeUndefined();
  expect(place.gap).toEqual({ from: 2, to: 6 });
});

test("fetches stay one ahead of the polls; a pause holds what is there; a seek drops it", () => {
  const place = held();
  addFetched(place, fetched(batch(0, 2)));
  expect(isFetchable(place)).toBe(true);
  addFetched(place, fetched(batch(2, 2)));
  expect(isFetchable(place)).toBe(false);
  place.isPaused = true;
  expect(takeDelivery(place, REQUEST)).toBeUndefined();
  place.isPaused = false;
  expect(takeDelivery(place, REQUEST)).toMatchObject({ next: 2 });
  seekTo(place, 0);
  expect(takeDelivery(place, REQUEST)).toBeUndefined();
  expect(place.position).toBe(0);
});
