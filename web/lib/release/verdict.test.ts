import { expect, test } from "vitest";
import type { CheckedApproval } from "#promote/approval.ts";
import type { Plan } from "#promote/plan.ts";
import type { Fact } from "#promote/release-format.ts";
import { changedPart, rowsMoved, ranked, verdict, whereabouts } from "./verdict.ts";

const fact = (id: string, status: Fact["status"]): Fact => ({
  id,
  title: id,
  status,
  summary: "",
  details: null,
});
const approval = (by: string, isValid = true) =>
  ({ approval: { by }, file: "", isValid }) as CheckedApproval;

test.each([
  [[fact("a", "pass")], [], "Everything passes."],
  [[fact("a", "pass")], [approval("Ada")], "Everything passes, and Ada approved it."],
  [
    [fact("a", "finding"), fact("b", "finding"), fact("c", "finding")],
    [],
    "Nothing fails. Three findings need your judgement.",
  ],
  [
    [fact("a", "finding")],
    [approval("Ada", false)],
    "Nothing fails. One finding needs your judgement.",
  ],
  [
    [fact("a", "finding")],
    [approval("Ada"), approval("Bo")],
    "Nothing fails. One finding was judged and approved by Ada and Bo.",
  ],
  [
    [fact("a", "fail"), fact("b", "finding")],
    [approval("Ada")],
    "One check fails. No environment will run this release.",
  ],
])("the verdict on %j", (facts, approvals, sentence) => {
  expect(verdict(facts, approvals)).toBe(sentence);
});

test("failures come first, then findings, then what passes, each in its order", () => {
  const facts = [
    fact("p1", "pass"),
    fact("f1", "finding"),
    fact("p2", "pass"),
    fact("x", "fail"),
    fact("f2", "finding"),
  ];
  expect(ranked(facts).map(({ id }) => id)).toEqual(["x", "f1", "f2", "p1", "p2"]);
});

const plan = (
  environment: string,
  change: Plan["change"],
  rows?: Partial<NonNullable<Plan["diff"]>["rows"]>,
) =>
  ({
    environment,
    change,
    ...(rows
      ? {
          diff: {
            rows: {
              left: 0,
              right: 0,
              equal: 0,
              changed: 0,
              added: 0,
              removed: 0,
              ambiguous: { keys: 0, left: 0, right: 0 },
              ...rows,
            },
          },
        }
      : {}),
  }) as Plan;

test("where it runs, and what a promotion does to rows", () => {
  expect(whereabouts([plan("staging", "none"), plan("production", "replace")])).toBe(
    "It runs in staging.",
  );
  expect(whereabouts([plan("staging", "new")])).toBe("It runs nowhere yet.");
  expect(
    rowsMoved(plan("production", "replace", { left: 19_977, changed: 606, removed: 303 })),
  ).toBe("606 change and 303 disappear, of 19,977");
  expect(rowsMoved(plan("production", "replace", { left: 1, equal: 1 }))).toBe(
    "all 1 stay as they are",
  );
});

test("of a file's diff a plan shows what changes and the two lines above", () => {
  const lines = [
    "approvals: 0",
    "pipelines:",
    "  delays:",
    "-release: a",
    "+release: b",
    "topic: flights",
  ].map((text) => ({
    kind: text.startsWith("-")
      ? ("removed" as const)
      : text.startsWith("+")
        ? ("added" as const)
        : ("same" as const),
    text,
  }));
  expect(changedPart(lines).map(({ text }) => text)).toEqual([
    "pipelines:",
    "  delays:",
    "-release: a",
    "+release: b",
  ]);
});
