import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freeze } from "#snapshots/freeze.ts";
import { unwrap } from "#snapshots/problem.ts";
import { compare, type Comparison, type MetricPair } from "../compare.ts";
import { readSide } from "../compare-side.ts";
import { initWorkspace } from "../init.ts";
import { compareOutcomes, type OutcomesRequest } from "./compare-outcomes.ts";
import { freeOutcome } from "./free.ts";
import { openWorkbench, type Workbench } from "../workbench.ts";

// Two versions of a notebook on one snapshot of 600 rows: what the metrics say of both, through real guests and DuckDB.

const folder = mkdtempSync(join(tmpdir(), "penstock-outcomes-"));
const root = join(folder, "workspace");
const rows = 600;
const delayOf = (id: number): number => (id * 37) % 101;

const head = `// %%
import { snapshot, split, sql, transform, metric } from "penstock";
const flights = snapshot("flights@t");
`;
const transformOf = (threshold: number, more = "") => `// %%
export const delays = transform(flights, (f) => {
  if (f.delay > 90) return null;${more}
  return { ...f, late: f.delay > ${threshold}, risk: Math.min(1, f.delay / ${threshold * 4}), isLong: f.id % 2 === 0 };
});
`;
const metrics = `// %%
metric.mean("late share", delays, (row) => row.late, { better: "lower" });
metric.count("rows", delays, { better: "higher" });
metric.mean("by origin", delays, (row) => row.late, { better: "lower", by: "origin" });
metric.mean("by day", delays, (row) => row.late, { better: "lower", resample: { by: "date" } });
metric.mean("same", delays, (row) => row.delay, { better: "lower" });
metric.auc("auc", delays, (row) => row.isLong, (row) => row.risk);
metric("median risk", delays, (rows) => rows.map((row) => row.risk).sort((a, b) => a - b)[rows.length >> 1] ?? null, { better: "lower" });
const byOrigin = sql\`select origin, avg(late::integer) as share from \${delays} group by origin\`;
metric.mean("unpaired", byOrigin, (row) => row.share, { better: "lower" });
metric.mean("paired by origin", byOrigin, (row) => row.share, { better: "lower", resample: { by: "origin" } });
const { train, test } = split(delays).random(0.4, { seed: 1 });
metric.mean("on test", test, (row) => row.late, { better: "lower" });
metric.count("train rows", train);
metric.count("test rows", test);
metric.mean("nowhere", delays, (row) => row.late, { by: "nowhere" });
`;

let workbench: Workbench;
beforeAll(async () => {
  unwrap(await initWorkspace({ dir: root, demo: false }));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const lines = Array.from(
    { length: rows },
    (_, id) =>
      `${id},${delayOf(id)},${["SFO", "DEN", "LAX"][id % 3]},2001-03-${String(1 + (id % 25)).padStart(2, "0")} 0${id % 10}:00:00`,
  );
  write("data/flights.csv", `id,delay,origin,date\n${lines.join("\n")}\n`);
  write("sources/flights.yaml", "format: csv\npath: data/flights.csv\nidentity: [id]\n");
  workbench = unwrap(await openWorkbench(root, { withSync: false, holdLock: true }));
  const { workspace, store, queries, now } = workbench;
  unwrap(await freeze({ workspace, store, queries, source: "flights", label: "t", now }));
});
afterAll(async () => {
  await workbench.close();
  rmSync(folder, { recursive: true, force: true });
});

async function compared(before: string, after: string, more = ""): Promise<Comparison> {
  return unwrap(
    await compare({
      workbench,
      notebook: "delays",
      transform: "delays",
      before: { kind: "working", text: head + before + metrics },
      after: { kind: "working", text: head + after + metrics + more },
    }),
  );
}

function named(comparison: Comparison, name: string): MetricPair {
  const found = comparison.metrics.find((metric) => metric.name === name);
  if (!found) throw new Error(`no metric ${name}`);
  return found;
}

describe("a higher threshold, and one record in four left out", () => {
  let comparison: Comparison;
  let repeated: Comparison;
  beforeAll(async () => {
    const after = transformOf(30, "\n  if (f.id % 4 === 0) return null;");
    comparison = await compared(transformOf(15), after);
    repeated = await compared(transformOf(15), `${after}// another text, another comparison\n`);
  });

  test("the value on both sides, the difference, its interval and the verdict", () => {
    const kept = Array.from({ length: rows }, (_, id) => delayOf(id)).filter(
      (delay) => delay <= 90,
    );
    const share = kept.filter((delay) => delay > 15).length / kept.length;
    const found = named(comparison, "late share");
    expect(found.before).toBeCloseTo(share, 12);
    expect(found.difference).toBe((found.after ?? 0) - (found.before ?? 0));
    expect(found).toMatchObject({ verdict: "improved", noInterval: null, warnings: [] });
    expect(found.interval?.low).toBeLessThan(found.difference ?? 0);
    expect(found.interval?.high).toBeGreaterThan(found.difference ?? 0);
    expect(found.interval?.high).toBeLessThan(0);
    expect(found.resampled).toEqual({ by: "record", units: kept.length, resamples: 2000 });
  });

  test("a count draws the records that both sides leave out too", () => {
    const found = named(comparison, "rows");
    expect(found).toMatchObject({ verdict: "worse", resampled: { units: rows } });
    // Each record is left out by its own: the count's difference is binomial.
    const moved = -(found.difference ?? 0);
    const deviation = Math.sqrt(moved * (1 - moved / rows));
    const width = (found.interval?.high ?? 0) - (found.interval?.low ?? 0);
    expect(width / (2 * 1.96 * deviation)).toBeGreaterThan(0.9);
    expect(width / (2 * 1.96 * deviation)).toBeLessThan(1.1);
  });

  test("the same comparison gives the same intervals; a free metric's within its budget", () => {
    expect(repeated.metrics).toEqual(comparison.metrics);
    expect(named(comparison, "median risk")).toMatchObject({
      verdict: "improved",
      resampled: { budgetMs: 10_000, resamples: 1000, by: "record" },
    });
  });

  test("segments are the column's values, each with an outcome of its own", () => {
    const { segments } = named(comparison, "by origin");
    expect(
      segments?.list.map(({ value }) => value).toSorted((a, b) => ((a ?? "") < (b ?? "") ? -1 : 1)),
    ).toEqual(["DEN", "LAX", "SFO"]);
    for (const segment of segments?.list ?? []) expect(segment.verdict).toBe("improved");
    expect(segments?.warning).toMatch(/3 segments are 3 comparisons/);
    expect(named(comparison, "nowhere")).toMatchObject({
      segments: null,
      warnings: [expect.stringMatching(/have a column `nowhere`/)],
    });
  });

  test("timestamps are clusters by day", () => {
    expect(named(comparison, "by day").resampled).toEqual({
      by: { column: "date" },
      units: 25,
      resamples: 2000,
    });
  });

  test("AUC has an interval, and without a way that is good for it no verdict but its own", () => {
    const found = named(comparison, "auc");
    expect(found).toMatchObject({ better: "higher", kind: "auc" });
    expect(found.interval).not.toBeNull();
  });

  test("a metric of a query over the output is asked of both sides' own rows, and paired where it says how", () => {
    const share = named(comparison, "late share");
    const unpaired = named(comparison, "unpaired");
    expect(unpaired).toMatchObject({
      interval: null,
      verdict: "cannot tell",
      noInterval: expect.stringMatching(/rows cannot be paired/),
    });
    expect(unpaired.before).toBeCloseTo(share.before ?? 0, 1);
    expect(unpaired.before).not.toBe(unpaired.after);
    expect(named(comparison, "paired by origin")).toMatchObject({
      resampled: { by: { column: "origin" }, units: 3 },
      warnings: [expect.stringMatching(/only 3 values/)],
    });
  });
});

test("a part of a split is judged on its own records, paired as the whole's are", async () => {
  const comparison = await compared(transformOf(15), transformOf(30));
  const found = named(comparison, "on test");
  const [train, whole] = [named(comparison, "train rows"), named(comparison, "rows")];
  expect(found).toMatchObject({ verdict: "improved", noInterval: null });
  expect(found.resampled?.units).toBe(named(comparison, "test rows").after);
  expect((train.after ?? 0) + (found.resampled?.units ?? 0)).toBe(whole.after);
});

test("the same on every record is unchanged, whatever else moved", async () => {
  const comparison = await compared(transformOf(15), transformOf(30));
  expect(named(comparison, "same")).toMatchObject({
    difference: 0,
    verdict: "unchanged",
    interval: { low: 0, high: 0 },
  });
  expect(named(comparison, "rows").verdict).toBe("unchanged");
});

test("where the earlier rows lack a column that one metric needs, the others are compared", async () => {
  const before = transformOf(15).replace("risk: Math.min(1, f.delay / 60), ", "");
  const comparison = await compared(before, transformOf(30));
  expect(named(comparison, "auc")).toMatchObject({
    before: null,
    interval: null,
    difference: null,
  });
  expect(named(comparison, "late share").verdict).toBe("improved");
});

test("a metric over rows of another transform has no number here, and says so; the others are compared", async () => {
  const chained = `// %%
export const second = transform(delays, (row) => ({ doubled: row.delay * 2 }));
metric.mean("second", second, (row) => row.doubled);
metric.mean("over second", sql\`select avg(doubled) as mean from \${second}\`, (row) => row.mean);
`;
  const comparison = await compared(transformOf(15), transformOf(30), chained);
  for (const name of ["second", "over second"])
    expect(named(comparison, name)).toMatchObject({
      before: null,
      after: null,
      interval: null,
      noInterval: expect.stringMatching(/rows of another transform, `second`/),
    });
  expect(named(comparison, "late share").verdict).toBe("improved");
});

test("a table that the earlier rows do not give fails its own metric only", async () => {
  const before = transformOf(15).replace("risk: Math.min(1, f.delay / 60), ", "");
  const metricOfRisk = `// %%
metric.mean("mean risk", sql\`select avg(risk) as risk from \${delays}\`, (row) => row.risk);
metric.mean("no such", sql\`select sqrt(-1 - id) as root from \${delays}\`, (row) => row.root);
`;
  const comparison = await compared(before, transformOf(30), metricOfRisk);
  const found = named(comparison, "mean risk");
  expect(found).toMatchObject({
    before: null,
    interval: null,
    noInterval: expect.stringMatching(/earlier version's rows do not give it/),
  });
  expect(found.after).toBeGreaterThan(0);
  expect(named(comparison, "no such")).toMatchObject({
    before: null,
    after: null,
    noInterval: expect.stringMatching(/later version's rows do not give its table/),
  });
  expect(named(comparison, "late share").verdict).toBe("improved");
});

describe("what lies not with the metric is no outcome", () => {
  const share = 'metric.mean("m", delays, (row) => row.late, { better: "lower" });';
  const free = 'metric("m", delays, (rows) => rows.length, { better: "lower" });';

  async function request(metric: string): Promise<OutcomesRequest> {
    const text = `${head}${transformOf(30)}// %%\n${metric}\n`;
    const about = { notebook: "delays", transform: "delays" };
    const side = unwrap(await readSide(workbench, { kind: "working", text }, about));
    const { after } = await compared(transformOf(15), transformOf(30));
    const { hash } = after.table;
    const input = { expression: side.input, table: hash };
    const { signal } = new AbortController();
    const tables = { before: hash, after: hash, input };
    return { workbench, metrics: side.metrics, transform: "delays", ...tables, signal };
  }

  test.each([share, free])("%s: the earlier table is gone", async (metric) => {
    const found = await compareOutcomes({ ...(await request(metric)), before: "0".repeat(64) });
    expect(found).toMatchObject({ ok: false, problem: { code: "table-missing" } });
  });

  test.each([share, free])("%s: interrupted", async (metric) => {
    const found = await compareOutcomes({
      ...(await request(metric)),
      signal: AbortSignal.abort(),
    });
    expect(found).toMatchObject({ ok: false });
  });

  test("a resampling that is interrupted", async () => {
    const { metrics: side, after, before } = await request(free);
    const { store, queries } = workbench;
    const { code: bundle = "", metrics = [] } = side ?? {};
    const unit = Int32Array.from({ length: store.tableInfo(after)?.rows ?? 0 }, (_, row) => row);
    const context = { store, queries, bundle, metrics, signal: AbortSignal.abort() };
    const pairing = { before: unit, after: unit, units: unit.length, by: "record" } as const;
    const found = await freeOutcome(context, {
      index: 0,
      tables: { before, after: "1".repeat(64), input: before, isOwn: true },
      paired: { isPaired: true, isWhole: true, segments: null, warnings: [], ...pairing },
      seed: [1, 2, 3, 4],
      values: { before: 1, after: 2 },
      better: "lower",
    });
    expect(found).toMatchObject({ ok: false });
  });
});
