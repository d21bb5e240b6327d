import type { TopicReader } from "../ports.ts";
import { murmur2 } from "./partitioner.ts";

/** Living rows of a topic, read on from where the last count ended. */
export type RowCounter = { count(): Promise<number> };

/** Of more living rows than this, every second, fourth, eighth… by hash is followed and stands for the others: within a per cent, as a rule. */
const MOST_KEYS = 65_536;
/** Often, so that each time there is little to read. */
const AGE_MS = 1000;

export function openRowCounter(
  reader: Pick<TopicReader, "ranges" | "read">,
  topic: string,
): RowCounter {
  const living = new Set<number>();
  const positions = new Map<number, number>();
  /** Followed are the hashes that it divides: one in so many. */
  let scale = 1;
  let countedAt = -Infinity;
  /** One at a time: who asks meanwhile waits for the same. */
  let reading: Promise<void> | undefined;

  async function readOn(): Promise<void> {
    for (const { partition, first, end } of await reader.ranges(topic)) {
      const from = positions.get(partition) ?? first;
      for await (const records of reader.read(topic, partition, from, end))
        for (const { key, value } of records) {
          if (key === null) continue;
          const hash = hashOf(key);
          if (hash % scale !== 0) continue;
          if (value === null) living.delete(hash);
          else living.add(hash);
          if (living.size > MOST_KEYS) followHalf();
        }
      positions.set(partition, end);
    }
  }

  function followHalf(): void {
    scale *= 2;
    for (const hash of living) if (hash % scale !== 0) living.delete(hash);
  }

  return {
    async count() {
      if (reading === undefined && performance.now() - countedAt > AGE_MS) {
        countedAt = performance.now();
        reading = readOn().finally(() => (reading = undefined));
      }
      await reading;
      return living.size * scale;
    },
  };
}

/** 53 bits, so that no two keys are taken for one. */
function hashOf(key: Uint8Array): number {
  const middle = key.length >> 1;
  const high = murmur2(key) & 0x1fffff;
  const low =
    (murmur2(key.subarray(middle)) ^ Math.imul(murmur2(key.subarray(0, middle)), 31)) >>> 0;
  return high * 0x100000000 + low;
}
