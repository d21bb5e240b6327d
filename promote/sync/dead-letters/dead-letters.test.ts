import type { DatabaseSync } from "node:sqlite";
import { beforeEach, expect, test } from "vitest";
import {
  insertDeadLetters,
  listDeadLetters,
  replaceDeadLetters,
  sinkRefusals,
  type DeadLetter,
  type Stage,
} from "./dead-letters.ts";
import { setDismissed } from "./dismissals.ts";
import { openSyncState } from "../state.ts";

const id = { environment: "staging", name: "delays" };
const stretch = { topic: "flights", incarnation: "one", partition: 0 };
const letter = (offset: number, stage: Stage, reason = "no"): DeadLetter => ({
  ...stretch,
  offset,
  stage,
  reason,
  release: "r1",
  key: null,
  value: null,
  headers: [],
  timestampMs: 0,
  at: "then",
});
const dismissal = { at: "now", by: "Ada" };
const all = { offset: 0, limit: 10 };

let state: DatabaseSync;
beforeEach(() => {
  state = openSyncState(":memory:");
});

const stagesAt = (offset: number): Stage[] =>
  listDeadLetters(state, id, all)
    .letters.filter((one) => one.offset === offset)
    .map(({ stage }) => stage)
    .toSorted();
const dismissed = (): unknown[] =>
  state
    .prepare(
      "select record_offset, dismissed_by from sync_dead_letters where dismissed_at is not null",
    )
    .all()
    .map((row) => Object.values(row));

test("a record that was handled again has the letters of what refuses it now, and no other", () => {
  const letters = [letter(1, "decode"), letter(2, "sink:table"), letter(2, "sink:search")];
  insertDeadLetters(state, id, [...letters, letter(3, "decode"), letter(4, "decode")]);
  replaceDeadLetters(
    state,
    id,
    stretch,
    [1, 2, 3],
    [letter(1, "transform"), letter(2, "sink:search")],
  );
  expect([1, 2, 3, 4].map(stagesAt)).toEqual([["transform"], ["sink:search"], [], ["decode"]]);
});

test("a verify knows of what a sink refused also when somebody has dismissed the letter", async () => {
  insertDeadLetters(state, id, [
    letter(1, "sink:table"),
    letter(2, "validate"),
    letter(3, "decode"),
  ]);
  const places = [letter(1, "sink:table"), letter(2, "validate")];
  expect(await setDismissed(state, id, places, dismissal)).toBe(2);
  expect(
    sinkRefusals(state, id, "table")
      .map(({ offset }) => offset)
      .toSorted((a, b) => a - b),
  ).toEqual([1, 2]);
});

test("of one record's letters only the one that was named is dismissed, once, and can be put back", async () => {
  insertDeadLetters(state, id, [letter(1, "sink:table"), letter(1, "sink:search")]);
  insertDeadLetters(state, { ...id, environment: "production" }, [letter(1, "sink:table")]);
  const places = [letter(1, "sink:table")];
  expect(await setDismissed(state, id, places, dismissal)).toBe(1);
  expect(await setDismissed(state, id, places, { at: "later", by: "Bob" })).toBe(0);
  expect(dismissed()).toEqual([[1, "Ada"]]);
  expect(await setDismissed(state, id, places, null)).toBe(1);
  expect(await setDismissed(state, id, places, null)).toBe(0);
  expect(dismissed()).toEqual([]);
});

test("what fails again for the same reason stays dismissed; for another, its letter is back", async () => {
  insertDeadLetters(state, id, [letter(1, "decode"), letter(2, "decode")]);
  await setDismissed(state, id, [letter(1, "decode"), letter(2, "decode")], dismissal);
  const again = [letter(1, "decode"), letter(2, "decode", "for another reason")];
  replaceDeadLetters(state, id, stretch, [1, 2], again);
  expect(dismissed()).toEqual([[1, "Ada"]]);
  replaceDeadLetters(state, id, stretch, [1, 2], []);
  expect(listDeadLetters(state, id, all).total).toBe(0);
});
