import type { Command } from "commander";
import type { ReleaseFacts } from "#web/api/release-detail.ts";
import { columns } from "./columns.ts";
import { withConnection } from "./connect.ts";
import { cancelled, follow } from "./follow.ts";
import { bytes, paint } from "./paint.ts";
import { pickTransform } from "./pick-transform.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

type Options = Common & { message: string };

/** `penstock release TRANSFORM_OR_NOTEBOOK [--message WHY]`; exit code 1 where its evidence fails. */
export function releaseVerb(program: Command): void {
  verb(
    program,
    "release <transform>",
    "Build a release: one bundle, its contracts, and the evidence for it.",
    ["release delays --message 'Late starts at 15 minutes'"],
  )
    .option("-m, --message <why>", "why; it becomes the commit's message", "")
    .action((transform: string, options: Options) =>
      withConnection(workspaceOf(options), async ({ api }) => {
        const progress = openProgress({ isSilent: options.json ?? false });
        const chosen = await pickTransform(api, transform);
        const release = await follow<ReleaseFacts>(
          api.releases.$post(
            { json: { ...chosen, message: options.message } },
            { init: { signal: cancelled() } },
          ),
          progress.step,
        ).finally(() => progress.end());
        const { facts } = release.evidence;
        const failed = facts.some(({ status }) => status === "fail");
        if (failed) process.exitCode = 1;
        if (options.json) return printJson(release);
        print(
          `${paint("bold", `${release.transform} ${release.hash.slice(0, 12)}`)}  ${bytes(release.bundleBytes)}  ${release.folder}`,
        );
        const glyphs = { pass: " ", finding: "?", fail: "✗" };
        const rows = facts.map(({ status, title, summary }) => [glyphs[status], title, summary]);
        for (const line of columns(["", "", ""], rows, "  ")) print(line);
        print(nextStep(release, failed));
      }),
    );
}

function nextStep({ transform, hash, findings }: ReleaseFacts, failed: boolean): string {
  if (failed)
    return "Its evidence fails, so no environment will take it. Put the notebook right and release again.";
  const judge =
    findings.length > 0
      ? `\nFor production, judge the findings: penstock approve ${transform} ${hash.slice(0, 6)} --finding ${findings.join(" --finding ")} --reason WHY`
      : "";
  return `Promote it: penstock promote ${transform} --to staging${judge}`;
}
