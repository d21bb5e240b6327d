import type { Command } from "commander";
import { read, withConnection } from "./connect.ts";
import { counted } from "./paint.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";
import { pipelineOf } from "./verify.ts";

/** `penstock backfill ENVIRONMENT:PIPELINE` */
export function backfillVerb(program: Command): void {
  verb(
    program,
    "backfill <pipeline>",
    "Write every record of the topic again by the release that runs now, below live traffic.",
    ["backfill production:delays"],
  ).action((pipeline: string, options: Common) =>
    withConnection(workspaceOf(options), async ({ api }) => {
      const routes = api.pipelines[":env"][":name"];
      const asked = await read(routes.backfill.$post({ param: pipelineOf(pipeline), json: {} }));
      if (options.json) return printJson(asked);
      const { records, partitions } = asked;
      print(
        `${counted(records, "record")} of ${counted(partitions, "partition")} will be written again, in a new epoch.`,
      );
    }),
  );
}
