import { expect, test } from "vitest";
import { byReason, cause, type DeadLetter } from "./dead-letters.ts";

const letter = (offset: number, reason: string, at: string): DeadLetter => ({
  topic: "flights",
  partition: 0,
  offset,
  stage: "decode",
  reason,
  release: "8c41d0",
  encoding: "utf-8",
  key: null,
  value: null,
  headers: [],
  timestampMs: 0,
  at,
});

test("letters of one cause stand together, the largest group first", () => {
  const groups = byReason([
    letter(1, "`origin` is null, but is in the key", "2026-11-21T10:00:00Z"),
    letter(2, 'Column `delay` is "N/A"; BIGINT expected', "2026-11-21T10:00:01Z"),
    letter(3, 'Column `delay` is "x12"; BIGINT expected', "2026-11-21T10:00:02Z"),
  ]);
  expect(groups.map(({ reason, letters, last }) => [reason, letters.length, last])).toEqual([
    ['Column `delay` is "N/A"; BIGINT expected', 2, "2026-11-21T10:00:02Z"],
    ["`origin` is null, but is in the key", 1, "2026-11-21T10:00:00Z"],
  ]);
});

test("numbers vary within a cause, names do not", () => {
  expect(cause("delay 12.5 is above 10")).toBe(cause("delay -3 is above 10"));
  expect(cause("Column `q1` is missing")).not.toBe(cause("Column `q2` is missing"));
});
