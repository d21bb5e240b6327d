import type { DatabaseSync } from "node:sqlite";
import { beforeEach, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { setDismissed } from "../dead-letters/dismissals.ts";
import { endTransition, openAlike, openTransition } from "../order/epochs.ts";
import type { PartitionRange, TopicReader } from "../ports.ts";
import { replayDeadLetters } from "./replay.ts";
import { listRewrites } from "./rewrites.ts";
import { openSyncState } from "../state.ts";

const id = { environment: "staging", name: "delays", topic: "flights" };
const now = new Date("2026-11-26T10:00:00Z");

let state: DatabaseSync;
beforeEach(() => {
  state = openSyncState(":memory:");
});

/** Letters of offsets 0 … `count`, spread over `partitions`. */
function letters(count: number, partitions: number, stage = "decode"): void {
  state
    .prepare(
      `with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < ?)
       insert into sync_dead_letters (environment, name, topic, incarnation, partition, record_offset, stage, reason, release, headers, record_at, at)
       select 'staging', 'delays', 'flights', 'one', i % ?, i, ?, 'no', 'r1', '[]', 0, 'then' from n`,
    )
    .run(count, partitions, stage);
}

const unread = (): never => {
  throw new Error("Asking for a replay reads no record.");
};
/** A topic of which partition 0, 1 … begins at so many records. */
const beginsAt = (...firsts: readonly number[]): TopicReader => ({
  incarnation: async () => "one",
  ranges: async (topic) =>
    firsts.map((first, partition): PartitionRange => ({ topic, partition, first, end: 1e6 })),
  offsetAt: unread,
  read: unread,
  close: async () => undefined,
});
const asked = (): { partition: number; from: number; offsets: number[] }[] =>
  listRewrites(state, id).map(({ partition, from, selection }) => ({
    partition,
    from,
    offsets: "offsets" in selection ? selection.offsets : [],
  }));

test("two hundred thousand letters are replayed at once, a rewrite a partition, in offset order", async () => {
  letters(200_000, 1);
  const replay = unwrap(await replayDeadLetters(state, id, "all", beginsAt(0), now));
  expect(replay).toEqual({ asked: 200_000, gone: 0, moved: 0 });
  const [only] = asked();
  expect([only?.from, only?.offsets.length, only?.offsets.at(-1)]).toEqual([0, 200_000, 199_999]);
});

test("only what was chosen, is there and was not dismissed is replayed; a record of two letters once", async () => {
  letters(8, 2);
  letters(8, 2, "sink:table");
  const place = { topic: "flights", incarnation: "one", partition: 1 };
  const both = (["decode", "sink:table"] as const).map((stage) => ({ ...place, offset: 5, stage }));
  await setDismissed(state, id, both, { at: "now", by: "Ada" });
  const reader = beginsAt(4, 0);
  const choice = [0, 2, 4, 1, 5].map((offset) => ({
    topic: "flights",
    partition: offset % 2,
    offset,
  }));
  expect(unwrap(await replayDeadLetters(state, id, choice, reader, now))).toEqual({
    asked: 2,
    gone: 2,
    moved: 0,
  });
  expect(asked()).toEqual([
    { partition: 0, from: 4, offsets: [4] },
    { partition: 1, from: 1, offsets: [1] },
  ]);
  unwrap(await replayDeadLetters(state, id, "all", reader, now));
  expect(asked().slice(2)).toEqual([
    { partition: 0, from: 4, offsets: [4, 6] },
    { partition: 1, from: 1, offsets: [1, 3, 7] },
  ]);
});

test("letters of before the topic grew are not replayed: newer records may lie in another partition", async () => {
  letters(8, 1);
  state.prepare("insert into sync_releases values ('r1', '{}', 'b')").run();
  const stretch = { topic: "flights", incarnation: "one", partition: 0 };
  const about = { ...stretch, release: "r1", reason: "", openedAt: "", partitions: 2 };
  const grown = { ...about, firstOffset: 3 };
  openAlike(state, id, { ...about, firstOffset: 0, partitions: 1 }, 0, "w");
  openTransition(state, id, grown, 0, "w");
  const inTransition = await replayDeadLetters(state, id, "all", beginsAt(1), now);
  expect(inTransition).toMatchObject({ ok: false, problem: { code: "nothing-to-replay" } });
  endTransition(state, id, { ...grown, firstOffset: 5 }, "w");
  expect(unwrap(await replayDeadLetters(state, id, "all", beginsAt(1), now))).toEqual({
    asked: 3,
    gone: 1,
    moved: 4,
  });
  expect(asked()).toEqual([{ partition: 0, from: 5, offsets: [5, 6, 7] }]);
  const old = await replayDeadLetters(
    state,
    id,
    [{ topic: "flights", partition: 0, offset: 4 }],
    beginsAt(1),
    now,
  );
  expect(old).toMatchObject({
    ok: false,
    problem: { message: expect.stringContaining("was given more partitions") as string },
  });
});
