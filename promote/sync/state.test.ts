import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, expect, test } from "vitest";
import { deadLetter, insertDeadLetters, listDeadLetters } from "./dead-letters/dead-letters.ts";
import { endOfEpoch, epochOf, listEpochs, openAlike, type NewEpoch } from "./order/epochs.ts";
import { commitProgress, NOTHING, readProgress, setHalted, setPaused } from "./order/progress.ts";
import { claimStretch, readOffset } from "./order/stretch-offsets.ts";
import { listRewrites } from "./rewrites/rewrites.ts";
import { openSyncState } from "./state.ts";

const id = { environment: "staging", name: "delays" };
const stretch = { topic: "flights", incarnation: "one", partition: 0 };
let state: DatabaseSync;

beforeEach(() => {
  state = openSyncState(":memory:");
  for (const release of ["r1", "r2"])
    state.prepare("insert into sync_releases values (?, '{}', 'b')").run(release);
});

test("epochs begin at 1024 and a record keeps the release of the epoch it fell in", () => {
  const at = { reason: "start", openedAt: "2026-01-01T00:00:00Z", partitions: 1 };
  const open = (epoch: NewEpoch) => openAlike(state, id, epoch, 0, "w1");
  open({ ...stretch, ...at, firstOffset: 0, release: "r1" });
  open({ ...stretch, ...at, firstOffset: 100, release: "r2" });
  open({ ...stretch, ...at, incarnation: "two", firstOffset: 0, release: "r1" });
  const epochs = listEpochs(state, id);
  expect(epochs.map((epoch) => epoch.epoch)).toEqual([1024, 1025, 1026]);
  expect([0, 99, 100, 500].map((offset) => epochOf(epochs, stretch, offset)?.release)).toEqual([
    "r1",
    "r1",
    "r2",
    "r2",
  ]);
  expect(epochOf(epochs, { ...stretch, incarnation: "two" }, 7)?.epoch).toBe(1026);
  expect(epochOf(epochs, { ...stretch, partition: 3 }, 7)).toBeUndefined();
  expect(epochs.map((epoch) => endOfEpoch(epochs, epoch, epoch))).toEqual([
    100,
    Infinity,
    Infinity,
  ]);
});

test("what halts a worker halts the pipeline until it is resumed; what was met before somebody resumed it does not", () => {
  const met = { code: "no", message: "No.", hint: "Say yes.", at: { offset: 7 } };
  setHalted(state, id, 0, met);
  expect(readProgress(state, id)).toMatchObject({ halts: 1, halted: met });
  setPaused(state, id, false);
  expect(readProgress(state, id)).not.toHaveProperty("halted");
  setHalted(state, id, 0, met);
  expect(readProgress(state, id)).toMatchObject({ halts: 1, resumes: 1 });
  expect(readProgress(state, id)).not.toHaveProperty("halted");
  setHalted(state, id, 1, met);
  expect(readProgress(state, id)).toMatchObject({ halts: 2, halted: met });
});

test("offset, counts and dead letters move together or not at all", () => {
  const record = {
    offset: 7,
    timestampMs: 5,
    key: Buffer.from("k"),
    value: Buffer.from("v"),
    headers: [{ key: "h", value: Buffer.from("x") }],
  };
  const letter = deadLetter(stretch, record, {
    stage: "decode",
    reason: "no",
    release: "r1",
    at: "now",
  });
  const counts = { ...NOTHING, read: 8, written: 7, deadLettered: 1 };
  claimStretch(state, id, stretch, "w1", 0);
  expect(
    commitProgress(state, id, [
      { finished: { stretch, next: 8, counts, deadLetters: [letter] }, owner: "w1" },
    ]),
  ).toEqual([true]);
  const broken = { ...letter, reason: undefined as unknown as string };
  expect(() =>
    commitProgress(state, id, [
      { finished: { stretch, next: 9, counts, deadLetters: [broken] }, owner: "w1" },
    ]),
  ).toThrow("cannot be bound");
  expect(readOffset(state, id, stretch)).toBe(8);
  expect(readProgress(state, id).counts).toEqual(counts);
  const { total, letters } = listDeadLetters(state, id, { offset: 0, limit: 10 });
  expect(total).toBe(1);
  expect(letters[0]).toMatchObject({ offset: 7, reason: "no", stage: "decode", timestampMs: 5 });
  expect(Buffer.from(letters[0]?.headers[0]?.value ?? []).toString()).toBe("x");
});

test("a pause is kept beside the counts", () => {
  setPaused(state, id, true);
  claimStretch(state, id, stretch, "w1", 0);
  const counts = { ...NOTHING, read: 1, written: 1 };
  commitProgress(state, id, [
    { finished: { stretch, next: 1, counts, deadLetters: [] }, owner: "w1" },
  ]);
  expect(readProgress(state, id)).toMatchObject({ isPaused: true, counts: { read: 1 } });
  expect(readOffset(state, { ...id, name: "other" }, stretch)).toBeUndefined();
});

test("what a worker still has in flight when another has taken the partition moves and counts nothing", () => {
  const finished = {
    stretch,
    next: 5,
    counts: { ...NOTHING, read: 5, written: 5 },
    deadLetters: [],
  };
  claimStretch(state, id, stretch, "w1", 0);
  claimStretch(state, id, stretch, "w2", 0);
  expect(commitProgress(state, id, [{ finished, owner: "w1" }])).toEqual([false]);
  expect(readOffset(state, id, stretch)).toBe(0);
  expect(commitProgress(state, id, [{ finished, owner: "w2" }])).toEqual([true]);
  expect(readProgress(state, id).counts).toEqual(finished.counts);
});

test("a database of the first layout is brought to this one, and says the same", () => {
  const folder = mkdtempSync(join(tmpdir(), "penstock-state-"));
  const path = join(folder, "state.db");
  const old = new DatabaseSync(path);
  old.exec(`
    create table sync_pipelines (environment text, name text, is_paused integer not null default 0, read integer default 0,
      written integer default 0, filtered integer default 0, stale integer default 0, dead_lettered integer default 0,
      retracted integer default 0, primary key (environment, name));
    create table sync_releases (release text primary key, spec text not null, bundle text not null);
    create table sync_epochs (environment text, name text, epoch integer, topic text, incarnation text, partition integer,
      first_offset integer, release text, reason text, opened_at text, primary key (environment, name, epoch));
    create table sync_offsets (environment text, name text, topic text, incarnation text, partition integer, next_offset integer,
      primary key (environment, name, topic, incarnation, partition));
    insert into sync_pipelines values ('staging', 'delays', 1, 9, 9, 0, 0, 0, 0);
    insert into sync_releases values ('r1', '{}', 'b');
    insert into sync_epochs values ('staging', 'delays', 1024, 'flights', 'one', 0, 0, 'r1', 'start', 'then');
    create table sync_dead_letters (environment text not null, name text not null, topic text not null, incarnation text not null,
      partition integer not null, record_offset integer not null, stage text not null, reason text not null, release text not null,
      record_key blob, record_value blob, headers text not null, record_at real not null, at text not null,
      primary key (environment, name, topic, incarnation, partition, record_offset, stage)) strict;
    insert into sync_dead_letters values ('staging', 'delays', 'flights', 'one', 0, 3, 'decode', 'no', 'r1', null, null, '[]', 0, 'then');
    insert into sync_offsets values ('staging', 'delays', 'flights', 'one', 0, 9);`);
  old.close();
  for (let round = 0; round < 2; round++) {
    const now = openSyncState(path);
    expect(readProgress(now, id)).toMatchObject({ isPaused: true, counts: { read: 9 } });
    expect(readOffset(now, id, stretch)).toBe(9);
    expect(listEpochs(now, id)).toEqual([
      {
        ...stretch,
        epoch: 1024,
        firstOffset: 0,
        release: "r1",
        reason: "start",
        openedAt: "then",
        ordering: "offset",
        partitions: 1,
      },
    ]);
    const { letters } = listDeadLetters(now, id, { offset: 0, limit: 10 });
    expect(letters).toMatchObject([{ ...stretch, offset: 3, stage: "decode", reason: "no" }]);
    insertDeadLetters(now, id, letters);
    now.close();
  }
  rmSync(folder, { recursive: true });
});

test("backfills that an earlier Penstock asked for hang together, the partitions of one ask", () => {
  const folder = mkdtempSync(join(tmpdir(), "penstock-state-"));
  const path = join(folder, "state.db");
  const old = openSyncState(path);
  old.exec(
    "alter table sync_rewrites drop column ask; alter table sync_rewrites drop column lowest",
  );
  const insert = old.prepare(
    `insert into sync_rewrites (environment, name, topic, incarnation, partition, from_offset, selection, reason, state, asked_at)
     values ('staging', 'delays', 'flights', 'one', ?, 0, '{"all":true}', ?, 'asked', ?)`,
  );
  for (const [partition, reason, askedAt] of [
    [0, "backfill", "then"],
    [1, "backfill", "then"],
    [0, "backfill", "later"],
    [0, "repair", "then"],
  ] as const)
    insert.run(partition, reason, askedAt);
  old.close();
  const now = openSyncState(path);
  expect(listRewrites(now, id).map(({ ask }) => ask)).toEqual([1, 1, 3, undefined]);
  now.close();
  rmSync(folder, { recursive: true });
});

test("a transition that is open when its versions become others goes on above what was written in it", () => {
  const folder = mkdtempSync(join(tmpdir(), "penstock-state-"));
  const path = join(folder, "state.db");
  const old = openSyncState(path);
  old.exec(`
    alter table sync_epochs drop column transition;
    alter table sync_epochs drop column origin;
    insert into sync_releases values ('r1', '{}', 'b');
    insert into sync_epochs values
      ('staging', 'delays', 1024, 'flights', 'one', 0, 0, 'r1', 'start', 'then', 'offset', 1, null),
      ('staging', 'delays', 1025, 'flights', 'one', 0, 40, 'r1', 'partitions added', 'then', 'timestamp', 2, 5000),
      ('staging', 'delays', 1025, 'flights', 'one', 1, 0, 'r1', 'partitions added', 'then', 'timestamp', 2, 5000),
      ('staging', 'over', 1024, 'flights', 'one', 0, 0, 'r1', 'partitions added', 'then', 'timestamp', 2, 5000),
      ('staging', 'over', 9216, 'flights', 'one', 0, 90, 'r1', 'order by offset again', 'then', 'offset', 2, null);
    insert into sync_offsets (environment, name, topic, incarnation, partition, next_offset, owner)
      values ('staging', 'delays', 'flights', 'one', 0, 70, 'w1');`);
  old.close();
  for (let round = 0; round < 2; round++) {
    const now = openSyncState(path);
    const shown = (name: string): unknown[] =>
      listEpochs(now, { ...id, name }).map(({ epoch, partition, firstOffset, ...order }) => [
        epoch,
        partition,
        firstOffset,
        order.ordering === "offset" ? "offset" : [order.transition, order.origin, order.untilMs],
      ]);
    expect(shown("delays")).toEqual([
      [1024, 0, 0, "offset"],
      [1025, 0, 40, [1025, 40, 5000]],
      [1025, 1, 0, [1025, 0, 5000]],
      [9217, 0, 70, [9217, 70, 5000]],
      [9217, 1, 0, [9217, 0, 5000]],
    ]);
    expect(shown("over")).toEqual([
      [1024, 0, 0, [1024, 0, 5000]],
      [9216, 0, 90, "offset"],
    ]);
    now.close();
  }
  rmSync(folder, { recursive: true });
});
