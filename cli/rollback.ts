import type { Command } from "commander";
import { read, withConnection } from "./connect.ts";
import { printOutcome, type Promoted } from "./promote.ts";
import { verb, workspaceOf, type Common } from "./verb.ts";

type Options = Common & { in: string; to?: string; message?: string };

/** `penstock rollback TRANSFORM --in ENVIRONMENT [--to HASH]` */
export function rollbackVerb(program: Command): void {
  verb(
    program,
    "rollback <transform>",
    "Go back to the release that ran before, or to a named one.",
    [
      "rollback delays --in staging",
      "rollback delays --in production --to 3f9a1c --message 'Late share doubled'",
    ],
  )
    .requiredOption("--in <environment>", "where")
    .option("--to <hash>", "which release (default: the one that ran before)")
    .option("-m, --message <why>", "why; it becomes part of the commit's message")
    .action((transform: string, options: Options) =>
      withConnection(workspaceOf(options), async ({ api }) => {
        const { to, message } = options;
        const outcome = await read(
          api.environments[":env"].rollback.$post({
            param: { env: options.in },
            json: {
              transform,
              ...(to === undefined ? {} : { to }),
              ...(message ? { message } : {}),
            },
          }),
        );
        printOutcome(outcome as Promoted, options);
      }),
    );
}
