import { describe, expect, test } from "vitest";
import { approvalsNeeded, refusal } from "./permission.ts";
import type { Release } from "./release-files.ts";
import type { Fact } from "./release-format.ts";

const environment = {
  name: "production",
  kind: "embedded",
  approvals: 1,
  fourEyes: false,
  pipelines: {},
} as const;

/** Of a release only what a permission is decided by. */
function release(facts: Partial<Fact>[] = []): Release {
  const evidence = { format: 1, hash: "", facts, observations: {} };
  return { transform: "delays", hash: "3f9a1c00", approvals: [], evidence } as unknown as Release;
}

describe("refusal", () => {
  test.each([
    ["approvals missing", {}, [], 0, "approval-missing"],
    ["enough approvals", {}, [], 1, undefined],
    ["none asked for", { approvals: 0 }, [], 0, undefined],
    [
      "failing evidence, whoever approved",
      {},
      [{ status: "fail", summary: "x" }],
      9,
      "evidence-fails",
    ],
    ["a finding is for the approver to judge", {}, [{ status: "finding" }], 1, undefined],
  ] as [string, object, Partial<Fact>[], number, string | undefined][])(
    "%s",
    (_, change, facts, given, code) => {
      const asked = { ...environment, ...change };
      const approvals = { needed: asked.approvals, given, by: [] };
      expect(refusal(asked, release(facts), approvals)?.code).toBe(code);
    },
  );

  test("says with four eyes that the author's own does not count", () => {
    const asked = { ...environment, fourEyes: true };
    const problem = refusal(asked, release(), { needed: 1, given: 0, by: [] });
    expect(problem?.message).toContain("by somebody other than its author");
  });
});

test.each([
  [1, {}, 1],
  [0, { production: { approvals: 2 } }, 2],
  [3, { production: { approvals: 2 } }, 3],
  [0, { staging: { approvals: 2 } }, 0],
])(
  "the file asks for %i and the policy says %j: %i are needed",
  (approvals, environments, needed) => {
    const workspace = { policies: { environments } } as unknown as Parameters<
      typeof approvalsNeeded
    >[0];
    expect(approvalsNeeded(workspace, { name: "production", approvals })).toBe(needed);
  },
);
