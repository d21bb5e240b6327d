import type { Problem } from "#snapshots/problem.ts";
import { asCommitted, countedApprovers } from "./approval.ts";
import type { Environment } from "./environment-schema.ts";
import type { Git } from "./git.ts";
import type { Release } from "./release-files.ts";
import type { Workbench } from "./workbench.ts";

/** Who has to agree before a release may run somewhere, and who has. */
export type ApprovalCount = {
  needed: number;
  given: number;
  by: string[];
  /** Why approvals that are there do not count, one sentence each. */
  void?: string[];
};

/**
 * Approvals an environment asks for: what its file says or the workspace's policy, whichever is more. A promotion
 * edits the environment's file; the policy stands in penstock.yaml, out of its reach.
 */
export function approvalsNeeded(
  { policies }: Workbench["workspace"],
  environment: Pick<Environment, "name" | "approvals">,
): number {
  return Math.max(environment.approvals, policies.environments[environment.name]?.approvals ?? 0);
}

export async function countApprovals(
  { workspace, git }: Pick<Workbench, "workspace" | "git">,
  environment: Environment,
  release: Release,
): Promise<ApprovalCount> {
  const needed = approvalsNeeded(workspace, environment);
  const authors = environment.fourEyes ? await releaseAuthors(git, release) : [];
  const approvals = await asCommitted(git, release.approvals);
  const by = countedApprovers(approvals, environment, authors);
  const void_ = approvals.flatMap((checked) =>
    checked.isValid ? [] : `${checked.approval.by}'s does not count: ${checked.reason}`,
  );
  return { needed, given: by.length, by, void: void_ };
}

/** Who wrote the notebook's version and who built the release, as Git knows them. */
export async function releaseAuthors(git: Git, release: Release): Promise<string[]> {
  const built = await git.log({ path: `${release.folder}/manifest.json` });
  const written = await git.log({ from: release.manifest.commit, limit: 1 });
  const commits = [...(built.ok ? built.value : []), ...(written.ok ? written.value : [])];
  return [...new Set(commits.map(({ author }) => author.name))];
}

/** Why a release may not run in an environment; undefined when it may. */
export function refusal(
  environment: Environment,
  release: Release,
  approvals: ApprovalCount,
): Problem | undefined {
  const name = `${release.transform} ${release.hash.slice(0, 6)}`;
  const failed = release.evidence.facts.filter(({ status }) => status === "fail");
  if (failed.length > 0) {
    return {
      code: "evidence-fails",
      message: `Release ${name} fails its evidence: ${failed.map(({ summary }) => summary).join(" ")}`,
      hint: "Put the notebook right and build a new release.",
    };
  }
  if (approvals.given >= approvals.needed) return undefined;
  const has = approvals.given === 0 ? "none counts yet" : `${approvals.given} is given`;
  const others = environment.fourEyes ? " by somebody other than its author" : "";
  return {
    code: "approval-missing",
    message: [
      `${environment.name} asks for ${count(approvals.needed, "approval")}${others} of release ${name}; ${has}.`,
      ...(approvals.void ?? []),
    ].join(" "),
    hint: `Approve the release on its page or with \`penstock approve ${name} --reason WHY\` (the approval names its findings), then promote it again.`,
  };
}

export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}
