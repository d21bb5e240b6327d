import type { Command } from "commander";
import { read, withConnection } from "./connect.ts";
import { cancelled, unlessCancelled } from "./follow.ts";
import { counted } from "./paint.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";
import { pipelineOf } from "./verify.ts";
import { askedFor, waitsFor } from "./waits-for.ts";

/** `penstock backfill ENVIRONMENT:PIPELINE` */
export function backfillVerb(program: Command): void {
  verb(
    program,
    "backfill <pipeline>",
    "Write every record of the topic again by the release that runs now, below live traffic.",
    ["backfill production:delays"],
  ).action((pipeline: string, options: Common) =>
    withConnection(workspaceOf(options), async (connection) => {
      const param = pipelineOf(pipeline);
      const routes = connection.api.pipelines[":env"][":name"];
      const signal = cancelled();
      const progress = openProgress({ isSilent: options.json ?? false });
      progress.show(`Looking at the topic of ${pipeline}`);
      const request = routes.backfill.$post({ param, json: {} }, { init: { signal } });
      const found = await unlessCancelled(signal, read(request)).finally(() => progress.end());
      const waiting = await waitsFor(connection, param);
      if (options.json) return printJson({ ...found, waitsFor: waiting });
      const what = `${counted(found.records, "record")} of ${counted(found.partitions, "partition")}`;
      print(askedFor(what, "written again, in a new epoch", waiting));
    }),
  );
}
