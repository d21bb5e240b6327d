import type { DatabaseSync } from "node:sqlite";
import { beforeEach, expect, test } from "vitest";
import { deadLetter, listDeadLetters } from "./dead-letters.ts";
import { endOfEpoch, epochOf, listEpochs, openEpoch } from "./epochs.ts";
import { commitProgress, NOTHING, readOffset, readProgress, setPaused } from "./progress.ts";
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
  const at = { reason: "start", openedAt: "2026-01-01T00:00:00Z" };
  openEpoch(state, id, { ...stretch, ...at, firstOffset: 0, release: "r1" });
  openEpoch(state, id, { ...stretch, ...at, firstOffset: 100, release: "r2" });
  openEpoch(state, id, { ...stretch, ...at, incarnation: "two", firstOffset: 0, release: "r1" });
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
  commitProgress(state, id, { stretch, next: 8, counts, deadLetters: [letter] });
  const broken = { ...letter, reason: undefined as unknown as string };
  expect(() =>
    commitProgress(state, id, { stretch, next: 9, counts, deadLetters: [broken] }),
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
  commitProgress(state, id, {
    stretch,
    next: 1,
    counts: { ...NOTHING, read: 1, written: 1 },
    deadLetters: [],
  });
  expect(readProgress(state, id)).toMatchObject({ isPaused: true, counts: { read: 1 } });
  expect(readOffset(state, { ...id, name: "other" }, stretch)).toBeUndefined();
});
