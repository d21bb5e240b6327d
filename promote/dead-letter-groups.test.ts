import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDeadLetterView, type DeadLetterView } from "./dead-letter-groups.ts";
import { insertDeadLetters, type DeadLetter } from "./sync/dead-letters.ts";
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

let folder: string;
let view: DeadLetterView;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "penstock-letters-"));
  const path = join(folder, "state.db");
  const state = openSyncState(path);
  const late = (delay: number) => ({
    stage: "validate" as const,
    reason: `expectation "day": column \`delay\` is ${delay}, above 180`,
  });
  insertDeadLetters(state, id, [letter(1, {}), letter(2, late(200)), letter(3, late(300))]);
  insertDeadLetters(state, id, [letter(4, late(400))]);
  insertDeadLetters(state, { ...id, environment: "production" }, [letter(9, {})]);
  state.close();
  view = openDeadLetterView(path);
});
afterAll(() => {
  view.close();
  rmSync(folder, { recursive: true });
});

test("letters of one stage and cause are a group, the largest first, with when it began and went on", () => {
  const { total, groups } = view.groups(id);
  expect(total).toBe(4);
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

test("a group is read a page at a time, newest first, and replayed oldest first", () => {
  const group = view.groups(id).groups[0]?.id ?? "";
  const page = view.letters(id, group, { offset: 1, limit: 1 });
  expect([page.total, page.letters.map(({ offset }) => offset)]).toEqual([3, [3]]);
  expect(view.places(id, group).map(({ offset }) => offset)).toEqual([2, 3, 4]);
});

test("one letter is there to its last byte, with its group; another pipeline's is not", () => {
  const found = view.letter(id, { topic: "flights", partition: 0, offset: 2 });
  expect(found?.group).toBe(view.groups(id).groups[0]?.id);
  expect(new TextDecoder().decode(found?.value ?? new Uint8Array())).toBe('{"n":2}');
  expect(new TextDecoder().decode(found?.headers[0]?.value)).toBe("feed");
  expect(view.letter(id, { topic: "flights", partition: 0, offset: 9 })).toBeUndefined();
});
