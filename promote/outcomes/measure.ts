import {
  areaUnderCurve,
  calibrationBins,
  calibrationError,
  fromSums,
  rank,
  type Statistic,
} from "#kernel/guest/runtime/metric-statistic.ts";
import { groupUnits } from "./groups.ts";
import { areaInfluence } from "./rank.ts";
import { mostDrawn, resampleSums, resampleWeights } from "./resample.ts";

/** One side's rows of a metric: their parts, and the unit each belongs to. */
export type SideRows = {
  first: Float64Array;
  second: Float64Array;
  counted: Uint8Array;
  /** Numbered alike on both sides: a record's, or its cluster's. */
  unit: Int32Array;
};

export type Question = {
  statistic: Exclude<Statistic, "free">;
  before: SideRows;
  after: SideRows;
  /** How many units there are, those without a row on either side among them. */
  units: number;
  seed: number[];
  resamples: number;
};

export type Answer = {
  before: number | null;
  after: number | null;
  /** Every row's parts are the same on both sides. */
  isUnchanged: boolean;
  /** after − before in each resample; those in which a side has no value are missing. */
  differences: Float64Array;
};

/** The number on both sides, and the difference of it over resamplings of the units, a unit with what it has on both sides. */
export function measure(question: Question): Answer {
  const { statistic, resamples } = question;
  const before = withoutUncounted(question.before);
  const after = withoutUncounted(question.after);
  const sides = { ...question, before, after };
  const isUnchanged = isSame(before, after);
  const found =
    statistic === "auc"
      ? byRank(sides)
      : statistic === "calibration"
        ? byBins(sides)
        : bySums(sides, statistic);
  const differences = new Float64Array(resamples);
  let length = 0;
  const take = (one: number | null, other: number | null): void => {
    if (one === null || other === null || length >= resamples) return;
    differences[length] = other - one;
    length += 1;
  };
  if (!isUnchanged && found.before !== null && found.after !== null) found.resample(take);
  return {
    before: found.before,
    after: found.after,
    isUnchanged,
    differences: differences.slice(0, length),
  };
}

type Found = {
  before: number | null;
  after: number | null;
  resample(take: (before: number | null, after: number | null) => void): void;
};

function bySums(
  { before, after, units, seed, resamples }: Question,
  statistic: "total" | "ratio" | "rootRatio",
): Found {
  const sums = [before, after].flatMap(({ unit, first, second }) => [
    perUnit(unit, first, units),
    perUnit(unit, second, units),
  ]);
  const [fb = none, sb = none, fa = none, sa = none] = sums;
  const value = (first: number, second: number) => fromSums(statistic, first, second);
  return {
    before: value(total(fb), total(sb)),
    after: value(total(fa), total(sa)),
    resample(take) {
      const draws = { seed, resamples };
      const weight = sameWeight(sb, sa);
      if (statistic === "total" || (statistic === "ratio" && weight !== undefined)) {
        const moved = fb.map((one, unit) => (fa[unit] ?? 0) - one);
        const divisor = statistic === "total" ? 1 : (weight ?? 1) * units;
        for (const sum of resampleSums(groupUnits([moved]), draws)) take(0, sum / divisor);
        return;
      }
      const drawn = resampleSums(groupUnits(sums), draws);
      for (let at = 0; at < drawn.length; at += 4) {
        const one = value(drawn[at] ?? 0, drawn[at + 1] ?? 0);
        take(one, value(drawn[at + 2] ?? 0, drawn[at + 3] ?? 0));
      }
    },
  };
}

const none = new Float64Array(0);

/** What every unit weighs on both sides, if that is one number: then a ratio's difference is one sum. */
function sameWeight(before: Float64Array, after: Float64Array): number | undefined {
  const [weight = 0] = before;
  const isSame = (other: number): boolean => other === weight;
  return weight !== 0 && before.every(isSame) && after.every(isSame) ? weight : undefined;
}

function byRank({ before, after, units, seed, resamples }: Question): Found {
  const [was, is] = [before, after].map(({ first, second, unit }) => {
    const ranking = rank(first, second);
    return { ...ranking, order: ranking.order.map((row) => unit[row] ?? 0) };
  });
  if (was === undefined || is === undefined) throw new TypeError("A side is missing.");
  const [early, late] = [areaUnderCurve(was), areaUnderCurve(is)];
  return {
    before: early,
    after: late,
    resample(take) {
      if (units > mostDrawn && early !== null && late !== null) {
        const [one, other] = [areaInfluence(was, early, units), areaInfluence(is, late, units)];
        const moved = other.map((influence, unit) => influence - (one[unit] ?? 0));
        for (const sum of resampleSums(groupUnits([moved]), { seed, resamples }))
          take(0, late - early + sum / units);
        return;
      }
      resampleWeights(units, { seed, resamples }, (weights) =>
        take(areaUnderCurve(was, weights), areaUnderCurve(is, weights)),
      );
    },
  };
}

function byBins({ before, after, units, seed, resamples }: Question): Found {
  const gaps = new Float64Array(calibrationBins);
  const error = ({ first, second, unit }: SideRows, weights?: ArrayLike<number>) => {
    gaps.fill(0);
    let records = 0;
    for (let row = 0; row < first.length; row += 1) {
      const weight = weights === undefined ? 1 : (weights[unit[row] ?? 0] ?? 0);
      const bin = second[row] ?? 0;
      gaps[bin] = (gaps[bin] ?? 0) + weight * (first[row] ?? 0);
      records += weight;
    }
    return calibrationError(gaps, records);
  };
  return {
    before: error(before),
    after: error(after),
    resample(take) {
      resampleWeights(units, { seed, resamples }, (weights) =>
        take(error(before, weights), error(after, weights)),
      );
    },
  };
}

/** The rows that the metric counts. */
export function withoutUncounted(rows: SideRows): SideRows {
  if (!rows.counted.includes(0)) return rows;
  return chosenRows(rows, (row) => rows.counted[row] === 1);
}

/** Some of a side's rows. */
export function chosenRows(
  { first, second, counted, unit }: SideRows,
  isChosen: (row: number) => boolean,
): SideRows {
  const rows: number[] = [];
  for (let row = 0; row < unit.length; row += 1) if (isChosen(row)) rows.push(row);
  return {
    first: Float64Array.from(rows, (row) => first[row] ?? 0),
    second: Float64Array.from(rows, (row) => second[row] ?? 0),
    counted: Uint8Array.from(rows, (row) => counted[row] ?? 0),
    unit: Int32Array.from(rows, (row) => unit[row] ?? 0),
  };
}

/** Numbers the units anew, those without a row on either side left out. */
export function presentUnits(
  before: SideRows,
  after: SideRows,
  units: number,
): { before: SideRows; after: SideRows; units: number } {
  const number = new Int32Array(units).fill(-1);
  let present = 0;
  for (const { unit } of [before, after])
    for (const one of unit) {
      if (number[one] !== -1) continue;
      number[one] = present;
      present += 1;
    }
  const renumbered = (side: SideRows): SideRows => ({
    ...side,
    unit: side.unit.map((one) => number[one] ?? 0),
  });
  return { before: renumbered(before), after: renumbered(after), units: present };
}

function perUnit(unit: Int32Array, values: Float64Array, units: number): Float64Array {
  const sums = new Float64Array(units);
  for (let row = 0; row < unit.length; row += 1) {
    const at = unit[row] ?? 0;
    sums[at] = (sums[at] ?? 0) + (values[row] ?? 0);
  }
  return sums;
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function isSame(before: SideRows, after: SideRows): boolean {
  const { length } = before.unit;
  if (after.unit.length !== length) return false;
  for (let row = 0; row < length; row += 1) {
    if (before.unit[row] !== after.unit[row]) return false;
    if (!Object.is(before.first[row], after.first[row])) return false;
    if (!Object.is(before.second[row], after.second[row])) return false;
  }
  return true;
}
