import { InvalidArgumentError, type Command } from "commander";
import { ProblemError } from "#snapshots/problem.ts";
import { columns } from "./columns.ts";
import { read, withConnection } from "./connect.ts";
import { count } from "./paint.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";
import { pipelineOf } from "./verify.ts";

type Options = Common & { read?: number; drop?: number };

/** `penstock generations ENVIRONMENT:PIPELINE [--read N | --drop N]` */
export function generationsVerb(program: Command): void {
  verb(
    program,
    "generations <pipeline>",
    "List the indices a pipeline has made in Elasticsearch; turn readers to one, or drop one.",
    ["generations production:delays", "generations production:delays --drop 1"],
  )
    .option("--read <number>", "turn all readers to this one, at once", generationNumber)
    .option(
      "--drop <number>",
      "delete this one, which is neither read nor written",
      generationNumber,
    )
    .action((pipeline: string, options: Options) =>
      withConnection(workspaceOf(options), async ({ api }) => {
        const param = pipelineOf(pipeline);
        const route = api.pipelines[":env"][":name"].generations;
        const asked = actOf(options);
        const { generations } = await read(
          asked === undefined ? route.$get({ param }) : route.$post({ param, json: asked }),
        );
        if (options.json) return printJson({ generations });
        const rows = generations.map(({ generation, index, rows, isRead, isWritten }) => [
          String(generation),
          index,
          count(rows),
          isRead ? "read" : "",
          isWritten ? "written" : "",
        ]);
        for (const line of columns([">number", "index", ">rows", "", ""], rows)) print(line);
      }),
    );
}

function actOf({ read, drop }: Options): { act: "read" | "drop"; generation: number } | undefined {
  if (read !== undefined && drop !== undefined)
    throw new ProblemError({
      code: "usage",
      message: "--read and --drop are two acts.",
      hint: "Turn readers first, then drop what they read before.",
    });
  if (read !== undefined) return { act: "read", generation: read };
  return drop === undefined ? undefined : { act: "drop", generation: drop };
}

function generationNumber(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give the number of a generation, as listed.");
}
