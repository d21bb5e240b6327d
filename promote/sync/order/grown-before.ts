import { crc32 } from "node:zlib";
import { sizeOf } from "../in-batches.ts";
import { murmur2 } from "../kafka/partitioner.ts";
import type { PartitionRange, TopicReader } from "../ports.ts";

/** Of the oldest records: keys of all partitions and of one, and what one's records may come to. */
const SAMPLE = { all: 500_000, one: 10_000, bytes: 4 << 20 };
const SIDE_BY_SIDE = 8;
/** Of records that lie elsewhere than their keys say. */
const MISPLACED = 2000;
/** How many earlier numbers of partitions are looked for. */
const EARLIER = 2;

type Reader = Pick<TopicReader, "ranges" | "read">;

/**
 * Until when times decide in a topic that is read for the first time and had grown before that; undefined where it seems not to have. `before` says
 * whether it had, where the keys shall not.
 */
export async function timesDecideUntil(
  reader: Reader,
  topic: string,
  { before, transitionMs }: { before?: boolean; transitionMs: number },
  nowMs: number,
): Promise<number | undefined> {
  if (before === false) return undefined;
  const grown = await grownBefore(reader, topic);
  if (grown === undefined && before === undefined) return undefined;
  return Math.max(nowMs, Math.min(nowMs, grown?.sinceMs ?? nowMs) + transitionMs);
}

/**
 * Whether a topic's partitions seem to have been increased before: one key lies in two of them, or keys lie where they would with fewer. `sinceMs`: the
 * latest of the partitions' oldest records, undefined where one is empty; a growth is no later than that, unless it left no record yet.
 */
async function grownBefore(
  reader: Reader,
  topic: string,
): Promise<{ sinceMs: number | undefined } | undefined> {
  const ranges = await reader.ranges(topic);
  const keys: Uint8Array[][] = ranges.map(() => []);
  const oldestMs: (number | undefined)[] = ranges.map(() => undefined);
  const most = Math.min(SAMPLE.one, Math.ceil(SAMPLE.all / ranges.length));

  async function sample({ partition, first, end }: PartitionRange): Promise<void> {
    const own: Uint8Array[] = [];
    let bytes = 0;
    for await (const records of reader.read(topic, partition, first, end)) {
      oldestMs[partition] ??= records[0]?.timestampMs;
      for (const record of records) {
        if (record.key !== null) own.push(record.key);
        bytes += sizeOf(record);
      }
      if (own.length >= most || bytes >= SAMPLE.bytes) break;
    }
    keys[partition] = own.slice(0, most);
  }
  const left = ranges.values();
  await Promise.all(
    Array.from({ length: SIDE_BY_SIDE }, async () => {
      for (const range of left) await sample(range);
    }),
  );
  if (!haveMoved(keys)) return undefined;
  const known = oldestMs.filter((ms) => ms !== undefined);
  return { sinceMs: known.length < ranges.length ? undefined : Math.max(...known) };
}

/** By keys of each partition. */
export function haveMoved(keys: readonly (readonly Uint8Array[])[]): boolean {
  const seen = new Map<string, number>();
  for (const [partition, own] of keys.entries())
    for (const key of own) {
      const name = Buffer.from(key).toString("latin1");
      if ((seen.get(name) ?? partition) !== partition) return true;
      seen.set(name, partition);
    }
  const places = PARTITIONERS.map((partitioner) => ({
    partitioner,
    misplaced: misplacedBy(keys, partitioner),
  }));
  // Few keys lie by chance where another partitioner puts them with fewer; that one puts all where they lie says enough.
  if (places.some(({ misplaced }) => misplaced.length === 0)) return false;
  return places.some(({ partitioner, misplaced }) =>
    isPlacedByFewer(misplaced, keys.length, partitioner),
  );
}

/** Where a client puts a key. */
type Partitioner = {
  hash: (key: Uint8Array) => number;
  place: (hash: number, partitions: number) => number;
};

/** Java's producer, librdkafka's, Sarama's. */
const PARTITIONERS: readonly Partitioner[] = [
  { hash: (key) => murmur2(key) & 0x7fffffff, place: (hash, partitions) => hash % partitions },
  { hash: (key) => crc32(key), place: (hash, partitions) => hash % partitions },
  { hash: fnv1a, place: (hash, partitions) => Math.abs(hash % partitions) },
];

type Misplaced = { partition: number; hash: number };

function misplacedBy(
  keys: readonly (readonly Uint8Array[])[],
  { hash, place }: Partitioner,
): Misplaced[] {
  const found: Misplaced[] = [];
  for (const [partition, own] of keys.entries())
    for (const key of own) {
      const one = { partition, hash: hash(key) };
      if (found.length < MISPLACED && place(one.hash, keys.length) !== partition) found.push(one);
    }
  return found;
}

function isPlacedByFewer(
  misplaced: readonly Misplaced[],
  partitions: number,
  { place }: Partitioner,
): boolean {
  let left = misplaced;
  const without = (fewer: number): Misplaced[] =>
    left.filter((one) => place(one.hash, fewer) !== one.partition);
  for (let n = 0; n < EARLIER && left.length > 0; n++) {
    const candidates = Array.from({ length: partitions - 1 }, (_, i) => without(i + 1));
    left = candidates.reduce((best, one) => (one.length < best.length ? one : best), left);
  }
  return left.length === 0;
}

/** http://www.isthe.com/chongo/tech/comp/fnv, 32 bits, as a signed number. */
function fnv1a(key: Uint8Array): number {
  return key.reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5 | 0);
}
