import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openFileLogWriter, type FileLogWriter } from "../embedded/file-log.ts";
import type { NewRecord } from "../embedded/frames.ts";
import { freshPlace, specOf, until, type FixturePlace } from "../fixture.ts";
import { openSync, type Sync } from "../sync.ts";
import { definitions } from "./catalog.ts";
import { openMetrics, type Metrics } from "./metrics.ts";

let place: FixturePlace;
let log: FileLogWriter;
let sync: Sync;
let metrics: Metrics;

beforeEach(async () => {
  place = freshPlace();
  log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
  metrics = openMetrics();
  sync = openSync({
    ...place,
    limits: { batchTimeoutMs: 1000, searchTimeoutMs: 1000 },
    observe: (spec, event) => metrics.observe(spec, event),
  });
  metrics.watch(() => sync.reports());
});
afterEach(async () => {
  await sync.close();
  await log.close();
  place.remove();
});

/** Samples by name and labels, as they are written. */
async function scraped(): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => line.startsWith("penstock_"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

const own = 'environment="staging",pipeline="delays"';
const place0 = `${own},topic="flights",partition="0"`;

function flight(id: number, delay: unknown, timestampMs = Date.now()): NewRecord {
  const value = {
    id,
    date: "2001-04-01T00:05:00",
    delay,
    distance: 1,
    origin: "D",
    destination: "S",
  };
  return { key: Buffer.from(String(id)), value: Buffer.from(JSON.stringify(value)), timestampMs };
}

async function settled(): Promise<void> {
  await until("all committed", () => sync.status()[0]?.offset === log.end());
}

test("counts add up, ages are of every record, and a guest that hangs is seen", async () => {
  const apply =
    "(f) => { if (f.delay === 666) for (;;); if (f.delay === 13) throw new Error('no'); return f.delay < 0 ? null : { ...f, late: f.delay > 15 }; }";
  await log.append([
    flight(1, 20),
    flight(2, -1),
    flight(3, 13),
    flight(4, "N/A"),
    flight(5, 666),
    flight(6, 1, Date.now() - 120_000),
    flight(1, 30),
  ]);
  unwrap(await sync.start(await specOf(place, { apply })));
  await settled();
  await until("the end is known", () => sync.reports()[0]?.partitions[0]?.end === log.end());
  const all = await scraped();
  const value = (name: string, labels: string): number | undefined => all.get(`${name}{${labels}}`);
  expect(value("penstock_records_read_total", place0)).toBe(7);
  expect(value("penstock_records_polled_total", place0)).toBe(7);
  expect(value("penstock_records_written_total", own)).toBe(3);
  expect(value("penstock_records_filtered_total", own)).toBe(1);
  expect(value("penstock_records_stale_total", own)).toBe(0);
  for (const [stage, records] of [
    ["decode", 1],
    ["validate", 0],
    ["transform", 2],
    ["sink:table", 0],
    ["sink:search", 0],
  ] as const)
    expect(value("penstock_records_dead_lettered_total", `${own},stage="${stage}"`)).toBe(records);
  expect(value("penstock_guest_restarts_total", own)).toBeGreaterThanOrEqual(3);
  expect(value("penstock_end_to_end_seconds_count", own)).toBe(7);
  expect(value("penstock_end_to_end_seconds_bucket", `${own},le="60"`)).toBe(6);
  expect(value("penstock_end_to_end_seconds_bucket", `${own},le="300"`)).toBe(7);
  expect(value("penstock_lag_records", place0)).toBe(0);
  expect(value("penstock_next_offset", place0)).toBe(7);
  expect(value("penstock_epoch", place0)).toBe(1024);
  expect(value("penstock_release_info", `${own},release="release-1"`)).toBe(1);
  for (const stage of ["decode", "transform", "commit"])
    expect(value("penstock_stage_seconds_count", `${own},stage="${stage}"`)).toBeGreaterThan(0);
  expect(value("penstock_stage_seconds_count", `${own},stage="write",sink="table"`)).toBe(
    value("penstock_sink_write_operations_count", `${own},sink="table"`),
  );
});

test("what is counted by partition begins at 0 before the first record comes, so that it is seen as an increase", async () => {
  unwrap(await sync.start(await specOf(place)));
  await until("it is read", () => sync.reports()[0]?.partitions.length === 1);
  const all = await scraped();
  for (const name of ["records_polled", "records_read", "commits"])
    expect([name, all.get(`penstock_${name}_total{${place0}}`)]).toEqual([name, 0]);
});

test("a pipeline is in one state, and gone once it is stopped; what it counted stays", async () => {
  await log.append([flight(1, 20)]);
  unwrap(await sync.start(await specOf(place)));
  await settled();
  const states = (all: Map<string, number>): number[] =>
    [...all].filter(([name]) => name.startsWith("penstock_pipeline_state")).map(([, n]) => n);
  const running = await scraped();
  expect(states(running)).toHaveLength(7);
  expect(states(running).reduce((sum, n) => sum + n)).toBe(1);
  unwrap(await sync.stop("staging", "delays"));
  const after = await scraped();
  expect(states(after)).toEqual([]);
  expect(after.get(`penstock_records_written_total{${own}}`)).toBe(1);
});

test("a sink whose readers see another index is told, and a release that may not run for as long as it may not", async () => {
  await log.append([flight(1, 20)]);
  unwrap(await sync.start(await specOf(place)));
  await until("the sinks are known", () => sync.reports()[0]?.sinks.length === 2);
  const [report] = sync.reports();
  if (report === undefined) throw new Error("no report");
  const sinks = report.sinks.map((sink) => ({
    ...sink,
    ...(sink.name === "search" ? { readers: "People read another." } : {}),
  }));
  metrics.watch(() => [{ ...report, sinks }]);
  const refusal = { environment: "production", name: "delays", release: "release-2" };
  metrics.refused([refusal]);
  const refused =
    'penstock_pipeline_refused{environment="production",pipeline="delays",release="release-2"}';
  const all = await scraped();
  expect(all.get(`penstock_readers_behind{${own},sink="search"}`)).toBe(1);
  expect(all.get(`penstock_readers_behind{${own},sink="table"}`)).toBe(0);
  expect(all.get(refused)).toBe(1);
  metrics.refused([]);
  expect((await scraped()).has(refused)).toBe(false);
});

test("every metric is in docs/operations.md, with its labels and meaning, and no other", () => {
  const text = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `(penstock_\w+)` +\| ([^|]*?) +\| ([^|]*?) +\|$/gm)];
  expect(rows.map(([, name, labels, help]) => ({ name, labels, help }))).toEqual(
    definitions.map(({ name, labels, help }) => ({ name, labels: labels.join(", "), help })),
  );
});
