/** A part of the token ring: rows whose token is beyond `after` and up to `to`. */
export type TokenRange = { after: bigint; to: bigint };

const FIRST = -(2n ** 63n);
const LAST = 2n ** 63n - 1n;

/** The ring of Murmur3Partitioner in `count` parts as even as its hash. The first token of all is Cassandra's own mark for "none". */
export function tokenRanges(count: number): TokenRange[] {
  const step = (LAST - FIRST) / BigInt(count);
  return Array.from({ length: count }, (_, i) => ({
    after: FIRST + step * BigInt(i),
    to: i === count - 1 ? LAST : FIRST + step * BigInt(i + 1),
  }));
}
