import type { TopicReader } from "../ports.ts";
import { murmur2 } from "./partitioner.ts";

/** Living rows of a topic, read on from where the last count ended. */
export type RowCounter = { count(): Promise<number> };

/** Above so many rows only new ones are added: an estimate. */
const MOST_KEYS = 2_000_000;
const AGE_MS = 5000;

export function openRowCounter(reader: TopicReader, topic: string): RowCounter {
  const living = new Set<number>();
  const positions = new Map<number, number>();
  let beyond = 0;
  let countedAt = -Infinity;

  async function readOn(): Promise<void> {
    for (const { partition, first, end } of await reader.ranges(topic)) {
      const from = positions.get(partition) ?? first;
      for await (const records of reader.read(topic, partition, from, end))
        for (const { key, value } of records) {
          if (key === null) continue;
          const hash = hashOf(key);
          if (value === null) living.delete(hash);
          else if (living.size < MOST_KEYS || living.has(hash)) living.add(hash);
          else beyond++;
        }
      positions.set(partition, end);
    }
  }

  return {
    async count() {
      if (performance.now() - countedAt > AGE_MS) {
        countedAt = performance.now();
        await readOn();
      }
      return living.size + beyond;
    },
  };
}

/** 53 bits: among two million keys, two alike are one chance in a thousand. */
function hashOf(key: Uint8Array): number {
  const middle = key.length >> 1;
  const high = murmur2(key) & 0x1fffff;
  const low =
    (murmur2(key.subarray(middle)) ^ Math.imul(murmur2(key.subarray(0, middle)), 31)) >>> 0;
  return high * 0x100000000 + low;
}
