import type { Command } from "commander";
import { read, withConnection } from "./connect.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";
import { pipelineOf } from "./verify.ts";

type Options = Common & { subject: string };

/** `penstock register ENVIRONMENT:PIPELINE --subject SUBJECT`; exit code 2 where the registry refuses. */
export function registerVerb(program: Command): void {
  verb(
    program,
    "register <pipeline>",
    "Register a pipeline's output contract as a subject of its schema registry.",
    ["register production:delays --subject delays-contract"],
  )
    .requiredOption(
      "--subject <subject>",
      "as whose newest schema (Avro; a derived topic's own values are JSON)",
    )
    .action((pipeline: string, options: Options) =>
      withConnection(workspaceOf(options), async ({ api }) => {
        const { subject } = options;
        const routes = api.pipelines[":env"][":name"];
        const done = await read(
          routes.register.$post({ param: pipelineOf(pipeline), json: { subject } }),
        );
        if (options.json) return printJson(done);
        print(
          done.kind === "there"
            ? `${subject} has this contract already, as schema ${done.id}.`
            : `${subject} now has this contract, as schema ${done.id}.`,
        );
      }),
    );
}
