import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openQueries } from "#snapshots/queries.ts";
import { batchRun } from "../verify/batch-run.ts";
import { openFileLogWriter, type FileLogWriter } from "../embedded/file-log.ts";
import { openFileTopicReader } from "../embedded/file-reader.ts";
import { openDuckdbSink } from "../embedded/duckdb-sink.ts";
import type { NewRecord } from "../embedded/frames.ts";
import { listSegments } from "../embedded/log-files.ts";
import {
  collect,
  DELAYS_OUTPUT,
  freshPlace,
  living,
  specOf,
  until,
  type FixturePlace,
} from "../fixture.ts";
import type { StoredRow } from "../ports.ts";
import { openSync, type PipelineSpec, type PipelineStatus, type Sync } from "../sync.ts";
import { versionOf } from "../order/version.ts";

let place: FixturePlace;
let log: FileLogWriter;
let sync: Sync;

beforeEach(async () => {
  place = freshPlace();
  log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
  sync = open();
});
afterEach(async () => {
  await sync.close();
  await log.close();
  place.remove();
});

describe("a record's way", () => {
  test("is written, filtered or dead-lettered with its reason, and the counts add up", async () => {
    const spec = await specOf(place, {
      apply:
        "(f) => { if (f.distance < 0) throw new Error('negative distance'); return f.delay < 0 ? null : { ...f, late: f.delay > 15 }; }",
    });
    await send(
      flight(1, { delay: 20 }),
      flight(2, { delay: -5 }),
      flight(3, { distance: -1 }),
      flight(4, { delay: "N/A" }),
      raw("5", '{"id":5'),
      raw("6", '{"id":6}'),
      flight(7, { delay: 9007199254740992 }),
      flight(null, {}),
      raw("9", null),
      { key: null, value: null, timestampMs: 1 },
    );
    await run(spec);
    expect(counts()).toEqual({
      read: 10,
      written: 2,
      filtered: 1,
      stale: 0,
      deadLettered: 7,
      retracted: 0,
    });
    expect(reasons()).toEqual([
      expect.stringMatching(/^3 transform Error: negative distance \(line 3, column \d+\)$/),
      '4 decode column `delay` is "N/A", which is not BIGINT',
      '5 decode the value is not JSON: "{\\"id\\":5"',
      "6 decode column `date` is missing",
      expect.stringMatching(
        /^7 decode column `delay` is 9007199254740992, which is outside what BIGINT holds here/,
      ),
      "null decode column `id` is null, which the contract does not allow",
      "null decode a tombstone (null value) without a key: nothing says what it deletes",
    ]);
    expect((await rows("table", spec)).map((row) => row.values)).toEqual([
      { ...value(1, { delay: 20 }), late: true },
    ]);
    await expectBatch(spec);
  });

  test("a correction that is now filtered takes back what its earlier version wrote, and may come back", async () => {
    const spec = await specOf(place, {
      apply: "(f) => f.delay < 0 ? null : { ...f, late: false }",
    });
    await send(flight(1, { delay: 5 }), flight(2, { delay: 5 }));
    await run(spec);
    await send(flight(1, { delay: -1 }), flight(2, { delay: -1 }));
    await settled();
    expect(await rows("search", spec)).toEqual([]);
    expect(counts()).toMatchObject({ filtered: 2, retracted: 2 });
    await send(flight(2, { delay: 9 }));
    await settled();
    expect((await rows("search", spec)).map((row) => row.key)).toEqual([[2]]);
    await expectBatch(spec);
  });

  test("a version that makes fewer parts deletes those it no longer makes; a tombstone deletes them all", async () => {
    const apply =
      "(f) => Array.from({ length: f.delay }, (_, i) => ({ ...f, distance: i, late: false }))";
    const spec = await specOf(place, { apply, maxParts: 3 });
    await send(flight(1, { delay: 3 }), flight(2, { delay: 2 }), flight(3, { delay: 4 }));
    await run(spec);
    await send(flight(1, { delay: 1 }), raw("2", null));
    await settled();
    expect((await rows("table", spec)).map((row) => [row.key[0], row.part])).toEqual([[1, 0]]);
    expect(counts()).toMatchObject({ retracted: 4, deadLettered: 1 });
    expect(reasons()).toEqual([expect.stringContaining("its maxParts is 3")]);
    await expectBatch(spec);
  });

  test("a release of fewer parts, or a roll-back to one, takes away the parts that it does not make of a corrected record", async () => {
    const apply =
      "(f) => Array.from({ length: f.delay }, (_, i) => ({ ...f, distance: i, late: false }))";
    const one = await specOf(place);
    const three = await specOf(place, { apply, maxParts: 3, release: "release-3" });
    const two = await specOf(place, { apply, maxParts: 2, release: "release-2" });
    await send(flight(1, {}));
    await run(one);
    await run(three);
    await send(flight(1, { delay: 3 }), flight(2, { delay: 3 }), flight(3, { delay: 3 }));
    await settled();
    await run(two);
    await send(flight(1, { delay: 2 }), flight(2, { delay: 1 }));
    await settled();
    await run(one);
    await send(flight(1, { delay: 1 }));
    await settled();
    for (const sink of ["table", "search"] as const)
      expect(
        (await rows(sink, one)).map(({ key, part }) => [key[0], part]),
        sink,
      ).toEqual([
        [1, 0],
        [2, 0],
        [3, 0],
        [3, 1],
        [3, 2],
      ]);
    const { signal } = new AbortController();
    const report = unwrap(await sync.verify(one, { signal, onProgress: () => undefined }));
    expect(report.isEqual).toBe(true);
    expect(report.sinks.map(({ counts }) => counts.equal)).toEqual([5, 5]);
  });

  test("a sink row carries the version and offset it was made at", async () => {
    const spec = await specOf(place);
    await send(flight(1, {}), flight(1, { delay: 30 }));
    await run(spec);
    expect(await rows("table", spec)).toEqual([
      expect.objectContaining({
        version: versionOf(1024, 1, 1),
        offset: 1,
        topic: "flights",
        partition: 0,
        part: 0,
      }),
    ]);
  });

  test("a lookup is read from the content store by its hash, and its absence halts the pipeline", async () => {
    const queries = openQueries({ store: place.store, workspaceRoot: place.root, workers: 1 });
    const { hash } = unwrap(
      await queries.sql({ sql: "select 'DEN' as origin, 12.5::double as typical", inputs: {} }),
    );
    await queries.close();
    const apply =
      "(f, { typical }) => ({ ...f, late: f.delay > (typical(f.origin)?.typical ?? 100) })";
    const spec = await specOf(place, {
      apply,
      lookups: { typical: { by: ["origin"], table: hash } },
    });
    await send(flight(1, { delay: 13 }), flight(2, { delay: 13, origin: "SFO" }));
    await run(spec);
    expect((await rows("table", spec)).map((row) => row.values?.["late"])).toEqual([true, false]);
    const gone = await specOf(place, {
      release: "gone",
      apply,
      lookups: { typical: { by: ["origin"], table: "0".repeat(64) } },
    });
    unwrap(await sync.start(gone));
    await send(flight(3, {}));
    await until("halted", () => status().state === "halted");
    expect(status().problem?.code).toBe("lookup-missing");
  });

  test("a source without identity is a stream of events, each a row", async () => {
    const spec = await specOf(place, { key: [] });
    await send(flight(1, {}), flight(1, {}), raw("1", null));
    await run(spec);
    expect((await rows("table", spec)).map((row) => row.key)).toEqual([
      [0, 0],
      [0, 1],
    ]);
    expect(counts()).toMatchObject({ read: 3, written: 2, deadLettered: 1 });
  });
});

describe("a guest", () => {
  test("that hangs on one record is replaced until that record stands alone; the rest goes on", async () => {
    const spec = await specOf(place, {
      apply: "(f) => { while (f.delay === 13) {} return { ...f, late: false }; }",
    });
    await send(...Array.from({ length: 8 }, (_, id) => flight(id, { delay: id === 5 ? 13 : 1 })));
    sync = await reopen({ batchTimeoutMs: 700, searchTimeoutMs: 500 });
    await run(spec);
    expect(counts()).toMatchObject({ read: 8, written: 7, deadLettered: 1 });
    expect(reasons()).toEqual([
      expect.stringMatching(/^5 transform the transform did not survive this record: /),
    ]);
    expect(status().guestRestarts).toBeGreaterThan(2);
  });

  test("whose bundle cannot start halts the pipeline with the reason, and nothing is lost", async () => {
    const spec = await specOf(place);
    await send(flight(1, {}));
    unwrap(await sync.start({ ...spec, bundle: "throw new Error('broken at birth')" }));
    await until("halted", () => status().state === "halted");
    expect(status().problem?.message).toContain("broken at birth");
    expect(status()).toMatchObject({ offset: 0, read: 0 });
  });
});

describe("operating", () => {
  test("a pause holds, outlives a restart, and resume goes on where it stopped", async () => {
    const spec = await specOf(place);
    await send(flight(1, {}));
    await run(spec);
    unwrap(await sync.pause("staging", "delays"));
    await send(flight(2, {}));
    sync = await reopen();
    unwrap(await sync.start(spec));
    expect(status()).toMatchObject({ state: "paused", read: 1, offset: 1, epoch: 1024 });
    unwrap(await sync.resume("staging", "delays"));
    await settled();
    expect(counts()).toMatchObject({ read: 2, written: 2 });
  });

  test("a swap finishes the old release's records, then opens an epoch; records delivered again keep their own release", async () => {
    const before = await specOf(place, { release: "before" });
    const after = await specOf(place, { release: "after", apply: "(f) => ({ ...f, late: true })" });
    await send(flight(1, {}), flight(2, {}));
    await run(before);
    unwrap(await sync.start(after));
    await send(flight(3, {}));
    await settled();
    expect(
      sync.epochs("staging", "delays").map((e) => [e.epoch, e.release, e.firstOffset]),
    ).toEqual([
      [1024, "before", 0],
      [1025, "after", 2],
    ]);
    const late = async (): Promise<unknown[]> =>
      (await rows("table", after)).map((row) => row.values?.["late"]);
    expect(await late()).toEqual([false, false, true]);
    const untouched = await rows("table", after);
    await sync.close();
    forgetOffsets();
    sync = open();
    await run(after);
    expect(await rows("table", after)).toEqual(untouched);
    expect(sync.epochs("staging", "delays")).toHaveLength(2);
  });

  test("a release with a column more, one less and one of another type goes on in the same sinks", async () => {
    const before = await specOf(place, { release: "before" });
    await send(flight(1, { delay: 20 }));
    await run(before);
    const output = [
      ...DELAYS_OUTPUT.filter((c) => c.name !== "origin" && c.name !== "late"),
      { name: "late", type: "INTEGER", nullable: false },
      { name: "Late", type: "VARCHAR", nullable: true },
    ];
    const after = await specOf(place, {
      release: "after",
      output,
      apply: "({ origin, ...f }) => ({ ...f, late: 7, Late: 'x' })",
    });
    unwrap(await sync.start(after));
    await send(flight(2, {}));
    await settled();
    const found = (await rows("table", after)).map((row) => [
      row.key[0],
      row.values?.["late"],
      row.values?.["Late"],
      row.values?.["origin"],
    ]);
    expect(found).toEqual([
      [1, 1, null, undefined],
      [2, 7, "x", undefined],
    ]);
  });

  test("two environments read one topic side by side, and one's stop is not the other's", async () => {
    const staging = await specOf(place);
    const production = await specOf(place, { environment: "production" });
    await send(flight(1, {}));
    unwrap(await sync.start(staging));
    unwrap(await sync.start(production));
    await until(
      "both",
      () => sync.status().length === 2 && sync.status().every((s) => s.read === 1),
    );
    unwrap(await sync.stop("staging", "delays"));
    await send(flight(2, {}));
    await until("production", () => sync.status().every((s) => s.read === 2));
    expect(sync.running()).toEqual([
      { environment: "production", name: "delays", release: "release-1", topic: "topic flights" },
    ]);
  });

  test("a topic made again is a new epoch, read from its start, and wins over what the old one wrote", async () => {
    const spec = await specOf(place);
    await send(flight(1, { delay: 50 }), flight(2, {}));
    await run(spec);
    await sync.close();
    await log.close();
    rmSync(place.topic("flights"), { recursive: true });
    log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
    await send(flight(1, { delay: 1 }));
    sync = open();
    await run(spec);
    expect(sync.epochs("staging", "delays").map((epoch) => epoch.reason)).toEqual([
      "start",
      "topic made again",
    ]);
    expect((await rows("table", spec)).map((row) => [row.key[0], row.values?.["delay"]])).toEqual([
      [1, 1],
      [2, 0],
    ]);
  });

  test("a topic made again while the pipeline runs is read as a new epoch, from its start", async () => {
    const spec = await specOf(place);
    await send(flight(1, { delay: 50 }), flight(2, {}));
    await run(spec);
    await log.close();
    rmSync(place.topic("flights"), { recursive: true });
    log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
    await send(flight(1, { delay: 1 }));
    await until("the new topic is read", () => sync.epochs("staging", "delays").length === 2);
    await settled();
    expect(sync.epochs("staging", "delays")).toMatchObject([
      { reason: "start" },
      { reason: "topic made again", incarnation: log.incarnation, firstOffset: 0 },
    ]);
    expect((await rows("table", spec)).map((row) => [row.key[0], row.values?.["delay"]])).toEqual([
      [1, 1],
      [2, 0],
    ]);
  });

  test("what a backfill cannot read again halts the pipeline with its own problem", async () => {
    const spec = await specOf(place);
    await send(flight(1, {}));
    await send(flight(2, {}));
    await run(spec);
    const [segment] = listSegments(place.topic("flights"));
    if (segment === undefined) throw new Error("no segment");
    const bytes = readFileSync(segment.path);
    bytes[30] = (bytes[30] ?? 0) ^ 1;
    writeFileSync(segment.path, bytes);
    unwrap(await sync.backfill(spec));
    await until("it halts", () => status().state === "halted");
    expect(status().problem).toMatchObject({ code: "log-damaged" });
  });

  test("offsets reset to the start change nothing in the sinks", async () => {
    const spec = await specOf(place);
    await send(
      flight(1, {}),
      flight(2, {}),
      flight(1, { delay: 40 }),
      raw("2", null),
      flight(3, { delay: "N/A" }),
    );
    await run(spec);
    const before = await rows("search", spec);
    await sync.close();
    forgetOffsets();
    sync = open();
    await run(spec);
    expect(await rows("search", spec)).toEqual(before);
    expect(sync.deadLetters("staging", "delays", { offset: 0, limit: 10 }).total).toBe(1);
    await expectBatch(spec);
  });
});

function open(limits: { batchTimeoutMs?: number; searchTimeoutMs?: number } = {}): Sync {
  return openSync({
    workspace: place.workspace,
    store: place.store,
    statePath: place.statePath,
    limits,
  });
}

async function reopen(limits: Parameters<typeof open>[0] = {}): Promise<Sync> {
  await sync.close();
  return open(limits);
}

async function run(spec: PipelineSpec): Promise<void> {
  unwrap(await sync.start(spec));
  await settled();
}

async function settled(): Promise<void> {
  await until("everything committed", () => {
    const { state, problem, offset } = status();
    if (state === "halted") throw new Error(`halted: ${problem?.message}`);
    return offset === log.end();
  });
}

function status(): PipelineStatus {
  const [only] = sync.status();
  if (only === undefined) throw new Error("no pipeline");
  return only;
}

function counts(): Partial<PipelineStatus> {
  const { read, written, filtered, stale, deadLettered, retracted } = status();
  expect(read).toBe(written + filtered + stale + deadLettered);
  return { read, written, filtered, stale, deadLettered, retracted };
}

function reasons(): string[] {
  const { letters } = sync.deadLetters("staging", "delays", { offset: 0, limit: 100 });
  return letters
    .toSorted((a, b) => a.offset - b.offset)
    .map(
      (letter) =>
        `${letter.key === null ? null : Buffer.from(letter.key).toString()} ${letter.stage} ${letter.reason}`,
    );
}

/** Living rows of a sink file; the pipeline is stopped for it, as the file is one process's. */
async function rows(name: "table" | "search", spec: PipelineSpec): Promise<StoredRow[]> {
  unwrap(await sync.stop(spec.environment, spec.name));
  const sink = await openDuckdbSink({
    name,
    path: `${place.workspace.paths.sinks}/${spec.environment}/${spec.name}/${name}.duckdb`,
  });
  const key =
    spec.key.length === 0
      ? EVENT_KEY
      : spec.input.filter((column) => spec.key.includes(column.name));
  expect(
    await sink.prepare({ key, columns: spec.output, maxParts: spec.maxParts }),
  ).toBeUndefined();
  const found = living(await collect(sink.scan()));
  await sink.close();
  unwrap(await sync.start(spec));
  return found;
}

const EVENT_KEY = [
  { name: "partition", type: "INTEGER", nullable: false },
  { name: "offset", type: "BIGINT", nullable: false },
];

async function expectBatch(spec: PipelineSpec): Promise<void> {
  const batch = unwrap(
    await batchRun(spec, {
      reader: openFileTopicReader(place.workspace.paths.topics),
      store: place.store,
      root: place.root,
    }),
  );
  const wanted = living(await collect(batch.rows()));
  await batch.close();
  for (const name of ["table", "search"] as const) expect(await rows(name, spec)).toEqual(wanted);
}

/** What an operator's offset reset does: read again from the start. */
function forgetOffsets(): void {
  const state = new DatabaseSync(place.statePath);
  state.exec("delete from sync_offsets");
  state.close();
}

async function send(...records: NewRecord[]): Promise<void> {
  unwrap(await log.append(records));
}

function raw(key: string, text: string | null): NewRecord {
  return { key: Buffer.from(key), value: text === null ? null : Buffer.from(text), timestampMs: 1 };
}

function value(id: number | null, changed: Record<string, unknown>): Record<string, unknown> {
  return {
    id,
    date: "2001-04-01T00:05:00",
    delay: 0,
    distance: 300,
    origin: "DEN",
    destination: "SFO",
    ...changed,
  };
}

function flight(id: number | null, changed: Record<string, unknown>): NewRecord {
  return raw(String(id), JSON.stringify(value(id, changed)));
}
