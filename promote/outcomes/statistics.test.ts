import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "#kernel/guest/runtime/random.ts";
import { areaUnderCurve, fromSums, rank } from "#kernel/guest/runtime/metric-statistic.ts";
import { outcomeOf, type OutcomeRequest } from "./answer.ts";
import { groupUnits } from "./groups.ts";
import { holm, intervalOf, pValue, verdictOf } from "./interval.ts";
import { studentQuantile, studentTails } from "./student.ts";
import { measure, type Question, type SideRows } from "./measure.ts";
import { fillPoisson, poisson, weightState } from "./poisson.ts";
import { resampleSums, resampleWeights } from "./resample.ts";

// The statistics by themselves: against a plain slow bootstrap, against what is known, and by how often intervals cover the truth.

type Row = { unit: number; first: number; second?: number; counted?: boolean };

function rowsOf(rows: Row[]): SideRows {
  return {
    first: Float64Array.from(rows, ({ first }) => first),
    second: Float64Array.from(rows, ({ second }) => second ?? 1),
    counted: Uint8Array.from(rows, ({ counted }) => (counted === false ? 0 : 1)),
    unit: Int32Array.from(rows, ({ unit }) => unit),
  };
}

function uniform(seed: number): () => number {
  const random = seededRandom([seed, 2, 3, 4]);
  for (let at = 0; at < 20; at += 1) random();
  return () => (random() + 0.5) / 2 ** 32;
}

function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
}

const seed = [5, 6, 7, 8];

function request(
  before: Row[],
  after: Row[],
  units: number,
  more: Partial<OutcomeRequest> = {},
): OutcomeRequest {
  return {
    statistic: "ratio",
    better: "higher",
    before: rowsOf(before),
    after: rowsOf(after),
    units,
    isWhole: false,
    seed,
    by: "record",
    segments: null,
    ...more,
  };
}

/** The bootstrap as a textbook has it: draw n units with replacement, compute both sides from all their rows, subtract. */
function plainBootstrap({ statistic, before, after, units }: Question, resamples: number) {
  const next = uniform(99);
  const valueOf = ({ first, second, unit, counted }: SideRows, times: number[]) => {
    const rows = [...unit].flatMap((one, row) =>
      counted[row] === 1
        ? Array.from({ length: times[one] ?? 0 }, () => [first[row] ?? 0, second[row] ?? 0])
        : [],
    );
    if (statistic === "auc") {
      const of = (truth: number) => rows.filter((row) => row[1] === truth).map(([score]) => score);
      const [positive, negative] = [of(1), of(0)];
      const wins = positive.flatMap((p = 0) =>
        negative.map((n = 0): number => (p > n ? 1 : p === n ? 0.5 : 0)),
      );
      return wins.reduce((sum, win) => sum + win, 0) / wins.length;
    }
    if (statistic === "calibration") {
      const bins = Array.from({ length: 10 }, () => 0);
      for (const [gap = 0, bin = 0] of rows) bins[bin] = (bins[bin] ?? 0) + gap;
      return bins.reduce((sum, gap) => sum + Math.abs(gap), 0) / rows.length;
    }
    const sum = (part: number) => rows.reduce((sum, row) => sum + (row[part] ?? 0), 0);
    return fromSums(statistic, sum(0), sum(1)) ?? Number.NaN;
  };
  return Float64Array.from({ length: resamples }, () => {
    const times = Array.from({ length: units }, () => 0);
    for (let at = 0; at < units; at += 1) {
      const unit = Math.floor(next() * units);
      times[unit] = (times[unit] ?? 0) + 1;
    }
    return valueOf(after, times) - valueOf(before, times);
  }).toSorted();
}

const statistics: Question["statistic"][] = ["ratio", "total", "rootRatio", "auc", "calibration"];

test.each(statistics)("%s: the interval is that of the plain bootstrap", (statistic) => {
  const next = uniform(1);
  const units = 60;
  // A few records are on one side only, some are left out by the metric, and some come in two rows.
  const side = (shift: number): Row[] =>
    Array.from({ length: units }, (_, unit) => unit).flatMap((unit) => {
      if (next() < 0.1) return [];
      const isTrue = unit % 3 === 0 ? 1 : 0;
      const probability = Math.min(
        0.999,
        Math.max(0, 0.3 + 0.3 * isTrue + shift + (next() - 0.5) / 2),
      );
      const isBinned = statistic === "calibration";
      const row = {
        unit,
        first: isBinned ? probability - isTrue : probability,
        second: isBinned
          ? Math.floor(probability * 10)
          : statistic === "auc"
            ? isTrue
            : 1 + (unit % 2),
        counted: next() > 0.05,
      };
      return unit % 10 === 0 ? [row, { ...row, first: row.first * 0.9 }] : [row];
    });
  const question = { statistic, before: rowsOf(side(0)), after: rowsOf(side(0.1)), units, seed };
  const resamples = 2000;
  const ours = measure({ ...question, resamples }).differences.toSorted();
  const plain = plainBootstrap({ ...question, resamples }, resamples);
  expect(ours.length).toBe(resamples);
  const deviation = (plain[1680] ?? 0) - (plain[320] ?? 0);
  for (const at of [50, 320, 1000, 1680, 1950])
    expect(Math.abs((ours[at] ?? 0) - (plain[at] ?? 0)) / deviation, `at ${at}`).toBeLessThan(0.12);
});

test("very many records: the spread is the one known from theory, whether they differ or repeat", () => {
  const next = uniform(2);
  const units = 60_000;
  for (const kinds of [Infinity, 7]) {
    const value = () => (kinds === Infinity ? next() : Math.floor(next() * kinds));
    const before = Array.from({ length: units }, (_, unit) => ({ unit, first: value() }));
    const after = before.map(({ unit, first }) => ({ unit, first: first + value() * 0.5 }));
    const moved = after.map(({ first }, unit) => first - (before[unit]?.first ?? 0));
    const mean = moved.reduce((sum, one) => sum + one, 0) / units;
    const variance = moved.reduce((sum, one) => sum + (one - mean) ** 2, 0) / units;
    for (const [statistic, known] of [
      ["ratio", Math.sqrt(variance / units)],
      ["total", Math.sqrt(variance * units)],
    ] as const) {
      const asked = { statistic, before: rowsOf(before), after: rowsOf(after), units, seed };
      const { differences } = measure({ ...asked, resamples: 1000 });
      const center = differences.reduce((sum, one) => sum + one, 0) / 1000;
      const spread = Math.sqrt(
        differences.reduce((sum, one) => sum + (one - center) ** 2, 0) / 1000,
      );
      expect(spread / known).toBeGreaterThan(0.92);
      expect(spread / known).toBeLessThan(1.08);
      expect(Math.abs(center - (statistic === "ratio" ? mean : mean * units))).toBeLessThan(
        known / 5,
      );
    }
  }
});

test("very many records: the area under the curve spreads as when every resample's ranks are walked", () => {
  const next = uniform(5);
  const units = 6000;
  const truths = Array.from({ length: units }, () => (next() < 0.3 ? 1 : 0));
  // Two decimals, so that scores tie.
  const side = (gain: number): Row[] =>
    truths.map((second, unit) => ({
      unit,
      first: Math.round(100 * (next() + gain * second)) / 100,
      second,
    }));
  const [before, after] = [rowsOf(side(0.2)), rowsOf(side(0.4))];
  const { differences } = measure({ statistic: "auc", before, after, units, seed, resamples: 600 });
  const [was, is] = [before, after].map(({ first, second }) => rank(first, second));
  const walked: number[] = [];
  resampleWeights(units, { seed: [4, 3, 2, 1], resamples: 600 }, (weights) => {
    if (was && is)
      walked.push((areaUnderCurve(is, weights) ?? 0) - (areaUnderCurve(was, weights) ?? 0));
  });
  const about = (values: ArrayLike<number>) => {
    const list = Array.from(values);
    const mean = list.reduce((sum, one) => sum + one, 0) / list.length;
    return {
      mean,
      spread: Math.sqrt(list.reduce((sum, one) => sum + (one - mean) ** 2, 0) / list.length),
    };
  };
  const [ours, plain] = [about(differences), about(walked)];
  expect(ours.spread / plain.spread).toBeGreaterThan(0.9);
  expect(ours.spread / plain.spread).toBeLessThan(1.1);
  expect(Math.abs(ours.mean - plain.mean)).toBeLessThan(plain.spread / 4);
});

describe("about 95 % of intervals cover the truth", () => {
  const runs = 200;

  function coverage(truth: number, simulate: (next: () => number) => OutcomeRequest): number {
    let covered = 0;
    for (let run = 0; run < runs; run += 1) {
      const { interval } = outcomeOf({ ...simulate(uniform(run + 1000)), seed: [run, 1, 1, 1] });
      if (interval && interval.low <= truth && truth <= interval.high) covered += 1;
    }
    return covered / runs;
  }

  const simulations: [what: string, truth: number, (next: () => number) => OutcomeRequest][] = [
    [
      "a mean over 15 records, paired",
      0.2,
      (next) => {
        const before = Array.from({ length: 15 }, (_, unit) => ({ unit, first: normal(next) * 3 }));
        const after = before.map(({ unit, first }) => ({
          unit,
          first: first + 0.2 + normal(next),
        }));
        return request(before, after, 15);
      },
    ],
    [
      "a mean over 8 records that count, among 1,000 that do not",
      0.2,
      (next) => {
        const before = Array.from({ length: 1000 }, (_, unit) => ({
          unit,
          first: normal(next) * 3,
          counted: unit % 125 === 0,
        }));
        const after = before.map((row) => ({ ...row, first: row.first + 0.2 + normal(next) }));
        return request(before, after, 1000);
      },
    ],
    [
      "a share, with a tenth filtered on one side",
      0.1,
      (next) => {
        const draw = Array.from({ length: 120 }, (_, unit) => ({ unit, at: next() }));
        const before = draw.map(({ unit, at }) => ({ unit, first: at < 0.3 ? 1 : 0 }));
        const after = draw
          .filter(() => next() > 0.1)
          .map(({ unit, at }) => ({ unit, first: at < 0.4 ? 1 : 0 }));
        return request(before, after, 120);
      },
    ],
    [
      "a ratio of two sums",
      2.2 / 2 - 2 / 2,
      (next) => {
        const draw = Array.from({ length: 120 }, (_, unit) => ({
          unit,
          weight: 1 + 2 * next(),
          noise: normal(next),
        }));
        const side = (rate: number) =>
          draw.map(({ unit, weight, noise }) => ({
            unit,
            first: rate * weight + noise * rate,
            second: weight,
          }));
        return request(side(1), side(1.1), 120);
      },
    ],
    [
      "a mean over 25 clusters of 8 alike records, drawn by cluster",
      0.5,
      (next) => {
        const rows = Array.from({ length: 25 }, (_, unit) => unit).flatMap((unit) => {
          const common = normal(next);
          return Array.from({ length: 8 }, () => ({
            unit,
            first: normal(next),
            moved: 0.5 + common + normal(next) * 0.3,
          }));
        });
        const after = rows.map(({ unit, first, moved }) => ({ unit, first: first + moved }));
        return request(rows, after, 25, { by: { column: "day" } });
      },
    ],
  ];

  test.each(simulations)("%s", (_, truth, simulate) => {
    const share = coverage(truth, simulate);
    // Two and a half standard errors of 200 runs, a little more below: small samples are not normal.
    expect(share).toBeGreaterThan(0.91);
    expect(share).toBeLessThan(0.985);
  });

  test("drawn record by record, alike records give intervals that are far too short", () => {
    const [, truth, simulate] = simulations.at(-1) ?? ["", 0, () => request([], [], 0)];
    const byRecord = coverage(truth, (next) => {
      const asked = simulate(next);
      const unit = asked.before.unit.map((_, row) => row);
      const before = { ...asked.before, unit };
      return { ...asked, before, after: { ...asked.after, unit }, units: unit.length };
    });
    expect(byRecord).toBeLessThan(0.7);
  });
});

describe("verdicts", () => {
  const sure = { low: 0.1, high: 0.3, level: 0.95 } as const;
  const down = { low: -0.3, high: -0.1, level: 0.95 } as const;
  const open = { low: -0.1, high: 0.3, level: 0.95 } as const;
  const cases: [Parameters<typeof verdictOf>, ReturnType<typeof verdictOf>][] = [
    [["higher", false, sure], "improved"],
    [["lower", false, sure], "worse"],
    [["higher", false, down], "worse"],
    [["lower", false, down], "improved"],
    [["higher", false, open], "cannot tell"],
    [["higher", false, { ...open, low: 0 }], "cannot tell"],
    [["lower", false, null], "cannot tell"],
    [["lower", true, { low: 0, high: 0, level: 0.95 }], "unchanged"],
    [[null, false, sure], null],
  ];
  test.each(cases)("%j: %s", (given, verdict) => expect(verdictOf(...given)).toBe(verdict));

  test("unchanged is every record the same, not the same sum", () => {
    const before = [0, 1, 2].map((unit) => ({ unit, first: unit }));
    const swapped = [1, 0, 2].map((first, unit) => ({ unit, first }));
    expect(outcomeOf(request(before, before, 3))).toMatchObject({
      difference: 0,
      verdict: "unchanged",
      interval: { low: 0, high: 0 },
    });
    expect(outcomeOf(request(before, swapped, 3))).toMatchObject({
      difference: 0,
      verdict: "cannot tell",
    });
  });

  test("Holm: the smallest p-value meets the strictest bound, and the first that fails ends it", () => {
    expect(holm([0.04, 0.001, 0.02, 0.2])).toEqual([false, true, false, false]);
    expect(holm([0.01, 0.02, 0.04])).toEqual([true, true, true]);
    expect(holm([])).toEqual([]);
  });
});

test("the same request gives the same interval; another seed nearly the same", () => {
  const next = uniform(3);
  const before = Array.from({ length: 500 }, (_, unit) => ({ unit, first: next() }));
  const after = before.map(({ unit, first }) => ({ unit, first: first + next() - 0.4 }));
  const asked = request(before, after, 500);
  const found = outcomeOf(asked);
  expect(outcomeOf(asked)).toEqual(found);
  const other = outcomeOf({ ...asked, seed: [1, 1, 1, 1] });
  expect(other.interval).not.toEqual(found.interval);
  expect(other.interval?.low).toBeCloseTo(found.interval?.low ?? 0, 2);
  expect(found.resampled).toEqual({ by: "record", units: 500, resamples: 2000 });
});

const reasons: [what: string, before: Row[], after: Row[], reason: RegExp][] = [
  ["no rows on one side", [], [{ unit: 0, first: 1 }], /One side has no number/],
  ["one record", [{ unit: 0, first: 1 }], [{ unit: 0, first: 2 }], /only one record/],
];
test.each(reasons)("%s: no interval, and the reason", (_, before, after, reason) => {
  const found = outcomeOf(request(before, after, 1));
  expect(found.interval).toBeNull();
  expect(found.noInterval).toMatch(reason);
});

test("a sum draws records that neither side kept too; a count of them is nothing that can be sure", () => {
  const before = [0, 1, 2].map((unit) => ({ unit, first: 1 }));
  const after = [0, 1, 2, 3].map((unit) => ({ unit, first: 1 }));
  const asked = request(before, after, 1000, {
    statistic: "total",
    better: "lower",
    isWhole: true,
  });
  const found = outcomeOf(asked);
  expect(found).toMatchObject({ difference: 1, verdict: "cannot tell" });
  expect(found.interval?.low).toBe(0);
  expect(found.resampled.units).toBe(1000);
});

test.each(["ratio", "rootRatio", "auc", "calibration"] as const)(
  "%s: records that it leaves out do not make few look like many",
  (statistic) => {
    const next = uniform(6);
    const before = Array.from({ length: 8 }, (_, unit) => ({
      unit,
      first: next(),
      second: unit % 2,
    }));
    const after = before.map((row) => ({ ...row, first: row.first + next() }));
    const left = Array.from({ length: 992 }, (_, at) => ({
      unit: at + 8,
      first: 0,
      counted: false,
    }));
    const alone = outcomeOf(request(before, after, 8, { statistic }));
    const among = [...before, ...left];
    expect(outcomeOf(request(among, [...after, ...left], 1000, { statistic }))).toEqual(alone);
    expect(alone.resampled.units).toBe(8);
    // As segments they are drawn alike.
    const code = new Int32Array(1000);
    const segments = { by: "origin", before: code, after: code, values: ["SFO"] };
    const asked = request(among, [...after, ...left], 1000, { statistic, segments });
    expect(outcomeOf(asked).segments?.list[0]?.interval).toEqual(alone.interval);
  },
);

test("a segment's sum draws all records, as the whole's does", () => {
  // Of 1,000 records none were in the segment before and 50 are after: how many is binomial.
  const after = Array.from({ length: 50 }, (_, at) => ({ unit: at * 20, first: 1 }));
  const segments = {
    by: "origin",
    before: new Int32Array(0),
    after: new Int32Array(50),
    values: ["SFO"],
  };
  const asked = { statistic: "total", isWhole: true, segments } as const;
  const { interval, segments: found } = outcomeOf(request([], after, 1000, asked));
  const [segment] = found?.list ?? [];
  expect(segment?.interval).toEqual(interval);
  const width = (segment?.interval?.high ?? 0) - (segment?.interval?.low ?? 0);
  const known = 2 * 1.96 * Math.sqrt(50 * (1 - 50 / 1000));
  expect(width / known).toBeGreaterThan(0.9);
  expect(width / known).toBeLessThan(1.1);
});

describe("segments", () => {
  const next = uniform(4);
  const values = Array.from({ length: 30 }, (_, index) => (index === 0 ? null : `s${index}`));
  const rows = Array.from({ length: 6000 }, (_, unit) => ({
    unit,
    first: normal(next),
    segment: Math.floor(next() ** 2 * 30),
  }));
  // Only in the largest segment does anything change but noise.
  const after = rows.map((row) => ({
    ...row,
    first: row.first + normal(next) + (row.segment === 0 ? 1 : 0),
  }));
  const codes = Int32Array.from(rows, ({ segment }) => segment);
  const found = outcomeOf(
    request(rows, after, 6000, { segments: { by: "origin", before: codes, after: codes, values } }),
  ).segments;

  test("the largest come first, up to a limit that is said, each with its own number", () => {
    expect(found).toMatchObject({ by: "origin", of: 30 });
    expect(found?.list).toHaveLength(20);
    const sizes = found?.list.map(({ rows }) => rows) ?? [];
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    const [first] = found?.list ?? [];
    const own = rows.filter(({ segment }) => segment === 0);
    expect(first?.before).toBeCloseTo(own.reduce((sum, row) => sum + row.first, 0) / own.length, 9);
    expect(found?.warning).toMatch(/20 segments of 30/);
  });

  test("only the one that changed is called so; single intervals may miss", () => {
    expect(found?.list.map(({ value, verdict }) => [value, verdict])).toEqual(
      found?.list.map(({ value }) => [value, value === null ? "improved" : "cannot tell"]),
    );
  });
});

test("grouping alike units changes no sum", () => {
  const units = fc.array(
    fc.tuple(fc.integer({ min: -2, max: 2 }), fc.double({ noNaN: true, min: 0, max: 1 })),
    {
      minLength: 1,
      maxLength: 200,
    },
  );
  fc.assert(
    fc.property(units, (rows) => {
      const columns = [0, 1].map((index) => Float64Array.from(rows, (row) => row[index] ?? 0));
      const groups = groupUnits(columns);
      expect(groups.counts.reduce((sum, count) => sum + count, 0)).toBe(rows.length);
      for (const [index, column] of columns.entries()) {
        const whole = column.reduce((sum, value) => sum + value, 0);
        const grouped = groups.columns[index]?.reduce(
          (sum, value, group) => sum + value * (groups.counts[group] ?? 0),
          0,
        );
        expect(grouped).toBeCloseTo(whole, 9);
      }
      const distinct = new Set(rows.map(([a, b]) => `${Object.is(a, -0) ? "-0" : a} ${b}`));
      expect(groups.counts.length).toBe(distinct.size);
    }),
    { seed: 1 },
  );
});

test.each([0.5, 3, 9.9, 10, 40, 5000])("Poisson(%d) has its mean and its variance", (mean) => {
  const random = seededRandom([9, 9, 9, Math.round(mean * 10)]);
  const draws = Array.from({ length: 20_000 }, () => poisson(random, mean));
  const average = draws.reduce((sum, draw) => sum + draw, 0) / draws.length;
  const variance = draws.reduce((sum, draw) => sum + (draw - average) ** 2, 0) / draws.length;
  expect(Math.abs(average - mean)).toBeLessThan(4 * Math.sqrt(mean / draws.length));
  expect(variance / mean).toBeGreaterThan(0.95);
  expect(variance / mean).toBeLessThan(1.05);
});

test("weights are drawn by the generator that is drawn from elsewhere, 16 bits a weight", () => {
  const state = weightState(seededRandom(seed));
  const random = seededRandom([...state]);
  const weights = new Uint8Array(10_000);
  const total = fillPoisson(state, weights, weights.length);
  expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(total);
  // The same 16 bits have the same weight, more of them no smaller a one.
  const weightOf = new Map<number, number>();
  for (let at = 0; at < weights.length; at += 2) {
    const bits = random();
    for (const [part, weight] of [
      [bits & 65_535, weights[at]],
      [bits >>> 16, weights[at + 1]],
    ] as const) {
      expect(weightOf.get(part) ?? weight).toBe(weight);
      weightOf.set(part, weight ?? -1);
    }
  }
  const inOrder = [...weightOf].toSorted(([a], [b]) => a - b).map(([, weight]) => weight);
  expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
});

test("sums of drawn units add up to as many units as there are", () => {
  for (const units of [100, 30_000]) {
    const groups = groupUnits([new Float64Array(units).fill(2)]);
    const sums = resampleSums(groups, { seed, resamples: 50 });
    for (const sum of sums) expect(sum).toBeCloseTo(2 * units, 6);
  }
});

// Closed forms: one degree of freedom is Cauchy's distribution, two and four are algebraic.
const tails: [what: string, freedom: number, (t: number) => number][] = [
  ["1", 1, (t) => 1 - (2 / Math.PI) * Math.atan(t)],
  ["2", 2, (t) => 1 - t / Math.sqrt(2 + t * t)],
  [
    "3",
    3,
    (t) => 1 - (2 / Math.PI) * (Math.atan(t / Math.sqrt(3)) + (t * Math.sqrt(3)) / (t * t + 3)),
  ],
  ["4", 4, (t) => 1 - (t * (t * t + 6)) / (t * t + 4) ** 1.5],
];
test.each(tails)("Student's t with %s degrees of freedom is exact", (_, freedom, known) => {
  for (const t of [0, 0.01, 0.5, 1, 2, 5, 20, 100])
    expect(studentTails(t, freedom)).toBeCloseTo(known(t), 12);
});

// As in every table of the distribution.
const quantiles: [freedom: number, quantile: number][] = [
  [1, 12.706_204_736],
  [2, 4.302_652_73],
  [3, 3.182_446_305],
  [4, 2.776_445_105],
  [5, 2.570_581_836],
  [9, 2.262_157_163],
  [14, 2.144_786_688],
  [30, 2.042_272_456],
  [120, 1.979_930_405],
  [1_000_000_000, 1.959_963_987],
];
test.each(quantiles)("Student's t: 97.5 %% at %d degrees of freedom", (freedom, quantile) => {
  expect(studentQuantile(0.975, freedom)).toBeCloseTo(quantile, 7);
  expect(studentTails(quantile, freedom)).toBeCloseTo(0.05, 8);
});

test("a p-value of two units is that of one degree of freedom", () => {
  // A spread of 1 and no more: the difference is the statistic, but for two units' correction.
  const differences = Float64Array.from({ length: 20_000 }, (_, at) => (at % 2 === 0 ? 1 : -1));
  const p = pValue(100 * Math.SQRT2, differences, 2);
  expect(p).toBeCloseTo(1 - (2 / Math.PI) * Math.atan(100), 5);
});

test("an interval of very many units is the plain percentile interval, of few it is wider", () => {
  const differences = Float64Array.from({ length: 999 }, (_, at) => at + 1);
  const wide = intervalOf(differences, 1e9);
  expect(wide.low).toBeCloseTo(25, 0);
  expect(wide.high).toBeCloseTo(975, 0);
  expect(intervalOf(differences, 6).low).toBeLessThan(10);
});
