import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDeadLetterView, type DeadLetterView, type Shelf } from "./dead-letter-groups.ts";
import { insertDeadLetters, type DeadLetter } from "./sync/dead-letters/dead-letters.ts";
import { setDismissed } from "./sync/dead-letters/dismissals.ts";
import { openSyncState } from "./sync/state.ts";

const id = { environment: "staging", name: "delays" };
const letter = (offset: number, more: Partial<DeadLetter>): DeadLetter => ({
  topic: "flights",
  incarnation: "a",
  partition: 0,
  offset,
  stage: "decode",
  reason: 'column `delay` is "N/A", which is not BIGINT',
  release: "8c41d0",
  key: null,
  value: new TextEncoder().encode(`{"n":${offset}}`),
  headers: [{ key: "by", value: new TextEncoder().encode("feed") }],
  timestampMs: 0,
  at: `2026-11-25T10:00:${String(offset).padStart(2, "0")}.000Z`,
  ...more,
});

const late = (delay: number) => ({
  stage: "validate" as const,
  reason: `expectation "day": column \`delay\` is ${delay}, above 180`,
});
const refused = (sink: string) => ({ stage: `sink:${sink}` as const, reason: "too large" });
const flights = { topic: "flights", partition: 0 };

let folder: string;
let state: DatabaseSync;
let view: DeadLetterView;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "penstock-letters-"));
  const path = join(folder, "state.db");
  state = openSyncState(path);
  insertDeadLetters(state, id, [letter(1, {}), letter(2, late(200)), letter(3, late(300))]);
  insertDeadLetters(state, id, [letter(4, late(400))]);
  insertDeadLetters(state, { ...id, environment: "production" }, [letter(9, {})]);
  view = openDeadLetterView(path);
});
afterEach(() => {
  view.close();
  state.close();
  rmSync(folder, { recursive: true });
});

const largest = async (shelf: Shelf = "open"): Promise<string> =>
  (await view.groups(id, shelf)).groups[0]?.id ?? "";

test("letters of one stage and cause are a group, the largest first, with when it began and went on", async () => {
  const { groups, ...counts } = await view.groups(id);
  expect(counts).toEqual({ total: 4, open: 4, dismissed: 0, groupsTotal: 2 });
  expect(groups).toMatchObject([
    {
      stage: "validate",
      reason: 'expectation "day": column `delay` is …, above 180',
      count: 3,
      first: "2026-11-25T10:00:02.000Z",
      last: "2026-11-25T10:00:04.000Z",
    },
    { stage: "decode", reason: 'column `delay` is "N/A", which is not BIGINT', count: 1 },
  ]);
});

test("a group, or all, is read a page at a time, newest first, and replayed oldest first", async () => {
  const group = await largest();
  const page = await view.letters(id, { group, offset: 1, limit: 1 });
  expect([page.total, page.letters.map(({ offset }) => offset)]).toEqual([3, [3]]);
  const all = await view.letters(id, { offset: 1, limit: 2 });
  expect([all.total, all.letters.map(({ offset }) => offset)]).toEqual([4, [3, 2]]);
  const offsets = async (wanted: Parameters<DeadLetterView["places"]>[1]) =>
    (await view.places(id, wanted)).places.map(({ offset }) => offset);
  const own = { groups: [group], stages: [] };
  expect(await offsets(own)).toEqual([2, 3, 4]);
  expect(await offsets({ ...own, until: "2026-11-25T10:00:03.000Z" })).toEqual([2, 3]);
  expect(await offsets({ groups: [group], stages: ["decode"] })).toEqual([1, 2, 3, 4]);
  const none = await view.places(id, {
    groups: ["0".repeat(12)],
    stages: ["sink:table", "decode"],
  });
  expect(none).toMatchObject({ places: [{ offset: 1 }], absent: ["0".repeat(12), "sink:table"] });
});

test("a list has the beginning of a key and value and their sizes, a letter every byte of them", async () => {
  const value = new Uint8Array(1_000_000).fill(7);
  insertDeadLetters(state, id, [letter(5, { value, key: new TextEncoder().encode("k") })]);
  const { letters } = await view.letters(id, { offset: 0, limit: 2 });
  expect(letters[0]?.value?.sizeBytes).toBe(1_000_000);
  expect(letters[0]?.value?.start).toEqual(value.slice(0, 256));
  expect(letters[0]?.key).toEqual({ start: new TextEncoder().encode("k"), sizeBytes: 1 });
  expect(letters[1]?.key).toBeNull();
  const found = view.letter(id, { ...flights, offset: 5 });
  expect(Buffer.from(found?.value ?? []).equals(value)).toBe(true);
});

test("one letter is there with its group and headers; another pipeline's is not", async () => {
  const found = view.letter(id, { ...flights, offset: 2 });
  expect(found?.group).toBe(await largest());
  expect(new TextDecoder().decode(found?.headers[0]?.value)).toBe("feed");
  expect(view.letter(id, { ...flights, offset: 9 })).toBeUndefined();
});

test("of a record that several stages refused each letter is found, and names the others", () => {
  insertDeadLetters(state, id, [letter(5, refused("table")), letter(5, refused("search"))]);
  insertDeadLetters(state, id, [letter(5, { incarnation: "b" })]);
  const at = { ...flights, offset: 5 };
  const table = view.letter(id, { ...at, incarnation: "a", stage: "sink:table" });
  const search = view.letter(id, { ...at, stage: "sink:search" });
  expect(table?.stage).toBe("sink:table");
  expect(table?.others).toEqual([{ stage: "sink:search", group: search?.group }]);
  expect(view.letter(id, at)).toMatchObject({ stage: "decode", incarnation: "b", others: [] });
  expect(view.letter(id, { ...at, stage: "transform" })).toBeUndefined();
});

test("what somebody dismissed is on a shelf of its own", async () => {
  const group = await largest();
  const own = { groups: [group], stages: [], until: "2026-11-25T10:00:03.000Z" };
  const { places } = await view.places(id, own);
  await setDismissed(state, id, places, { at: "now", by: "Ada" });
  expect(await view.groups(id)).toMatchObject({ total: 2, open: 2, dismissed: 2 });
  expect(await view.groups(id, "dismissed")).toMatchObject({
    total: 2,
    groups: [{ id: group, count: 2 }],
  });
  const [open, dismissed] = await Promise.all(
    (["open", "dismissed"] as const).map((shelf) =>
      view.letters(id, { group, shelf, offset: 0, limit: 9 }),
    ),
  );
  expect(open?.letters.map(({ offset }) => offset)).toEqual([4]);
  expect(dismissed?.letters.map(({ offset }) => offset)).toEqual([3, 2]);
  expect(view.letter(id, { ...flights, offset: 2 })?.dismissal).toEqual({ at: "now", by: "Ada" });
  expect(view.letter(id, { ...flights, offset: 4 })?.dismissal).toBeUndefined();
});

test("of many groups the largest are told, and how many there are", async () => {
  const odd = Array.from({ length: 600 }, (_, i) =>
    letter(10 + i, { reason: `no way for ${"abcdefghij"[i % 10]}${"x".repeat(i)}` }),
  );
  insertDeadLetters(state, id, odd);
  const { groups, groupsTotal } = await view.groups(id);
  expect([groups.length, groupsTotal, groups[0]?.count]).toEqual([500, 602, 3]);
});

test("other work goes on while a box of many letters is gone through", async () => {
  state.exec(`with recursive n (i) as (select 10 union all select i + 1 from n where i < 20000)
    insert into sync_dead_letters (environment, name, topic, incarnation, partition, record_offset, stage, reason, release, headers, record_at, at)
    select 'staging', 'delays', 'flights', 'a', 0, i, 'decode', 'no ' || i, 'r1', '[]', 0, 'then' from n`);
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await view.groups(id);
  isOver = true;
  expect(turns).toBeGreaterThan(5);
});
