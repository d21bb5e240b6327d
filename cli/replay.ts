import type { Command } from "commander";
import { read, withConnection } from "./connect.ts";
import { counted } from "./paint.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";
import { pipelineOf } from "./verify.ts";

/** `penstock replay ENVIRONMENT:PIPELINE`; exit code 1 where records are gone from the topic. */
export function replayVerb(program: Command): void {
  verb(
    program,
    "replay <pipeline>",
    "Send a pipeline's dead letters through the release that runs now.",
    ["replay production:delays"],
  ).action((pipeline: string, options: Common) =>
    withConnection(workspaceOf(options), async ({ api }) => {
      const param = pipelineOf(pipeline);
      const routes = api.pipelines[":env"][":name"]["dead-letters"];
      const { asked, gone } = await read(routes.replay.$post({ param, json: { letters: "all" } }));
      if (gone > 0) process.exitCode = 1;
      if (options.json) return printJson({ asked, gone });
      print(
        `${counted(asked, "dead letter")} of ${pipeline} will be handled again, in the order of their topic.`,
      );
      if (gone > 0) print(`${counted(gone, "record")} the topic no longer holds stay as they are.`);
    }),
  );
}
