import { rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { PLAIN_STREAM, streamSchema } from "#snapshots/stream-settings.ts";
import { deadLetter, insertDeadLetters } from "../dead-letters/dead-letters.ts";
import { openSyncState } from "../state.ts";
import { openDuckdbSink } from "../embedded/duckdb-sink.ts";
import { openFileLogWriter, type FileLogWriter } from "../embedded/file-log.ts";
import type { NewRecord } from "../embedded/frames.ts";
import { freshPlace, specOf, until, type FixturePlace } from "../fixture.ts";
import { openSync, type PipelineSpec, type PipelineStatus, type Sync } from "../sync.ts";
import { openFileTopicReader } from "../embedded/file-reader.ts";
import { segmentPath } from "../embedded/log-files.ts";
import type { LedgerCounts } from "../embedded/row-ledger.ts";
import { openReleaseGuest } from "../guest/guest.ts";
import { contractOf } from "../open/sink-plan.ts";
import type { Sink, StoredRow, TopicReader } from "../ports.ts";
import { readRelease, type ReleaseSpec } from "../release-spec.ts";
import { askAgain, listRewrites } from "../rewrites/rewrites.ts";
import { expectNothing, openRuntimes } from "../pipeline/runtimes.ts";
import { openSpecDecoder } from "../pipeline/spec-decoder.ts";
import { openRepair } from "./repair.ts";
import { verify, type VerifyParts, type VerifyReport } from "./verify.ts";

let place: FixturePlace;
let log: FileLogWriter;
let sync: Sync;
const signal = new AbortController().signal;
const quiet = { signal, onProgress: () => undefined };

beforeEach(async () => {
  place = freshPlace();
  log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
  sync = openSync(place);
});
afterEach(async () => {
  await sync.close();
  await log.close();
  place.remove();
});

describe("verify", () => {
  test("finds both sinks equal to a batch run, through updates, deletes, filtered and failing records and a swap", async () => {
    const apply =
      "(f) => { if (f.distance < 0) throw new Error('no'); return f.delay < 0 ? null : { ...f, late: f.delay > 15 }; }";
    await send(flight(1, {}), flight(2, {}), flight(1, { delay: 20 }), flight(3, { delay: -1 }));
    await send(flight(4, { distance: -1 }), raw("2", null), flight(5, {}));
    await run(await specOf(place, { release: "before", apply }));
    unwrap(
      await sync.start(
        await specOf(place, { release: "after", apply: "(f) => ({ ...f, late: true })" }),
      ),
    );
    await send(flight(6, {}), flight(5, { delay: 3 }));
    await settled();
    const report = unwrap(await sync.verify(spec(), quiet));
    expect(report.isEqual).toBe(true);
    for (const { counts } of report.sinks) {
      expect(counts).toMatchObject({ left: 3, right: 3, equal: 3 });
      expectSums(counts);
    }
  });

  test.each<[what: string, act: () => Promise<unknown>]>([
    ["paused", () => sync.pause("staging", "delays")],
    ["stopped", () => sync.stop("staging", "delays")],
    [
      "paused and resumed",
      () => sync.pause("staging", "delays").then(() => sync.resume("staging", "delays")),
    ],
  ])("goes on while its pipeline is %s", async (_, act) => {
    await send(flight(1, {}), flight(2, {}));
    await run(await specOf(place));
    let acted: Promise<unknown> | undefined;
    const onProgress = (): void => void (acted ??= act());
    const report = unwrap(await sync.verify(spec(), { signal, onProgress }));
    expect(report.isEqual).toBe(true);
    expect(await acted).toMatchObject({ ok: true });
  });

  test("of a paused pipeline has the files for itself: two who have one open miss what each other writes", async () => {
    await send(flight(1, {}), flight(2, {}));
    await run(await specOf(place));
    unwrap(await sync.pause("staging", "delays"));
    const ended: string[] = [];
    const verifying = sync.verify(spec(), quiet).then(unwrap);
    const resuming = sync.resume("staging", "delays").then(unwrap);
    await Promise.all([
      verifying.then(() => ended.push("verified")),
      resuming.then(() => ended.push("resumed")),
    ]);
    expect(ended).toEqual(["verified", "resumed"]);
    expect(await verifying).toMatchObject({ isEqual: true });
  });

  test("does not take what a sink refused of a topic that was made again for a refusal of the new one's", async () => {
    const first = await specOf(place);
    await send(flight(1, {}), flight(2, {}));
    await run(first);
    const state = openSyncState(place.statePath);
    const record = { offset: 0, timestampMs: 0, key: null, value: null, headers: [] };
    const failure = {
      stage: "sink:table",
      reason: "too large",
      release: "release-1",
      at: "",
    } as const;
    const old = { topic: "flights", incarnation: "of before", partition: 0 };
    insertDeadLetters(state, first, [deadLetter(old, record, failure)]);
    state.close();
    const report = unwrap(await sync.verify(spec(), quiet));
    expect(report.sinks.map(({ counts }) => counts.equal)).toEqual([2, 2]);
    expect(report.isEqual).toBe(true);
  });

  test("does not miss what a sink refused, also when somebody has dismissed the letter", async () => {
    const first = await specOf(place);
    await send(flight(1, {}), flight(2, {}));
    await run(first);
    await tamper(first, ["delete from rows where k0 = 1"]);
    expect(unwrap(await sync.verify(spec(), quiet)).isEqual).toBe(false);
    const state = openSyncState(place.statePath);
    const record = { offset: 0, timestampMs: 0, key: null, value: null, headers: [] };
    const failure = { reason: "too large", release: "release-1", at: "" };
    const [epoch] = sync.epochs("staging", "delays");
    const stretch = {
      topic: "flights",
      incarnation: epoch?.incarnation ?? "",
      partition: 0,
    };
    const letter = deadLetter(stretch, record, { ...failure, stage: "sink:table" });
    insertDeadLetters(state, first, [letter]);
    state.close();
    const isEqual = async () => unwrap(await sync.verify(spec(), quiet)).isEqual;
    expect(await isEqual()).toBe(true);
    const dismissal = { at: "now", by: "Ada" };
    expect(await sync.setDismissed(first, [letter], dismissal)).toBe(1);
    expect(await isEqual()).toBe(true);
  });

  test("expects the newest version that was not refused, also where both are read in one batch; a repair leaves it", async () => {
    const rule = { range: { column: "delay", max: 100 }, severity: "deadLetter" };
    const first = await specOf(place, { stream: streamSchema.parse({ expectations: [rule] }) });
    await send(flight(1, { delay: 5 }), flight(1, { delay: 7 }), flight(2, { delay: 9 }));
    await send(flight(1, { delay: 500 }), flight(3, { delay: 500 }), flight(1, { delay: 501 }));
    await run(first);
    const report = unwrap(await sync.verify(spec(), quiet));
    expect(report.sinks.map(({ counts }) => counts)).toMatchObject([
      { left: 2, right: 2, equal: 2 },
      { left: 2, right: 2, equal: 2 },
    ]);
    const { plan } = unwrap(await sync.repair(spec(), { ...quiet, isApplied: false }));
    expect(plan).toMatchObject({ clears: 0, partitions: [], strays: [] });
    // Of two sinks, one refused what the other took.
    const state = openSyncState(place.statePath);
    const [epoch] = sync.epochs("staging", "delays");
    const stretch = { topic: "flights", incarnation: epoch?.incarnation ?? "", partition: 0 };
    const record = { offset: 1, timestampMs: 0, key: null, value: null, headers: [] };
    const failure = { reason: "too large", release: "release-1", at: "" } as const;
    insertDeadLetters(state, first, [
      deadLetter(stretch, record, { ...failure, stage: "sink:table" }),
    ]);
    state.close();
    await tamper(first, ["update rows set c2 = 5 where k0 = 1"]);
    expect(unwrap(await sync.verify(spec(), quiet)).isEqual).toBe(true);
  });

  test("finds a row changed by hand, one removed and one added, says so, and a repair heals all of them in a new epoch", async () => {
    const first = await specOf(place);
    await send(...[1, 2, 3, 4].map((id) => flight(id, { delay: id })));
    await run(first);
    await tamper(first, [
      "update rows set c2 = 99 where k0 = 1",
      "delete from rows where k0 = 2",
      "insert into rows by name select 77 as k0, part, 7 as version, topic, source_partition, source_offset, alive, retracted, 77 as c0, c1, c2, c3, c4, c5, c6 from rows where k0 = 3",
    ]);
    const report = unwrap(await sync.verify(spec(), quiet));
    const [table, search] = report.sinks;
    expect(search?.isEqual).toBe(true);
    expect(table?.counts).toMatchObject({
      left: 4,
      right: 4,
      equal: 2,
      changed: 1,
      added: 1,
      removed: 1,
    });
    expectSums(table?.counts);
    expect(table?.differences.map(({ kind, key }) => [kind, key])).toEqual([
      ["changed", "[1]"],
      ["removed", "[2]"],
      ["added", "[77]"],
    ]);

    const planned = unwrap(await sync.repair(spec(), { ...quiet, isApplied: false }));
    expect(planned.plan).toMatchObject({
      clears: 1,
      partitions: [{ partition: 0, identities: 2 }],
    });
    expect(sync.rewrites("staging", "delays")).toEqual([]);

    unwrap(await sync.repair(spec(), { ...quiet, isApplied: true }));
    await send(flight(4, { delay: 40 }));
    await until("repaired", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    await settled();
    const healed = unwrap(await sync.verify(spec(), quiet));
    expect(healed.isEqual).toBe(true);
    expect(healed.sinks[0]?.counts).toMatchObject({ left: 4, right: 4, equal: 4 });
    // What nothing accounts for is cleared as it was found, in no epoch of its own.
    expect(sync.epochs("staging", "delays").map((epoch) => epoch.reason)).toEqual([
      "start",
      "repair",
    ]);
  });

  test("a repair heals also what its report does not show, and names none of it", async () => {
    const first = await specOf(place);
    await send(...Array.from({ length: 50 }, (_, id) => flight(id, {})));
    await run(first);
    await tamper(first, ["delete from rows"]);
    const { report, plan } = unwrap(await sync.repair(spec(), { ...quiet, isApplied: true }));
    expect(report.sinks[0]?.differences.length).toBe(20);
    const partitions = [{ topic: "flights", partition: 0, identities: 50 }];
    expect(plan).toEqual({ partitions, clears: 0, strays: [] });
    await until("repaired", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    expect(unwrap(await sync.verify(spec(), quiet)).sinks[0]?.counts).toMatchObject({ equal: 50 });
  });

  test("a row of an identity that the topic says is none is taken away by that identity's own records; its right parts stay", async () => {
    const apply =
      "(f) => Array.from({ length: f.delay }, (_, i) => ({ ...f, distance: i, late: false }))";
    const first = await specOf(place, { apply, maxParts: 3 });
    await send(flight(1, { delay: 2 }), flight(2, { delay: 0 }));
    await run(first);
    const copy = (id: number, part: number): string =>
      `insert into rows by name select ${id} as k0, ${part} as part, 7 as version, topic, source_partition, source_offset, alive, retracted, ${id} as c0, c1, c2, c3, c4, c5, c6 from rows where k0 = 1 and part = 0`;
    await tamper(first, [
      "delete from rows where (k0 = 1 and part = 2) or (k0 = 2 and part = 0)",
      copy(1, 2),
      copy(2, 0),
    ]);
    const planned = unwrap(await sync.repair(spec(), { ...quiet, isApplied: true }));
    expect(planned.report.sinks[0]?.counts).toMatchObject({ equal: 2, added: 2 });
    expect(planned.plan).toMatchObject({ clears: 0, partitions: [{ identities: 2 }] });
    await until("repaired", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    const healed = unwrap(await sync.verify(spec(), quiet));
    expect(healed.sinks[0]?.counts).toMatchObject({ left: 2, right: 2, equal: 2, added: 0 });
  });

  test("when the epochs are lost, rows from before cannot be judged, and a repair leaves them", async () => {
    const first = await specOf(place);
    await send(...[1, 2, 3].map((id) => flight(id, {})));
    await run(first);
    unwrap(await sync.pause("staging", "delays"));
    const state = openSyncState(place.statePath);
    // As a new state database has it, beside the epoch that was committed to the topic.
    state.exec("update sync_epochs set epoch = epoch + 9000, first_offset = 3");
    state.close();
    unwrap(await sync.resume("staging", "delays"));
    await send(flight(4, {}));
    await settled();
    const { report, plan } = unwrap(await sync.repair(spec(), { ...quiet, isApplied: false }));
    for (const { counts } of report.sinks)
      expect(counts).toMatchObject({ left: 1, right: 4, equal: 1, unverifiable: 3, added: 0 });
    expect(plan).toEqual({ clears: 0, partitions: [], strays: [] });
  });

  test("what is being written again, or is asked to be, cannot be judged meanwhile", async () => {
    await run(await specOf(place, { release: "before" }));
    await send(flight(1, {}), flight(2, {}));
    await settled();
    const after = await specOf(place, {
      release: "after",
      apply: "(f) => ({ ...f, distance: 7, late: true })",
    });
    await run(after);
    unwrap(await sync.pause("staging", "delays"));
    unwrap(await sync.backfill(spec()));
    await rewriteByHand("update rows set c3 = 7, c6 = true where k0 = 1");
    const half = unwrap(await sync.verify(spec(), quiet));
    expect(half.sinks.map(({ counts }) => [counts.equal, counts.moving.left])).toEqual([
      [1, 1],
      [2, 0],
    ]);
    expect(half.isEqual).toBe(true);
  });

  test("what is asked to be written again once more while a sink is read cannot be judged either", async () => {
    await send(flight(1, {}), flight(2, {}));
    await run(await specOf(place));
    unwrap(await sync.backfill(spec()));
    await until("backfilled", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    unwrap(await sync.pause("staging", "delays"));
    const state = openSyncState(place.statePath);
    const emptied = {
      name: "table",
      async *scan(): AsyncGenerator<StoredRow> {
        askAgain(state, listRewrites(state, spec()));
        yield* [];
      },
    };
    const report = await verifyBy(state, emptied, reader());
    state.close();
    expect(report.sinks[0]?.counts).toMatchObject({
      left: 2,
      removed: 0,
      moving: { left: 2, right: 0 },
    });
  });

  test("a delete that a sink missed is found also where the log no longer holds what was written, and a repair makes up for it", async () => {
    const first = await specOf(place);
    await beginSegments();
    await send(flight(1, {}));
    await send(flight(2, {}));
    await run(first);
    await tamper(first, ["create table before as from rows where k0 = 1"]);
    await send(raw("1", null));
    await settled();
    const back = "insert into rows from before; drop table before";
    await tamper(first, ["delete from rows where k0 = 1", back]);
    trim();
    const { report, plan } = unwrap(await sync.repair(spec(), { ...quiet, isApplied: true }));
    expect(report.sinks.map(({ counts }) => counts)).toMatchObject([
      { left: 1, right: 2, equal: 1, added: 1, unverifiable: 0 },
      { left: 1, right: 1, equal: 1 },
    ]);
    expect(plan).toMatchObject({ clears: 0, partitions: [{ identities: 1 }] });
    await until("repaired", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    const healed = unwrap(await sync.verify(spec(), quiet));
    expect(healed.sinks[0]?.counts).toMatchObject({ left: 1, right: 1, equal: 1 });
  });

  test.each<[what: string, read: (reader: TopicReader) => TopicReader["read"]]>([
    [
      "the log begins later by the time it is read",
      (whole) => (topic, partition, from, to, aborted) => {
        trim();
        return whole.read(topic, partition, from, to, aborted);
      },
    ],
    [
      "its record was compacted away, since a newer one of its identity came, which failed",
      (whole) =>
        async function* (...asked) {
          for await (const records of whole.read(...asked))
            yield records.filter(({ offset }) => offset > 0);
        },
    ],
  ])("a row cannot be judged where %s; a repair leaves it", async (_, read) => {
    const apply =
      "(f) => { if (f.distance < 0) throw new Error('no'); return { ...f, late: false }; }";
    const only = await specOf(place, { apply });
    await beginSegments();
    await send(flight(1, {}));
    await send(flight(2, {}));
    await send(flight(1, { distance: -1 }));
    await run(only);
    expect(letters()).toEqual([2]);
    unwrap(await sync.stop(only.environment, only.name));
    const path = `${place.workspace.paths.sinks}/staging/delays/table.duckdb`;
    const sink = await openDuckdbSink({ name: "table", path });
    const contract = unwrap(contractOf(only));
    expect(await sink.prepare(contract)).toBeUndefined();
    const state = openSyncState(place.statePath);
    const whole = reader();
    const repair = openRepair(contract);
    const report = await verifyBy(
      state,
      sink,
      { ...whole, read: read(whole) },
      { onFaults: repair.add },
    );
    expect(report.sinks[0]?.counts).toMatchObject({ left: 1, right: 2, equal: 1, unverifiable: 1 });
    expect(repair.plan(report.cut)).toEqual({ clears: 0, partitions: [], strays: [] });
    state.close();
    await sink.close();
  });

  test("rows whose moment has passed live on neither side; those that go while the sink is read, however long that takes, cannot be judged", async () => {
    const startMs = Date.now();
    const inMinutes = (minutes: number) => ({
      date: new Date(startMs + minutes * 60_000).toISOString().slice(0, 19),
    });
    const only = await specOf(place, { expiresAt: "date" });
    await send(flight(1, {}), flight(2, inMinutes(90)), flight(3, inMinutes(240)));
    await run(only);
    let nowMs = startMs;
    const emptied = {
      name: "table",
      async *scan(): AsyncGenerator<StoredRow> {
        nowMs += 120 * 60_000;
        yield* [];
      },
    };
    const state = openSyncState(place.statePath);
    const { sinks } = await verifyBy(state, emptied, reader(), { now: () => new Date(nowMs) });
    state.close();
    expect(sinks[0]?.counts).toMatchObject({ left: 2, right: 0, removed: 1, moving: { left: 1 } });
    expect(sinks[0]?.differences).toMatchObject([{ kind: "removed", key: "[3]" }]);
  });

  test("a row that was lost is found also where it expires within the hour", async () => {
    const first = await specOf(place, { expiresAt: "date" });
    const date = new Date(Date.now() + 1_800_000).toISOString().slice(0, 19);
    await send(flight(1, { date }), flight(2, { date: "2101-04-01" }));
    await run(first);
    await tamper(first, ["delete from rows where k0 = 1"]);
    const { sinks } = unwrap(await sync.verify(spec(), quiet));
    expect(sinks[0]?.counts).toMatchObject({ left: 2, right: 1, equal: 1, removed: 1 });
    expect(sinks[1]?.counts).toMatchObject({ left: 2, right: 2, equal: 2 });
  });

  test("a repair does not bring back what live traffic has changed since", async () => {
    const first = await specOf(place);
    await send(flight(1, { delay: 1 }), flight(2, { delay: 2 }));
    await run(first);
    await tamper(first, ["delete from rows where k0 = 1"]);
    await send(flight(1, { delay: 50 }));
    await settled();
    unwrap(await sync.repair(spec(), { ...quiet, isApplied: true }));
    await send(raw("2", null));
    await until("repaired", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    await settled();
    const report = unwrap(await sync.verify(spec(), quiet));
    expect(report.isEqual).toBe(true);
    expect(report.sinks[0]?.counts).toMatchObject({ left: 1, right: 1 });
  });
});

test("a backfill writes every record again by the release that runs now; live traffic stays above it", async () => {
  await send(...[1, 2, 3].map((id) => flight(id, { distance: id })), raw("2", null));
  await run(await specOf(place, { release: "before" }));
  const after = await specOf(place, {
    release: "after",
    apply: "(f) => ({ ...f, distance: f.distance * 100, late: false })",
  });
  unwrap(await sync.start(after));
  current = after;
  await send(flight(3, { distance: 33 }));
  await settled();
  expect(unwrap(await sync.backfill(spec()))).toEqual({ partitions: 1, records: 5 });
  await until("backfilled", () =>
    sync.rewrites("staging", "delays").every((one) => one.state === "done"),
  );
  const report = unwrap(await sync.verify(spec(), quiet));
  expect(report.isEqual).toBe(true);
  expect(await distances(after)).toEqual([100, 3300]);
});

test("what a backfill refuses that had passed stays as it was until a repair takes it away", async () => {
  await send(flight(1, { delay: 500 }), flight(2, { delay: 5 }));
  await send(flight(3, { delay: 3 }), flight(3, { delay: 500 }));
  const lenient = await specOf(place, { release: "before" });
  await run(lenient);
  const rule = { range: { column: "delay", max: 100 }, severity: "deadLetter" };
  const stream = streamSchema.parse({ expectations: [rule] });
  const strict = await specOf(place, { release: "after", stream });
  unwrap(await sync.start(strict));
  current = strict;
  unwrap(await sync.backfill(spec()));
  const allDone = () => sync.rewrites("staging", "delays").every((one) => one.state === "done");
  await until("backfilled", allDone);
  expect(letters()).toEqual([0, 3]);
  const { sinks } = unwrap(await sync.verify(spec(), quiet));
  expect(sinks.map(({ counts }) => counts)).toMatchObject(
    sinks.map(() => ({ equal: 2, added: 1, changed: 0, removed: 0 })),
  );
  const { plan } = unwrap(await sync.repair(spec(), { ...quiet, isApplied: true }));
  expect(plan).toMatchObject({ clears: 1 });
  await until("repaired", allDone);
  expect(unwrap(await sync.verify(spec(), quiet)).isEqual).toBe(true);
});

describe("dead letters replayed with a new release", () => {
  const failing =
    "(f) => { if (f.distance < 0) throw new Error('no'); return { ...f, late: false }; }";
  const fixed = "(f) => ({ ...f, distance: Math.abs(f.distance), late: false })";

  test("pass, leave the list, and never take the place of a newer record of their identity", async () => {
    const before = await specOf(place, { release: "before", apply: failing });
    await send(
      flight(1, { distance: -10 }),
      flight(2, { distance: -20 }),
      flight(2, { distance: 21 }),
      flight(3, {}),
    );
    await run(before);
    expect(letters()).toEqual([0, 1]);
    const after = await specOf(place, { release: "after", apply: fixed });
    unwrap(await sync.start(after));
    expect(unwrap(await sync.replay(spec(), "all"))).toEqual({ asked: 2, gone: 0, moved: 0 });
    await until("replayed", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    expect(letters()).toEqual([]);
    const report = unwrap(await sync.verify(spec(), quiet));
    expect(report.isEqual).toBe(true);
    expect(report.sinks[0]?.counts).toMatchObject({ left: 3, right: 3, equal: 3 });
    expect(await distances(after)).toEqual([10, 21, 300]);
  });

  test("may be chosen one by one, and stay with their new reason when they fail again", async () => {
    const before = await specOf(place, { release: "before", apply: failing });
    await send(flight(1, { distance: -10 }), flight(2, { distance: -20 }));
    await run(before);
    const again = await specOf(place, {
      release: "again",
      apply: failing.replace("'no'", "'still no'"),
    });
    unwrap(await sync.start(again));
    unwrap(await sync.replay(spec(), [{ topic: "flights", partition: 0, offset: 1 }]));
    await until("replayed", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    const { letters: left } = sync.deadLetters("staging", "delays", { offset: 0, limit: 10 });
    expect(
      left.map((letter) => [letter.offset, letter.release, /still no/.test(letter.reason)]),
    ).toEqual([
      [1, "again", true],
      [0, "before", false],
    ]);
  });

  test("leave what came before them of their identity as it was, also where they fail again", async () => {
    const before = await specOf(place, { release: "before", apply: failing });
    const bad = { distance: -1 };
    await send(flight(9, bad), flight(1, {}), flight(1, bad), flight(1, bad));
    await run(before);
    const apply = failing.replace("f.distance < 0", "$& && f.id === 1").replace("false", "true");
    unwrap(await sync.start(await specOf(place, { release: "after", apply })));
    unwrap(await sync.replay(spec(), "all"));
    await until("replayed", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    expect(letters()).toEqual([2, 3]);
    const report = unwrap(await sync.verify(spec(), quiet));
    expect(report.sinks[0]?.differences).toEqual([]);
    expect(report.sinks[0]?.counts).toMatchObject({ left: 2, right: 2, equal: 2 });
  });

  test("are held to the source's expectations again, as a backfill is", async () => {
    const { expectations } = streamSchema.parse({
      expectations: [
        { range: { column: "delay", max: 100 }, severity: "deadLetter", name: "not a day" },
        { unique: { columns: ["id"], within: "1h" }, severity: "deadLetter", name: "once" },
      ],
    });
    const strict = await specOf(place, { stream: { ...PLAIN_STREAM, expectations } });
    await send(flight(1, {}), flight(2, { delay: 500 }), flight(3, {}));
    await run(strict);
    expect(letters()).toEqual([1]);
    unwrap(await sync.replay(spec(), "all"));
    await until("replayed", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    expect(letters()).toEqual([1]);
    unwrap(await sync.backfill(spec()));
    await until("backfilled", () =>
      sync.rewrites("staging", "delays").every((one) => one.state === "done"),
    );
    // Each came once: that they are handled again makes nothing come twice.
    expect(letters()).toEqual([1]);
    const report = unwrap(await sync.verify(spec(), quiet));
    expect(report.sinks[0]?.counts).toMatchObject({ left: 2, right: 2, equal: 2 });
    expect(report.isEqual).toBe(true);
  });

  test("that are no longer there are said to be gone", async () => {
    await run(await specOf(place));
    expect(await sync.replay(spec(), "all")).toMatchObject({
      problem: { code: "nothing-to-replay" },
    });
  });
});

function expectSums(counts: LedgerCounts | undefined): void {
  if (counts === undefined) throw new Error("no counts");
  const { left, right, equal, changed, added, removed, unverifiable, moving } = counts;
  expect(left).toBe(equal + changed + removed + moving.left);
  expect(right).toBe(equal + changed + added + unverifiable + moving.right);
}

/** Edits the table's file as somebody with a DuckDB shell would, while the pipeline is stopped. */
async function tamper(spec: PipelineSpec, statements: string[]): Promise<void> {
  unwrap(await sync.stop(spec.environment, spec.name));
  for (const statement of statements) await rewriteByHand(statement);
  await run(spec);
}

async function rewriteByHand(statement: string): Promise<void> {
  const path = `${place.workspace.paths.sinks}/staging/delays/table.duckdb`;
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
}

async function distances(spec: PipelineSpec): Promise<unknown[]> {
  unwrap(await sync.stop(spec.environment, spec.name));
  const path = `${place.workspace.paths.sinks}/${spec.environment}/${spec.name}/table.duckdb`;
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll("select distance from data order by id");
  const found = reader.getRows().map(([distance]) => Number(distance));
  connection.closeSync();
  instance.closeSync();
  return found;
}

function letters(): number[] {
  const page = sync.deadLetters("staging", "delays", { offset: 0, limit: 10 });
  return page.letters.map(({ offset }) => offset).toSorted((a, b) => a - b);
}

/** Each append has a segment of its own from now on. */
async function beginSegments(): Promise<void> {
  await log.close();
  log = unwrap(
    await openFileLogWriter(place.topic("flights"), { fsync: "never", segmentBytes: 1 }),
  );
}

/** The log's first append is gone, as retention has it. */
function trim(): void {
  rmSync(segmentPath(place.topic("flights"), 0), { force: true });
}

function reader(): TopicReader {
  return openFileTopicReader(place.workspace.paths.topics);
}

/** Of what runs now, or ran last. */
async function verifyBy(
  state: DatabaseSync,
  sink: Pick<Sink, "name" | "scan">,
  topics: TopicReader,
  more: Partial<VerifyParts> = {},
): Promise<VerifyReport> {
  const parts = {
    readRelease: (hash: string) => readRelease(state, place.store, hash),
    widestParts: () => 1,
    openDecoder: (release: ReleaseSpec) => openSpecDecoder({ ...spec(), ...release }, undefined),
    openGuest: (release: ReleaseSpec) => openReleaseGuest(release, place),
    openExpectations: expectNothing,
  };
  const runtimes = openRuntimes(parts, () => undefined);
  const { environment, name } = spec();
  const id = { environment, name };
  const look = { sinks: [sink], reader: topics, runtimes, now: () => new Date(), ...quiet };
  return unwrap(await verify({ id, spec: spec(), state, ...look, ...more }));
}

/** What runs now. */
let current: PipelineSpec | undefined;
function spec(): PipelineSpec {
  if (current === undefined) throw new Error("nothing runs");
  return current;
}

async function run(spec: PipelineSpec): Promise<void> {
  current = spec;
  unwrap(await sync.start(spec));
  await settled();
}

async function settled(): Promise<void> {
  await until("everything committed", () => {
    const { state, problem, offset } = status();
    if (state === "halted") throw new Error(`halted: ${problem?.message}`);
    return state !== "starting" && offset === log.end();
  });
}

function status(): PipelineStatus {
  const [only] = sync.status();
  if (only === undefined) throw new Error("no pipeline");
  return only;
}

async function send(...records: NewRecord[]): Promise<void> {
  unwrap(await log.append(records));
}

function raw(key: string, text: string | null): NewRecord {
  return { key: Buffer.from(key), value: text === null ? null : Buffer.from(text), timestampMs: 1 };
}

function flight(id: number, changed: Record<string, unknown>): NewRecord {
  const value = {
    id,
    date: "2001-04-01T00:05:00",
    delay: 0,
    distance: 300,
    origin: "DEN",
    destination: "SFO",
  };
  return raw(String(id), JSON.stringify({ ...value, ...changed }));
}
