/**
 * The partition of a key as Java's producer chooses it: murmur2 with its seed, made positive, modulo.
 * https://github.com/apache/kafka/blob/4.0.0/clients/src/main/java/org/apache/kafka/common/utils/Utils.java (murmur2)
 */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

export function murmur2(data: Uint8Array): number {
  const { length } = data;
  const byte = (at: number): number => data[at] ?? 0;
  let h = SEED ^ length;
  const whole = length - (length % 4);
  for (let at = 0; at < whole; at += 4) {
    let k = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    h = Math.imul(h, M) ^ Math.imul(k, M);
  }
  if (length % 4 === 3) h ^= byte(whole + 2) << 16;
  if (length % 4 >= 2) h ^= byte(whole + 1) << 8;
  if (length % 4 >= 1) h = Math.imul(h ^ byte(whole), M);
  h = Math.imul(h ^ (h >>> 13), M);
  return h ^ (h >>> 15);
}
