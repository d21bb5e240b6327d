import type { Command } from "commander";
import { read, withConnection } from "./connect.ts";
import { pickRelease } from "./pick-release.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

type Options = Common & { reason: string; finding?: string[] };

/** `penstock approve TRANSFORM [HASH] --reason WHY [--finding ID …]` */
export function approveVerb(program: Command): void {
  verb(
    program,
    "approve <transform> [hash]",
    "Sign an approval of a release (default: the newest) and commit it.",
    [
      "approve delays 8c41d0 --reason 'Matches the regulator from January on'",
      "approve delays --finding outcome-production --reason 'The late share moves on purpose'",
    ],
  )
    .requiredOption("--reason <why>", "why; it is kept with the approval")
    .option("--finding <id>", "a finding you have judged (repeat it for each)", collect)
    .action((transform: string, hash: string | undefined, options: Options) =>
      withConnection(workspaceOf(options), async ({ api }) => {
        const release = await pickRelease(api, transform, hash);
        const { reason, finding: findings = [] } = options;
        const { approval } = await read(
          api.releases[":transform"][":hash"].approvals.$post({
            param: { transform, hash: release },
            json: { findings, reason },
          }),
        );
        if (options.json) return printJson(approval);
        print(`${approval.by} approved ${transform} ${approval.release.slice(0, 12)}.`);
      }),
    );
}

function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}
