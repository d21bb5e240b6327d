import type { Ranking } from "#kernel/guest/runtime/metric-statistic.ts";

/**
 * What each unit adds to an area under the curve when it is drawn once more: the Hájek projection, from placement values (DeLong, DeLong &
 * Clarke-Pearson 1988). They sum to 0; the area of a resample is the area plus the drawn units' sum over the number of units, but for an error
 * of the order of one over that number. `ranking.order` holds units.
 */
export function areaInfluence(
  { order, isPositive, ends }: Ranking,
  area: number,
  units: number,
): Float64Array {
  const positives = isPositive.reduce((sum, one) => sum + one, 0);
  const negatives = isPositive.length - positives;
  const influence = new Float64Array(units);
  let [start, positivesBelow, negativesBelow] = [0, 0, 0];
  for (let at = 0; at < order.length; at += 1) {
    if (ends[at] === 0) continue;
    let tied = 0;
    for (let row = start; row <= at; row += 1) tied += isPositive[row] ?? 0;
    const tiedNegatives = at + 1 - start - tied;
    const beaten = (negativesBelow + tiedNegatives / 2) / negatives;
    const beating = (positives - positivesBelow - tied / 2) / positives;
    for (let row = start; row <= at; row += 1) {
      const unit = order[row] ?? 0;
      const own =
        isPositive[row] === 1 ? (beaten - area) / positives : (beating - area) / negatives;
      influence[unit] = (influence[unit] ?? 0) + own * units;
    }
    positivesBelow += tied;
    negativesBelow += tiedNegatives;
    start = at + 1;
  }
  return influence;
}
