import { drawCounts, seededRandom, type Random } from "#kernel/guest/runtime/random.ts";
import type { Groups } from "./groups.ts";
import { fillPoisson, poisson, weightState } from "./poisson.ts";

export type Draws = { seed: number[]; resamples: number };

/**
 * Up to so many units are drawn one by one. Beyond, each unit's count is drawn by itself from Poisson(1): together they are then as many as
 * there are units only on average, within a hundredth, and sums are scaled to the count (Chamandy et al. 2012, "Estimating uncertainty for
 * massive data streams").
 */
export const mostDrawn = 5_000;
const block = 2048;

/** The columns' sums in each resample, after one another: as many columns as `groups` has, for each resample. */
export function resampleSums(groups: Groups, { seed, resamples }: Draws): Float64Array {
  const width = groups.columns.length;
  const sums = new Float64Array(resamples * width);
  const drawn = new Float64Array(resamples);
  const random = seededRandom(seed);
  if (groups.units <= mostDrawn) {
    drawOneByOne(groups, random, resamples, sums);
    return sums;
  }
  const { single, several } = byCount(groups);
  const state = weightState(random);
  for (let from = 0; from < single.length; from += block)
    addSingles(groups, single.subarray(from, from + block), state, { sums, drawn, resamples });
  for (const group of several) {
    const count = groups.counts[group] ?? 0;
    for (let resample = 0; resample < resamples; resample += 1) {
      const weight = poisson(random, count);
      drawn[resample] = (drawn[resample] ?? 0) + weight;
      for (let column = 0; column < width; column += 1) {
        const at = resample * width + column;
        sums[at] = (sums[at] ?? 0) + weight * (groups.columns[column]?.[group] ?? 0);
      }
    }
  }
  for (let at = 0; at < sums.length; at += 1) {
    const total = drawn[Math.floor(at / width)] ?? 0;
    sums[at] = ((sums[at] ?? 0) * groups.units) / total;
  }
  return sums;
}

function drawOneByOne(
  { columns, counts, units }: Groups,
  random: Random,
  resamples: number,
  sums: Float64Array,
): void {
  const groupOf = new Uint32Array(units);
  let unit = 0;
  for (const [group, count] of counts.entries()) {
    groupOf.fill(group, unit, unit + count);
    unit += count;
  }
  const width = columns.length;
  const weights = new Uint32Array(units);
  const groupWeights = new Float64Array(counts.length);
  for (let resample = 0; resample < resamples; resample += 1) {
    drawCounts(random, weights);
    groupWeights.fill(0);
    for (let at = 0; at < units; at += 1) {
      const group = groupOf[at] ?? 0;
      groupWeights[group] = (groupWeights[group] ?? 0) + (weights[at] ?? 0);
    }
    for (const [index, column] of columns.entries()) {
      let sum = 0;
      for (let group = 0; group < column.length; group += 1)
        sum += (groupWeights[group] ?? 0) * (column[group] ?? 0);
      sums[resample * width + index] = sum;
    }
  }
}

function byCount({ counts }: Groups): { single: Uint32Array; several: Uint32Array } {
  const single: number[] = [];
  const several: number[] = [];
  for (let group = 0; group < counts.length; group += 1)
    (counts[group] === 1 ? single : several).push(group);
  return { single: Uint32Array.from(single), several: Uint32Array.from(several) };
}

type Sums = { sums: Float64Array; drawn: Float64Array; resamples: number };

/** A block of units for all resamples, so that its columns stay in the processor's cache. */
function addSingles(
  { columns }: Groups,
  chosen: Uint32Array,
  state: Int32Array,
  { sums, drawn, resamples }: Sums,
): void {
  const width = columns.length;
  const near = columns.map((column) => Float64Array.from(chosen, (group) => column[group] ?? 0));
  const weights = new Float64Array(chosen.length + 1);
  for (let resample = 0; resample < resamples; resample += 1) {
    drawn[resample] = (drawn[resample] ?? 0) + fillPoisson(state, weights, chosen.length);
    for (let column = 0; column < width; column += 1) {
      const values = near[column];
      if (values === undefined) continue;
      const at = resample * width + column;
      sums[at] = (sums[at] ?? 0) + weighted(weights, values);
    }
  }
}

/** Four sums side by side: the processor need not wait for one addition to begin the next. */
function weighted(weights: Float64Array, values: Float64Array): number {
  const { length } = values;
  const whole = length - (length % 4);
  let [one, two, three, four] = [0, 0, 0, 0];
  for (let at = 0; at < whole; at += 4) {
    one += (weights[at] ?? 0) * (values[at] ?? 0);
    two += (weights[at + 1] ?? 0) * (values[at + 1] ?? 0);
    three += (weights[at + 2] ?? 0) * (values[at + 2] ?? 0);
    four += (weights[at + 3] ?? 0) * (values[at + 3] ?? 0);
  }
  for (let at = whole; at < length; at += 1) one += (weights[at] ?? 0) * (values[at] ?? 0);
  return one + two + three + four;
}

/** Hands over each resample's weights, one a unit; for statistics that are no function of sums. */
export function resampleWeights(
  units: number,
  { seed, resamples }: Draws,
  visit: (weights: ArrayLike<number>) => void,
): void {
  const random = seededRandom(seed);
  if (units <= mostDrawn) {
    const counts = new Uint32Array(units);
    for (let resample = 0; resample < resamples; resample += 1) {
      drawCounts(random, counts);
      visit(counts);
    }
    return;
  }
  const state = weightState(random);
  // A byte each: they are looked up in no order, and a million of them stay in the processor's cache.
  const weights = new Uint8Array(units + 1);
  for (let resample = 0; resample < resamples; resample += 1) {
    fillPoisson(state, weights, units);
    visit(weights);
  }
}
