import { expect } from "vitest";
import { batchRun } from "#promote/sync/verify/batch-run.ts";
import { listDeadLetters } from "#promote/sync/dead-letters/dead-letters.ts";
import { listEpochs } from "#promote/sync/order/epochs.ts";
import { openSinks } from "#promote/sync/open/open-ports.ts";
import { readProgress, type Counts } from "#promote/sync/order/progress.ts";
import { readRelease } from "#promote/sync/release-spec.ts";
import { listRewrites } from "#promote/sync/rewrites/rewrites.ts";
import { contractOf } from "#promote/sync/open/sink-plan.ts";
import { openSync, type PipelineSpec } from "#promote/sync/sync.ts";
import type { StoredRow, TopicReader } from "#promote/sync/ports.ts";
import { unwrap } from "#snapshots/problem.ts";
import type { Stage } from "./stage.ts";

type Compared = Pick<Stage, "place" | "ports" | "reader" | "state">;

/** Rows by key and part, as text. */
export type Rows = Map<string, string>;

export type Expected = {
  /** Living rows and tombstones: the newest of each key and part. */
  rows: Map<string, StoredRow>;
  counts: Counts;
  /** `partition/offset` */
  deadLetters: string[];
};

/** What a batch run gives over a topic, record by record under the epochs the pipeline recorded. */
export async function expectedOf(
  stage: Compared,
  spec: PipelineSpec,
  reader: TopicReader = stage.reader,
): Promise<Expected> {
  const state = stage.state();
  const batch = unwrap(
    await batchRun(spec, {
      reader,
      store: stage.place.store,
      root: stage.place.root,
      epochs: listEpochs(state, spec),
      rewrites: listRewrites(state, spec),
      readRelease: (hash) => readRelease(state, stage.place.store, hash),
    }),
  );
  const rows = new Map<string, StoredRow>();
  for await (const row of batch.rows()) rows.set(keyOf(row), row);
  const { counts } = batch;
  const deadLetters = batch.deadLetters.map(placeOf).toSorted();
  await batch.close();
  return { rows, counts, deadLetters };
}

/** The expected rows that live, as a sink's are put. */
export function livingOf({ rows }: Pick<Expected, "rows">, spec: PipelineSpec): Rows {
  return rowsOf([...rows.values()], spec);
}

/** The sinks' own living rows, by sink. */
export async function foundOf(stage: Compared, spec: PipelineSpec): Promise<Map<string, Rows>> {
  const sinks = unwrap(await openSinks(spec, stage.ports));
  const contract = unwrap(contractOf(spec));
  const found = new Map<string, Rows>();
  for (const sink of sinks) {
    const refused = await sink.prepare(contract);
    if (refused !== undefined) throw new Error(refused.message);
    const rows: StoredRow[] = [];
    for await (const row of sink.scan()) rows.push(row);
    found.set(sink.name, rowsOf(rows, spec));
    expect(found.get(sink.name)?.size, `${sink.name} shows a key twice`).toBe(
      rows.filter(({ values }) => values !== null).length,
    );
    await sink.close();
  }
  return found;
}

/** Where left and right differ: how many rows, and the first of them. Undefined: nowhere. */
export function differenceOf(
  expected: Rows,
  found: Rows,
): { missing: number; added: number; changed: number; first: unknown } | undefined {
  const count = { missing: 0, added: 0, changed: 0 };
  let first: unknown;
  for (const [key, row] of expected) {
    const other = found.get(key);
    if (other === row) continue;
    count[other === undefined ? "missing" : "changed"]++;
    first ??= { key, expected: row, found: other };
  }
  for (const [key, row] of found) {
    if (expected.has(key)) continue;
    count.added++;
    first ??= { key, expected: undefined, found: row };
  }
  return first === undefined ? undefined : { ...count, first };
}

/** Each sink holds exactly the expected rows, with their versions and positions. */
export async function expectSinks(
  stage: Compared,
  spec: PipelineSpec,
  expected: Rows,
  story: string,
): Promise<void> {
  for (const [sink, rows] of await foundOf(stage, spec))
    expect(differenceOf(expected, rows), `${sink}; ${story}`).toBeUndefined();
}

/**
 * Verify finds every sink equal, and has looked at each of the expected rows. `unverifiable`: rows from before the topic was what it is.
 */
export async function expectVerified(
  stage: Compared,
  spec: PipelineSpec,
  expected: Rows,
  story: string,
  unverifiable = 0,
): Promise<void> {
  const sync = openSync(stage.place);
  try {
    const { signal } = new AbortController();
    const report = unwrap(await sync.verify(spec, { signal, onProgress: () => undefined }));
    for (const { sink, counts, differences } of report.sinks) {
      expect(differences, `verify: ${sink}; ${story}`).toEqual([]);
      expect(counts, `verify: ${sink}; ${story}`).toMatchObject({
        equal: expected.size,
        changed: 0,
        added: 0,
        removed: 0,
        unverifiable,
        moving: { left: 0, right: 0 },
      });
    }
    expect(report.isEqual, `verify; ${story}`).toBe(true);
  } finally {
    await sync.close();
  }
}

export function deadLettersOf(stage: Compared, spec: PipelineSpec): string[] {
  const page = { offset: 0, limit: 1_000_000 };
  return listDeadLetters(stage.state(), spec, page).letters.map(placeOf).toSorted();
}

/**
 * The whole comparison of a run in which each record counts once: sinks, verify, dead letters and counts. `broken`: where the records are that
 * belong among the dead letters.
 */
export async function expectSameAsBatch(
  stage: Compared,
  spec: PipelineSpec,
  { records, broken, story }: { records: number; broken: readonly string[]; story: string },
): Promise<void> {
  const expected = await expectedOf(stage, spec);
  const living = livingOf(expected, spec);
  expect(living.size, `the batch run leaves rows; ${story}`).toBeGreaterThan(records / 10);
  await expectSinks(stage, spec, living, story);
  await expectVerified(stage, spec, living, story);
  expect(expected.deadLetters, story).toEqual(broken.toSorted());
  expect(deadLettersOf(stage, spec), story).toEqual(broken.toSorted());
  const { counts } = readProgress(stage.state(), spec);
  expect(counts, story).toMatchObject({
    read: records,
    filtered: expected.counts.filtered,
    deadLettered: broken.length,
  });
  expectSum(counts, story);
}

/** read = written + filtered + stale + deadLettered. */
export function expectSum(counts: Counts, story: string): void {
  const { read, written, filtered, stale, deadLettered } = counts;
  expect(written + filtered + stale + deadLettered, story).toBe(read);
}

function rowsOf(rows: readonly StoredRow[], spec: PipelineSpec): Rows {
  const names = spec.output.map(({ name }) => name);
  const found: Rows = new Map();
  for (const row of rows) {
    const { values, version, topic, partition, offset } = row;
    if (values === null) continue;
    const shown = names.map((name) => values[name] ?? null);
    found.set(keyOf(row), JSON.stringify([shown, String(version), topic, partition, offset]));
  }
  return found;
}

function keyOf({ key, part }: StoredRow): string {
  return JSON.stringify([key, part]);
}

function placeOf({ partition, offset }: { partition: number; offset: number }): string {
  return `${partition}/${offset}`;
}
