import { expect, test } from "vitest";
import { listConflicts, recordConflicts } from "./conflicts.ts";
import { openSyncState } from "../state.ts";

const id = { environment: "staging", name: "delays" };
const conflict = {
  part: "value" as const,
  schemaId: 7,
  writerSchema: '"int"',
  readerSchema: '"string"',
  conflict: "no",
};

test("a conflict met without its subject's name takes the name when it comes, and keeps it", () => {
  const state = openSyncState(":memory:");
  recordConflicts(state, id, [conflict], "1");
  recordConflicts(state, id, [{ ...conflict, subject: "flights-value" }], "2");
  recordConflicts(state, id, [conflict], "3");
  expect(listConflicts(state, id)).toEqual([
    { ...conflict, subject: "flights-value", seenAt: "3" },
  ]);
});
