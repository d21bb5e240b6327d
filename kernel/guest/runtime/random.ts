/** Random numbers that are the same wherever the same seed is: 32 bits at a time. */
export type Random = () => number;

/** xoshiro128++ (Blackman & Vigna 2019). The seed is four 32-bit numbers, not all zero. */
export function seededRandom(seed: readonly number[]): Random {
  let [a = 1, b = 0, c = 0, d = 0] = seed.map((part) => part | 0);
  if ((a | b | c | d) === 0) a = 1;
  return () => {
    const sum = (a + d) | 0;
    const result = (((sum << 7) | (sum >>> 25)) + a) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
}

/** Draws as many units as there are, with replacement: how often each came. */
export function drawCounts(random: Random, counts: Uint32Array): void {
  counts.fill(0);
  const { length } = counts;
  for (let at = 0; at < length; at += 1) {
    const unit = Math.floor((random() / 4_294_967_296) * length);
    counts[unit] = (counts[unit] ?? 0) + 1;
  }
}
