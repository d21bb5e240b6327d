import { z } from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { isSignedBy, publicKeysIn, publicKeysPath, type SigningKey } from "./keys.ts";
import type { Environment } from "./environments.ts";

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
  if (approval.evidence !== release.evidence) return "The evidence has changed since it was signed.";
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
  const names = approvals.filter(({ isValid }) => isValid).map(({ approval }) => approval.by);
  const counted = names.filter((name) => !environment.fourEyes || !authors.includes(name));
  return [...new Set(counted)].toSorted();
}
