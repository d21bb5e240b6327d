import { afterEach, expect, test } from "vitest";
import fc from "fast-check";
import { unwrap } from "#snapshots/problem.ts";
import { batchOf, bundleOf, column } from "./fixture.ts";
import { drawCounts, seededRandom } from "./runtime/random.ts";
import { openSlice, type Slice } from "./slice.ts";

// Values worked out by hand, and laws.

const columns = [column("y", "DOUBLE", true), column("p", "DOUBLE", true)];
const open: Slice[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((slice) => slice.close()));
});

async function openMetrics(codes: string[], withParts = false): Promise<Slice> {
  const names = codes.map((_, index) => `m${index}`);
  const code = codes.map((text, index) => `const m${index} = ${text};`).join("\n");
  const bundle = await bundleOf(code, [], names);
  const entry = { kind: "metrics" as const, indexes: [...codes.keys()], withParts };
  const slice = unwrap(await openSlice({ bundle, entry, input: columns }));
  open.push(slice);
  return slice;
}

const helper = (kind: string, prediction = "row.p") =>
  `metric.${kind}("m", snapshot("s"), (row) => row.y, (row) => ${prediction})`;

const truth = [1, 1, 1, 0, 0, 0, 0, null];
const score = [0.9, 0.8, 0.3, 0.7, 0.3, 0.2, 0.1, 0.5];
const isPredicted = "row.p > 0.5";
const cases: [code: string, value: number][] = [
  // Right: 0.9, 0.8, 0.3 (negative), 0.2, 0.1 = 5 of 7.
  [helper("accuracy", `row.y === null ? null : ${isPredicted} ? 1 : 0`), 5 / 7],
  // Predicted: 0.9, 0.8, 0.7; two of them are.
  [helper("precision", isPredicted), 2 / 3],
  [helper("recall", isPredicted), 2 / 3],
  [helper("f1", isPredicted), 2 / 3],
  // Of 12 pairs: 0.9 and 0.8 beat all four, 0.3 beats 0.2 and 0.1 and ties with 0.3.
  [helper("auc"), (4 + 4 + 2.5) / 12],
  [helper("logLoss"), -(Math.log(0.9 * 0.8 * 0.3) + Math.log(0.3) + Math.log(0.7 * 0.8 * 0.9)) / 7],
  [helper("mae"), (0.1 + 0.2 + 0.7 + 0.7 + 0.3 + 0.2 + 0.1) / 7],
  [helper("rmse"), Math.sqrt((0.01 + 0.04 + 0.49 + 0.49 + 0.09 + 0.04 + 0.01) / 7)],
  // Bins of 0.9, 0.8, 0.7 and 0.2, 0.1 hold one record each; 0.3 holds two, of which one came true: |0.6 − 1|.
  [helper("calibration"), (0.1 + 0.2 + 0.7 + 0.4 + 0.2 + 0.1) / 7],
];

test("helpers give what was worked out by hand, whatever the batches; a row without truth is left out", async () => {
  const slice = await openMetrics(cases.map(([code]) => code));
  for (const [from, to] of [
    [0, 3],
    [3, 8],
  ])
    unwrap(await slice.run(batchOf(columns, [truth.slice(from, to), score.slice(from, to)])));
  const values = unwrap(await slice.finish());
  for (const [index, [code, value]] of cases.entries()) {
    expect(values[index]?.value, code).toBeCloseTo(value, 12);
    expect(values[index]).toMatchObject({ rows: 7, failed: 0 });
  }
});

const none: [what: string, code: string, truth: number[], score: number[]][] = [
  ["no positive truth", helper("auc"), [0, 0], [0.1, 0.2]],
  ["nothing predicted", helper("precision", isPredicted), [1, 0], [0.1, 0.2]],
  ["nothing at all", helper("calibration"), [], []],
];

test.each(none)("%s: no number", async (_, code, y, p) => {
  const slice = await openMetrics([code]);
  unwrap(await slice.run(batchOf(columns, [y, p])));
  expect(unwrap(await slice.finish())).toMatchObject([{ value: null, failed: 0 }]);
});

const wrong: [code: string, y: number, p: number, message: RegExp][] = [
  [helper("auc"), 2, 0.5, /truth is 2; it must be true or false/],
  [helper("recall"), 1, 0.5, /prediction is 0.5; it must be true or false/],
  [helper("logLoss"), 1, 1.5, /probability is 1.5; it must be from 0 to 1/],
  [helper("mae", "({})"), 1, 1, /must return a number/],
];

test.each(wrong)("%s refuses %s and %s", async (code, y, p, message) => {
  const slice = await openMetrics([code]);
  unwrap(await slice.run(batchOf(columns, [[y], [p]])));
  expect(unwrap(await slice.finish())).toMatchObject([
    { failed: 1, first: { message: expect.stringMatching(message) } },
  ]);
});

const misused: [code: string, message: RegExp][] = [
  [`metric.auc("m", snapshot("s"), (row) => row.y)`, /takes the truth's function of a row/],
  [`metric.mean("m", snapshot("s"), (row) => row.y, { beter: "lower" })`, /no option `beter`/],
  [`metric("m", snapshot("s"), (rows) => 1, { by: "y" })`, /has no segments/],
  [
    `metric.mean("m", snapshot("s"), (row) => row.y, { resample: {} })`,
    /resample names the column/,
  ],
];

test.each(misused)("%s is refused", async (code, message) => {
  const bundle = await bundleOf(`const m = ${code};`, [], ["m"]);
  const entry = { kind: "metrics" as const, indexes: [0] };
  expect(await openSlice({ bundle, entry, input: columns })).toMatchObject({
    ok: false,
    problem: { message: expect.stringMatching(message) },
  });
});

test("AUC is the share of pairs in which the positive scores higher", async () => {
  const records = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 9 })),
    {
      minLength: 2,
      maxLength: 60,
    },
  );
  await fc.assert(
    fc.asyncProperty(records, async (rows) => {
      const slice = await openMetrics([helper("auc")]);
      unwrap(await slice.run(batchOf(columns, [rows.map(([y]) => y), rows.map(([, p]) => p)])));
      const [found] = unwrap(await slice.finish());
      await slice.close();
      const positive = rows.filter(([y]) => y === 1);
      const negative = rows.filter(([y]) => y === 0);
      const wins = positive.flatMap(([, p]) =>
        negative.map(([, n]) => (p > n ? 1 : p === n ? 0.5 : 0)),
      );
      const share = wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
      if (wins.length === 0) expect(found?.value).toBeNull();
      else expect(found?.value).toBeCloseTo(share, 12);
    }),
    { numRuns: 20, seed: 1 },
  );
});

test("every record's parts come with its batch: firsts, seconds, whether it counts", async () => {
  const slice = await openMetrics([helper("mae"), `metric.count("m", snapshot("s"))`], true);
  const { rows } = unwrap(
    await slice.run(
      batchOf(columns, [
        [1, null, 3],
        [2, 2, 0],
      ]),
    ),
  );
  expect(rows.byteLength).toBe(2 * 3 * (8 + 8 + 1));
  const bytes = rows.slice();
  const floats = (at: number) => [...new Float64Array(bytes.slice(at, at + 24).buffer)];
  expect([floats(0), floats(24), Array.from(bytes.slice(48, 51))]).toEqual([
    [1, 0, 3],
    [1, 0, 1],
    [1, 0, 1],
  ]);
  expect([floats(51), floats(75), Array.from(bytes.slice(99))]).toEqual([
    [1, 1, 1],
    [1, 1, 1],
    [1, 1, 1],
  ]);
});

test("a free metric is a function of all rows; resampled, it sees each row as often as its unit was drawn", async () => {
  const median = `metric("median", snapshot("s"), (rows) => {
    const values = rows.map((row) => row.y).sort((a, b) => a - b);
    return values.length === 0 ? null : values[values.length >> 1];
  })`;
  const size = `metric("size", snapshot("s"), (rows) => rows.length)`;
  const slice = await openMetrics([median, size]);
  unwrap(
    await slice.run(
      batchOf(columns, [
        [5, 1],
        [0, 0],
      ]),
    ),
  );
  unwrap(
    await slice.run(
      batchOf(columns, [
        [3, 9],
        [0, 0],
      ]),
    ),
  );
  expect(unwrap(await slice.finish())).toMatchObject([
    { value: 5, rows: 4 },
    { value: 4, rows: 4 },
  ]);
  const request = { seed: [1, 2, 3, 4], count: 3, resamples: 50, budgetMs: 60_000 };
  // The first two rows are one unit; the last is left out.
  const units = Int32Array.of(0, 0, 1, -1);
  const random = seededRandom(request.seed);
  const drawn = Array.from({ length: 50 }, () => {
    const counts = new Uint32Array(3);
    drawCounts(random, counts);
    const [both = 0, single = 0] = counts;
    const times = (count: number, y: number) => Array.from({ length: count }, () => y);
    return [...times(both, 5), ...times(both, 1), ...times(single, 3)];
  });
  const sizes = unwrap(await slice.resample({ metric: 1, ...request }, units));
  expect(sizes).toEqual(drawn.map((rows) => rows.length));
  expect(new Set(sizes).size).toBeGreaterThan(3);
  const medians = unwrap(await slice.resample({ metric: 0, ...request }, units));
  expect(medians).toEqual(
    drawn.map((rows) => rows.toSorted((a, b) => a - b)[rows.length >> 1] ?? null),
  );
  const nothing = await slice.resample({ metric: 0, ...request, budgetMs: 0 }, units);
  expect(unwrap(nothing)).toEqual([]);
});
