import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { haveMoved } from "./grown-before.ts";
import { partitionOf } from "../kafka/partitioner.ts";

type Place = (key: Buffer, partitions: number) => number;

const java: Place = partitionOf;
const librdkafka: Place = (key, partitions) => crc32(key) % partitions;
/** As Go's hash/fnv and Sarama's hash partitioner. */
const sarama: Place = (key, partitions) => {
  let hash = 2166136261n;
  for (const byte of key) hash = ((hash ^ BigInt(byte)) * 16777619n) % 2n ** 32n;
  return Math.abs(Number(BigInt.asIntN(32, hash)) % partitions);
};
const bySum: Place = (key, partitions) =>
  key.reduce((sum, byte) => sum * 31 + byte, 7) % partitions;

/** Keys that nobody wrote twice, placed as the topic grew from one number of partitions to the next. */
function placed(place: Place, counts: readonly number[], each = 200): Buffer[][] {
  const keys: Buffer[][] = Array.from({ length: counts.at(-1) ?? 0 }, () => []);
  counts.forEach((partitions, n) => {
    for (let i = 0; i < each; i++) {
      const key = Buffer.from(`flight ${n * each + i}`);
      keys[place(key, partitions)]?.push(key);
    }
  });
  return keys;
}

test.each([
  ["Java's", java],
  ["librdkafka's", librdkafka],
  ["Sarama's", sarama],
])("keys placed by %s partitioner tell that partitions were added", (_, place) => {
  for (const counts of [[12], [2], [1]]) expect(haveMoved(placed(place, counts))).toBe(false);
  for (const counts of [
    [1, 2],
    [2, 3],
    [6, 12],
    [4, 6, 12],
  ])
    expect(haveMoved(placed(place, counts))).toBe(true);
});

test("keys of a partitioner nobody knows tell it where one of them lies in two partitions", () => {
  const keys = placed(bySum, [4]);
  expect(haveMoved(keys)).toBe(false);
  expect(haveMoved(placed(bySum, [3, 4]))).toBe(false);
  keys[0]?.push(Buffer.from("again"));
  keys[3]?.push(Buffer.from("again"));
  expect(haveMoved(keys)).toBe(true);
});

test("keys that a usual partitioner puts where they lie tell of nothing, however few they are and whatever another one would do", () => {
  const numbers = Array.from({ length: 100 }, (_, n) => n);
  for (const place of [java, librdkafka, sarama])
    for (const partitions of [2, 3, 4, 6, 12])
      for (const count of [1, 2, 3, 5]) {
        const misjudged = numbers.filter((n) => {
          const keys: Buffer[][] = Array.from({ length: partitions }, () => []);
          for (let i = 0; i < count; i++) {
            const key = Buffer.from(`device ${n}.${i}`);
            keys[place(key, partitions)]?.push(key);
          }
          return haveMoved(keys);
        });
        expect(misjudged).toEqual([]);
      }
});

test("no records, or none with a key, tell nothing", () => {
  expect(haveMoved([])).toBe(false);
  expect(haveMoved([[], []])).toBe(false);
});
