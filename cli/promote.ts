import type { Command } from "commander";
import { ProblemError, type Problem } from "#snapshots/problem.ts";
import { read, withConnection, type Client } from "./connect.ts";
import { problemText } from "./explain.ts";
import { count, paint } from "./paint.ts";
import { pickRelease } from "./pick-release.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

type Options = Common & { to: string; release?: string; message?: string; plan?: boolean };

/** `penstock promote TRANSFORM --to ENVIRONMENT [--release HASH] [--plan]` */
export function promoteVerb(program: Command): void {
  verb(
    program,
    "promote <transform>",
    "Let a release run in an environment: one commit, then the pipeline follows.",
    ["promote delays --to staging", "promote delays --to production --release 8c41d0 --plan"],
  )
    .requiredOption("--to <environment>", "where")
    .option("--release <hash>", "which release (default: the newest)")
    .option("-m, --message <why>", "why; it becomes part of the commit's message")
    .option("--plan", "print what would change, and change nothing")
    .action((transform: string, options: Options) =>
      withConnection(workspaceOf(options), async ({ api }) => {
        const release = await pickRelease(api, transform, options.release);
        if (options.plan) return printPlan(api, transform, release, options);
        const promoted = await read(
          api.environments[":env"].promote.$post({
            param: { env: options.to },
            json: { transform, release, ...(options.message ? { message: options.message } : {}) },
          }),
        );
        printOutcome(promoted as Promoted, options);
      }),
    );
}

/** A statement or request in a line. */
function within(change: string): string {
  const line = change.replaceAll(/\s+/g, " ");
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

export type Promoted = { summary: string; commit: string | null; problem?: Problem };

/** A commit that stands although its pipeline could not follow is a failed check. */
export function printOutcome(outcome: Promoted, options: Common): void {
  if (outcome.problem) process.exitCode = 1;
  if (options.json) return printJson(outcome);
  print(`${outcome.summary}${outcome.commit ? `  commit ${outcome.commit.slice(0, 7)}` : ""}`);
  if (outcome.problem) process.stderr.write(`${problemText(outcome.problem)}\n`);
}

async function printPlan(
  api: Client["api"],
  transform: string,
  hash: string,
  options: Options,
): Promise<void> {
  const detail = await read(
    api.releases[":transform"][":hash"].$get({ param: { transform, hash } }),
  );
  const plan = detail.plans.find(({ environment }) => environment === options.to);
  if (!plan) {
    const known = detail.plans.map(({ environment }) => environment).join(", ");
    throw new ProblemError({
      code: "environment-unknown",
      message: `There is no environment ${options.to} in this workspace's last commit.`,
      hint: `There are: ${known}.`,
    });
  }
  if (plan.blocked) process.exitCode = 1;
  if (options.json) return printJson(plan);
  const { before } = plan;
  const instead =
    before && before !== detail.release.hash ? ` in place of ${before.slice(0, 6)}` : "";
  print(
    `${transform} ${detail.release.hash.slice(0, 6)} to ${plan.environment}${instead}: ${plan.change}`,
  );
  const glyphs = { same: "  ", removed: "- ", added: "+ " };
  for (const { kind, text } of plan.yamlDiff) {
    print(
      paint(
        kind === "added" ? "green" : kind === "removed" ? "red" : "dim",
        `  ${glyphs[kind]}${text}`,
      ),
    );
  }
  if (plan.diff) {
    const { equal, changed, added, removed } = plan.diff.rows;
    print(
      `  = ${count(equal)} equal  ~ ${count(changed)} changed  + ${count(added)} added  − ${count(removed)} removed`,
    );
  }
  for (const { message, breaks } of plan.contract.changes) {
    print(`  ${breaks ? paint("red", "breaks:") : "contract:"} ${message}`);
  }
  for (const { sink, changes, readers } of plan.sinks) {
    for (const change of changes) print(`  ${sink}: ${within(change)}`);
    for (const sentence of readers) print(`  ${paint("yellow", `${sink}:`)} ${sentence}`);
  }
  print(`  approvals: ${plan.approvals.given} of ${plan.approvals.needed}`);
  if (plan.blocked)
    print(`  ${paint("yellow", "not yet:")} ${plan.blocked.message}\n  ${plan.blocked.hint ?? ""}`);
}
