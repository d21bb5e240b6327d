import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { approvalFault, countedApprovers, signApproval, type Approval } from "./approval.ts";
import { openSigningKey, publicKeysPath, withPublicKey } from "./keys.ts";

const folder = mkdtempSync(join(tmpdir(), "penstock-keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const by = "Ada Lovelace";
const key = openSigningKey(folder, by);
const release = {
  hash: "ab".repeat(32),
  evidence: "cd".repeat(32),
  findings: ["difference@production"],
};
const approval = signApproval(
  {
    format: 1,
    release: release.hash,
    evidence: release.evidence,
    by,
    findings: release.findings,
    reason: "As the regulator counts.",
    at: "2026-11-21T00:00:00.000Z",
  },
  key,
);
const keys = (path: string) =>
  path === publicKeysPath(by) ? withPublicKey(undefined, by, key.publicKey) : undefined;

test("an approval counts for the release and evidence it names", () => {
  expect(approvalFault(approval, release, keys)).toBeUndefined();
});

test.each<[string, Partial<Approval>, Partial<typeof release>, RegExp]>([
  ["another release", {}, { hash: "00" }, /another release/],
  ["changed evidence", {}, { evidence: "00" }, /evidence has changed/],
  ["a finding it does not name", {}, { findings: ["difference@production", "metrics"] }, /metrics/],
  ["a changed reason", { reason: "Because." }, {}, /signature does not match/],
  ["another person's name", { by: "Mallory" }, {}, /no people\/mallory.pub/],
  ["a finding added afterwards", { findings: ["difference@production", "x"] }, {}, /signature/],
  ["a broken signature", { signature: "AAAA" }, {}, /signature/],
  ["a key of nobody's", { publicKey: "AAAA" }, {}, /key is not in/],
])("%s voids it", (_, change, released, reason) => {
  expect(approvalFault({ ...approval, ...change }, { ...release, ...released }, keys)).toMatch(
    reason,
  );
});

test("the private key is readable by its owner only, and is the same the next time", () => {
  expect(statSync(join(folder, "ada-lovelace.pem")).mode & 0o777).toBe(0o600);
  expect(openSigningKey(folder, by).publicKey).toBe(key.publicKey);
});

test("a second machine adds its key beside the first", () => {
  const first = withPublicKey(undefined, by, "AAAA");
  const both = withPublicKey(first, by, "BBBB");
  expect(both.startsWith(first)).toBe(true);
  expect(withPublicKey(both, by, "AAAA")).toBe(both);
});

describe("countedApprovers", () => {
  const valid = { approval, file: "a.json", isValid: true } as const;
  const void_ = {
    approval: { ...approval, by: "Bob" },
    file: "b.json",
    isValid: false,
    reason: "",
  } as const;
  const as = (name: string, publicKey: string) =>
    ({ ...valid, approval: { ...approval, by: name, publicKey } }) as const;
  test.each([
    [
      "a name written otherwise is the same person",
      [valid, as("ada-lovelace", "B")],
      false,
      [],
      [by],
    ],
    [
      "one key under two names is one person",
      [valid, as("Bob", approval.publicKey)],
      false,
      [],
      [by],
    ],
    ["nor the author by another spelling", [valid], true, ["ada lovelace"], []],
    ["each person once, void ones never", [valid, valid, void_], false, ["Ada Lovelace"], [by]],
    ["with four eyes not the author", [valid], true, ["Ada Lovelace"], []],
    ["with four eyes anybody else", [valid], true, ["Bob"], [by]],
  ])("%s", (_, approvals, fourEyes, authors, expected) => {
    expect(countedApprovers(approvals, { fourEyes }, authors)).toEqual(expected);
  });
});
