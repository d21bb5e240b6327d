import * as fc from "fast-check";
import { compressSync } from "snappy";
import { describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { encodeHeaders, mostBytesOf, openBatch } from "./batch-builder.ts";
import { compress, decompress, type Compression } from "./codecs.ts";
import javaBatches from "./java-batches.json" with { type: "json" };
import { decodeBatches, endOfBatches } from "./records.ts";

const CODECS: Compression[] = ["none", "gzip", "snappy", "lz4", "zstd"];
const BY = { producerId: 7n, epoch: 0, sequence: 0 };

describe("record batches as the Java producer of Kafka 4.3 wrote them", () => {
  test.each(CODECS)("%s", (codec) => {
    const bytes = Buffer.from(javaBatches[codec as keyof typeof javaBatches], "base64"); // a key of the file
    const records = unwrap(decodeBatches(bytes, 0, []));
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(records.map(({ key }) => key && Buffer.from(key).toString())).toEqual(
      records.map(({ offset }) => (offset === 7 ? null : `key-${offset}`)),
    );
    expect(records[9]?.value).toBeNull();
    expect(records[39]).toMatchObject({ timestampMs: 1_000_039 });
    expect(records[3]?.headers.map(({ key, value }) => [key, value[0]])).toEqual([
      ["h", 1],
      ["g", 2],
      ["h", 3],
    ]);
    expect(endOfBatches(bytes, 0)).toBe(40);
    expect(unwrap(decodeBatches(bytes, 38, []))).toHaveLength(2);
  });
});

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((data) => Buffer.from(data));
const record = fc.record({
  timestampMs: fc.integer({ min: -1_000_000, max: 2 ** 42 }),
  key: fc.option(bytes(200)),
  value: fc.option(bytes(20_000)),
  headers: fc.array(fc.record({ key: fc.string(), value: bytes(90) }), { maxLength: 3 }),
});

test("what a batch is built of comes out of it, under every codec", () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(...CODECS),
      (records, codec) => {
        const batch = openBatch();
        for (const { headers, ...rest } of records)
          batch.add({ ...rest, headers: encodeHeaders(headers) });
        const built = batch.build(BY, codec);
        const again = unwrap(decodeBatches(built, 0, []));
        expect(again).toEqual(records.map((one, offset) => ({ offset, ...one })));
      },
    ),
    { numRuns: 60 },
  );
});

test("a batch grows by no more than it is said to", () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
      const batch = openBatch();
      for (const { headers, ...rest } of records) {
        const before = batch.sizeBytes();
        const added = { ...rest, headers: encodeHeaders(headers) };
        batch.add(added);
        expect(batch.sizeBytes() - before).toBeLessThanOrEqual(mostBytesOf(added));
      }
    }),
    { numRuns: 60 },
  );
});

test("a batch damaged anywhere behind its head is told by its offset", () => {
  const batch = openBatch();
  for (let i = 0; i < 5; i++)
    batch.add({
      timestampMs: i,
      key: null,
      value: Buffer.from(`value ${i}`),
      headers: encodeHeaders([]),
    });
  const built = batch.build(BY, "none");
  for (const at of [22, 60, built.length - 1]) {
    const damaged = Buffer.from(built);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(decodeBatches(damaged, 0, [])).toMatchObject({
      ok: false,
      problem: { code: "kafka-log-damaged", at: { offset: 0 } },
    });
  }
});

test.each([
  ["without a value, shorter than today's head", 34],
  ["with one, longer than it", 34 + 200],
])("a message of the format before Kafka 0.11, %s, is told by its offset", (_title, bytes) => {
  const message = Buffer.alloc(bytes);
  message.writeBigInt64BE(7n, 0);
  message.writeInt32BE(bytes - 12, 8);
  message.writeInt8(1, 16);
  message.fill(0x7f, 18); // where a length of now would be read
  expect(endOfBatches(message, 7)).toBe(8);
  expect(decodeBatches(message, 7, [])).toMatchObject({
    ok: false,
    problem: { code: "kafka-format-too-old", at: { offset: 7 } },
  });
});

test("the beginning of a batch cut off by the fetch's size is left for the next fetch", () => {
  const batch = openBatch();
  batch.add({ timestampMs: 1, key: null, value: null, headers: encodeHeaders([]) });
  const built = batch.build(BY, "none");
  const cut = Buffer.concat([built, built.subarray(0, built.length - 3)]);
  expect(unwrap(decodeBatches(cut, 0, []))).toHaveLength(1);
  expect(endOfBatches(cut, 0)).toBe(1);
});

test("snappy comes as one raw block or in xerial's frames of several", () => {
  const plain = Buffer.from("snappy ".repeat(1000));
  const blocks = [plain.subarray(0, 3000), plain.subarray(3000)].map((part) => compressSync(part));
  const framed = Buffer.concat([
    Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
    ...blocks.flatMap((block) => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(block.length);
      return [length, block];
    }),
  ]);
  expect(decompress(2, framed)).toEqual(plain);
  expect(decompress(2, compress("snappy", plain))).toEqual(plain);
});
