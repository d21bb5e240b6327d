import { expect, test } from "vitest";
import { REPLAY, rewritings, scope, waitsFor, type Rewrite } from "./replays.ts";

const part = (more: Partial<Rewrite>): Rewrite => ({
  rewrite: 1,
  topic: "flights",
  partition: 0,
  from: 0,
  reason: REPLAY,
  state: "done",
  askedAt: "2026-11-25T10:00:00.000Z",
  written: 0,
  deadLettered: 0,
  what: { kind: "some", records: 2, identities: 0 },
  ...more,
});

test("what was asked at once is one replay, and is done when every partition is", () => {
  const later = "2026-11-25T11:00:00.000Z";
  const [second, first] = rewritings([
    part({ rewrite: 1, written: 3 }),
    part({ rewrite: 2, partition: 1, written: 4, deadLettered: 1 }),
    part({ rewrite: 3, askedAt: later, state: "done" }),
    part({ rewrite: 4, askedAt: later, state: "asked", partition: 1 }),
  ]);
  expect(first).toMatchObject({ state: "done", partsDone: 2, written: 7, deadLettered: 1 });
  expect(second).toMatchObject({ state: "running", partsDone: 1 });
  expect(first && scope(first)).toBe("4 letters");
});

test.each<[Rewrite["what"], string, string]>([
  [{ kind: "all" }, "backfill", "all records"],
  [{ kind: "clears", identities: 3 }, "repair", "3 cleared"],
  [{ kind: "some", records: 0, identities: 1 }, "repair", "1 row"],
])("%j of a %s takes %s", (what, reason, said) => {
  const [one] = rewritings([part({ what, reason })]);
  expect(one && scope(one)).toBe(said);
});

test.each([
  [part({ state: "done" }), undefined, undefined],
  [part({ state: "asked" }), undefined, /does not run/],
  [part({ state: "asked" }), { state: "flowing", topic: "flights" } as const, undefined],
  [part({ state: "running" }), { state: "paused", topic: "flights" } as const, /is paused/],
  [
    part({ state: "asked" }),
    { state: "flowing", topic: "trips" } as const,
    /reads topic trips now, not flights/,
  ],
])("what a replay waits for %#", (one, status, waits) => {
  const [rewriting] = rewritings([one]);
  const said = rewriting && waitsFor(rewriting, status);
  if (waits === undefined) expect(said).toBeUndefined();
  else expect(said).toMatch(waits);
});
