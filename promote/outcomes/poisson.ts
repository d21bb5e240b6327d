import type { Random } from "#kernel/guest/runtime/random.ts";

const two32 = 4_294_967_296;

/** Poisson(1) for each of 65,536 equally likely numbers: exact to one part in 65,536 of probability. */
const unitTable = (() => {
  const table = new Uint8Array(65_536);
  let probability = Math.exp(-1);
  let total = probability;
  let from = 0;
  for (let count = 0; from < table.length; count += 1) {
    const to = total > 1 - 1e-9 ? table.length : Math.round(total * table.length);
    table.fill(count, from, to);
    from = Math.max(from, to);
    probability /= count + 1;
    total += probability;
  }
  return table;
})();

/** The state of a generator of weights: xoshiro128++, as `seededRandom`, unrolled where a call a number would cost more than the number. */
export function weightState(random: Random): Int32Array {
  return Int32Array.of(random(), random(), random(), random() | 1);
}

/**
 * Fills `weights` with draws from Poisson(1): how often each of very many units comes when as many are drawn with replacement. Gives their sum.
 */
export function fillPoisson(
  state: Int32Array,
  weights: Float64Array | Uint8Array,
  length: number,
): number {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  let total = 0;
  for (let at = 0; at < length; at += 2) {
    const sum = (a + d) | 0;
    const bits = (((sum << 7) | (sum >>> 25)) + a) | 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    const low = unitTable[bits & 65_535] ?? 0;
    const high = at + 1 < length ? (unitTable[bits >>> 16] ?? 0) : 0;
    weights[at] = low;
    weights[at + 1] = high;
    total += low + high;
  }
  state[0] = a;
  state[1] = b;
  state[2] = c;
  state[3] = d;
  return total;
}

/** One draw from Poisson(mean): by inversion while the mean is small, else Hörmann's PTRS (1993, transformed rejection). */
export function poisson(random: Random, mean: number): number {
  return mean < 10 ? inverted(random, mean) : rejected(random, mean);
}

function inverted(random: Random, mean: number): number {
  let probability = Math.exp(-mean);
  let left = (random() + 0.5) / two32;
  let count = 0;
  while (left > probability && count < 200) {
    left -= probability;
    count += 1;
    probability *= mean / count;
  }
  return count;
}

function rejected(random: Random, mean: number): number {
  const logMean = Math.log(mean);
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const vr = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = (random() + 0.5) / two32 - 0.5;
    const v = (random() + 0.5) / two32;
    const us = 0.5 - Math.abs(u);
    const count = Math.floor(((2 * a) / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= vr) return count;
    if (count < 0 || (us < 0.013 && v > us)) continue;
    const logged = Math.log(v) + Math.log(inverseAlpha) - Math.log(a / (us * us) + b);
    if (logged <= -mean + count * logMean - logFactorial(count)) return count;
  }
}

const smallFactorials = (() => {
  const logs = [0];
  for (let n = 1; n < 20; n += 1) logs.push((logs[n - 1] ?? 0) + Math.log(n));
  return logs;
})();

/** Stirling's series from 20 on: its error is below 1e-13 there. */
function logFactorial(n: number): number {
  if (n < 20) return smallFactorials[n] ?? 0;
  const x = n + 1;
  return (
    (x - 0.5) * Math.log(x) -
    x +
    0.5 * Math.log(2 * Math.PI) +
    1 / (12 * x) -
    1 / (360 * x ** 3) +
    1 / (1260 * x ** 5)
  );
}
