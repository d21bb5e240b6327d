import { expect, test } from "vitest";
import type { SourceRecord, TopicReader } from "../ports.ts";
import { openRowCounter } from "./sink-count.ts";

/** A topic of one partition, in memory: each number writes the row of that key, each negative one clears it. */
function readerOf(keys: readonly number[]): Pick<TopicReader, "ranges" | "read"> {
  const records = keys.map((key, offset): SourceRecord => {
    const value = key > 0 ? Buffer.from("{}") : null;
    return { offset, key: Buffer.from(String(Math.abs(key))), value, timestampMs: 0, headers: [] };
  });
  return {
    ranges: async (topic) => [{ topic, partition: 0, first: 0, end: records.length }],
    async *read(_topic, _partition, from, to) {
      for (let at = from; at < to; at += 1000) yield records.slice(at, Math.min(at + 1000, to));
    },
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test("few rows are counted exactly, however often they were written or cleared", async () => {
  const keys = [...upTo(1000), ...upTo(1000), ...upTo(400).map((key) => -key), 7, -2000];
  expect(await openRowCounter(readerOf(keys), "t").count()).toBe(601);
});

test("many are estimated within two per cent, corrections and clears among them", async () => {
  const all = upTo(500_000);
  const cleared = all.filter((key) => key % 5 === 0).map((key) => -key);
  const written = openRowCounter(readerOf([...all, ...all]), "t");
  expect(Math.abs((await written.count()) / 500_000 - 1)).toBeLessThan(0.02);
  const left = openRowCounter(readerOf([...all, ...cleared]), "t");
  expect(Math.abs((await left.count()) / 400_000 - 1)).toBeLessThan(0.02);
});

test("who asks while a count is made waits for that one: the topic is read once", async () => {
  const reader = readerOf(upTo(5000));
  let reads = 0;
  const ranges: typeof reader.ranges = (topic) => {
    reads++;
    return reader.ranges(topic);
  };
  const counter = openRowCounter({ ...reader, ranges }, "t");
  expect(await Promise.all([counter.count(), counter.count()])).toEqual([5000, 5000]);
  expect(reads).toBe(1);
});
