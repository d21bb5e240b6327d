import { join } from "node:path";
import { z } from "zod";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { canonicalJson } from "./canonical-json.ts";
import type { Environment } from "./environment-schema.ts";
import type { Git } from "./git.ts";
import {
  isSignedBy,
  openSigningKey,
  publicKeysIn,
  publicKeysPath,
  withPublicKey,
  type SigningKey,
} from "./keys.ts";
import { personFileName } from "./person.ts";
import type { Release } from "./release-files.ts";
import type { Workbench } from "./workbench.ts";

/** What an approver puts their name to: this release, this evidence, these findings seen, for this reason. */
const statementSchema = z.strictObject({
  format: z.literal(1),
  release: z.string(),
  evidence: z.string(),
  by: z.string(),
  findings: z.array(z.string()),
  reason: z.string(),
  at: z.string(),
});

export const approvalSchema = z.strictObject({
  ...statementSchema.shape,
  publicKey: z.string(),
  signature: z.string(),
});

export type Approval = z.infer<typeof approvalSchema>;
type Statement = z.infer<typeof statementSchema>;

/** An approval and whether it counts; `reason` says why not. */
export type CheckedApproval = { approval: Approval; file: string } & (
  | { isValid: true }
  | { isValid: false; reason: string }
);

export function signApproval(statement: Statement, key: SigningKey): Approval {
  const signature = key.sign(canonicalJson(statement));
  return { ...statement, publicKey: key.publicKey, signature };
}

/**
 * Why an approval does not count, or undefined when it does: it must name this release and this evidence,
 * acknowledge every finding, and be signed by a key in its author's committed `people/NAME.pub`.
 */
export function approvalFault(
  approval: Approval,
  release: { hash: string; evidence: string; findings: string[] },
  publicKeysOf: (path: string) => string | undefined,
): string | undefined {
  const { publicKey, signature, ...statement } = approval;
  if (approval.release !== release.hash) return "It approves another release.";
  if (approval.evidence !== release.evidence)
    return "The evidence has changed since it was signed.";
  const missing = release.findings.filter((id) => !approval.findings.includes(id));
  if (missing.length > 0) return `It does not acknowledge the finding ${missing.join(", ")}.`;
  const path = publicKeysPath(approval.by);
  const keys = publicKeysOf(path);
  if (keys === undefined) return `There is no ${path} to verify it with.`;
  if (!publicKeysIn(keys).includes(publicKey)) return `Its key is not in ${path}.`;
  if (!isSignedBy(publicKey, canonicalJson(statement), signature)) {
    return "Its signature does not match its text.";
  }
  return undefined;
}

/** Who has validly approved, as this environment counts: each person once, and with four eyes not the release's author. */
export function countedApprovers(
  approvals: CheckedApproval[],
  environment: Pick<Environment, "fourEyes">,
  authors: string[],
): string[] {
  // One person, however the name is written, and one key count once.
  const made = new Set(authors.map(personFileName));
  const seen = new Set<string>();
  const counted = approvals.flatMap(({ isValid, approval: { by, publicKey } }) => {
    const person = personFileName(by);
    if (!isValid || seen.has(person) || seen.has(publicKey)) return [];
    if (environment.fourEyes && made.has(person)) return [];
    seen.add(person).add(publicKey);
    return [by];
  });
  return counted.toSorted();
}

/** Git says who approved: an approval, or the key that verifies it, that only lies in the working tree does not count. */
export async function asCommitted(
  git: Pick<Git, "show">,
  approvals: CheckedApproval[],
): Promise<CheckedApproval[]> {
  return Promise.all(
    approvals.map(async (checked): Promise<CheckedApproval> => {
      const { approval, file, isValid } = checked;
      if (!isValid) return checked;
      const [text, keys] = await Promise.all(
        [file, publicKeysPath(approval.by)].map((path) => git.show("HEAD", path)),
      );
      const held = keys?.ok ? publicKeysIn(keys.value ?? "") : [];
      if (text?.ok && isSame(text.value, approval) && held.includes(approval.publicKey))
        return checked;
      const reason = `${file}, or the key in ${publicKeysPath(approval.by)}, is not committed.`;
      return { approval, file, isValid: false, reason };
    }),
  );
}

function isSame(text: string | undefined, approval: CheckedApproval["approval"]): boolean {
  try {
    const committed = approvalSchema.safeParse(JSON.parse(text ?? ""));
    return committed.success && canonicalJson(committed.data) === canonicalJson(approval);
  } catch {
    return false;
  }
}

/**
 * Signs a person's approval of a release, naming the findings they have judged, all of them and no other, and commits it
 * together with their public key. Approving again what already counts changes nothing.
 */
export async function approve(request: {
  workbench: Pick<Workbench, "workspace" | "git" | "state" | "now">;
  release: Release;
  by: string;
  findings: string[];
  reason: string;
}): Promise<Result<Approval>> {
  const { workbench, release, by, findings, reason } = request;
  const { workspace, git, now } = workbench;
  const unknown = findings.filter((id) => !release.findings.includes(id));
  if (unknown.length > 0) return fail(notFound(release, unknown));
  const given = release.approvals.find(({ approval, isValid }) => isValid && approval.by === by);
  const [standing] = given ? await asCommitted(git, [given]) : [];
  if (standing?.isValid) return ok(standing.approval);
  const unnamed = release.findings.filter((id) => !findings.includes(id));
  if (unnamed.length > 0) return fail(unjudged(release, unnamed));

  const statement: Statement = {
    format: 1,
    release: release.hash,
    evidence: release.evidence.hash,
    by,
    reason,
    findings: [...new Set(findings)].toSorted(),
    at: now().toISOString(),
  };
  // One that was signed and never committed (the process was killed) is committed now.
  const approval =
    given?.approval ??
    signApproval(statement, openSigningKey(join(workspace.paths.penstock, "keys"), by));
  const peoplePath = publicKeysPath(by);
  const file = `${release.folder}/approvals/${personFileName(by)}.json`;
  const { email } = await git.person();
  const committed = await git.commitFiles({
    files: async (head) => ({
      [peoplePath]: withPublicKey(await head.read(peoplePath), by, approval.publicKey),
      [file]: canonicalJson(approval),
    }),
    message: `Approve ${release.transform} ${release.hash.slice(0, 6)}\n\n${reason}`,
    author: { name: by, email },
    at: now(),
  });
  if (!committed.ok) return committed;
  workbench.state.audit({
    at: now(),
    by,
    action: "approve",
    environment: null,
    transform: release.transform,
    release: release.hash,
    commit: committed.value.commit ?? null,
    details: {
      evidence: approval.evidence,
      findings: approval.findings,
      reason,
    },
  });
  return ok(approval);
}

function unjudged(release: Release, ids: string[]): Problem {
  const facts = release.evidence.facts.filter(({ id }) => ids.includes(id));
  return {
    code: "findings-unjudged",
    message: `An approval names every finding; not named: ${facts.map(({ id, summary }) => `${id} (${summary})`).join("; ")}.`,
    hint: "Judge each finding, then approve with its id.",
  };
}

function notFound({ transform, hash, findings }: Release, ids: string[]): Problem {
  return {
    code: "finding-unknown",
    message: `Release ${hash.slice(0, 6)} of ${transform} has no finding ${ids.map((id) => JSON.stringify(id)).join(", ")}.`,
    hint:
      findings.length === 0
        ? "It has no findings: approve it without naming any."
        : `Its findings are: ${findings.join(", ")}.`,
  };
}
