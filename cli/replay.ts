import { InvalidArgumentError, type Command } from "commander";
import { ProblemError } from "#snapshots/problem.ts";
import { read, withConnection, type Connection } from "./connect.ts";
import { cancelled, unlessCancelled } from "./follow.ts";
import { counted } from "./paint.ts";
import { noLettersOf } from "./no-letters.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";
import { pipelineOf } from "./verify.ts";
import { askedFor, waitsFor } from "./waits-for.ts";

type Place = { topic: string; partition: number; offset: number };
type Options = Common & { group?: string[]; stage?: string[]; at?: Place[] };
type Group = { id: string; stage: string };
type Letters = "all" | { group: string } | Place[];
type Replayed = { asked: number; gone: number; moved: number; left: number };

/**
 * `penstock replay ENVIRONMENT:PIPELINE [--group ID …] [--stage STAGE …] [--at TOPIC/PARTITION/OFFSET …]`; exit code 1 where records are gone from
 * the topic, or are from before it was given more partitions.
 */
export function replayVerb(program: Command): void {
  verb(
    program,
    "replay <pipeline>",
    "Send a pipeline's dead letters through the release that runs now: all of them, or some.",
    [
      "replay production:delays",
      "replay production:delays --stage decode",
      "replay production:delays --group 3f0c9a1be27d",
      "replay production:delays --at flights/2/1234 --at flights/0/88",
    ],
  )
    .option("--group <id>", "those of a group that `penstock dead-letters` lists", more)
    .option("--stage <stage>", "those of a stage: decode, validate, transform or sink:NAME", more)
    .option("--at <topic/partition/offset>", "those of one record", morePlaces)
    .addHelpText("after", "\n--group, --stage and --at may be said several times, and together.")
    .action((pipeline: string, options: Options) =>
      withConnection(workspaceOf(options), (connection) => replay(connection, pipeline, options)),
    );
}

async function replay(connection: Connection, pipeline: string, options: Options): Promise<void> {
  const param = pipelineOf(pipeline);
  const routes = connection.api.pipelines[":env"][":name"]["dead-letters"];
  const listing = { param, query: {} };
  const { total, groups } = await read(routes.groups.$get(listing));
  const none = total === 0 ? await noLettersOf(connection, pipeline, param.env) : undefined;
  const choices = none !== undefined ? [] : choicesOf(pipeline, groups, options);
  const signal = cancelled();
  const progress = openProgress({ isSilent: options.json ?? false });
  progress.show(`Looking at the topic of ${pipeline}`);
  const sum: Replayed = { asked: 0, gone: 0, moved: 0, left: 0 };
  try {
    for (const letters of choices) {
      const request = routes.replay.$post({ param, json: { letters } }, { init: { signal } });
      const one = await unlessCancelled(signal, read(request));
      sum.asked += one.asked;
      sum.gone += one.gone;
      sum.moved += one.moved;
      sum.left += one.left;
    }
  } finally {
    progress.end();
  }
  if (sum.gone + sum.moved > 0) process.exitCode = 1;
  const waiting = sum.asked === 0 ? null : await waitsFor(connection, param);
  if (options.json) return printJson({ ...sum, waitsFor: waiting });
  if (none !== undefined) return print(none);
  const what = `${counted(sum.asked, "dead letter")} of ${pipeline}`;
  print(askedFor(what, "handled again, in the order of their topic", waiting));
  if (sum.gone > 0)
    print(`${counted(sum.gone, "record")} the topic no longer holds stay as they are.`);
  if (sum.moved > 0)
    print(
      `${counted(sum.moved, "record")} from before the topic was given more partitions stay as they are: a replay could override newer ones in other partitions. Send them to the topic again from where they came.`,
    );
  if (sum.left > 0)
    print(`${counted(sum.left, "more letter")}: say it again once these have passed.`);
}

/** What to ask for, request by request. */
function choicesOf(pipeline: string, groups: readonly Group[], options: Options): Letters[] {
  const { group = [], stage = [], at = [] } = options;
  if (group.length + stage.length + at.length === 0) return ["all"];
  const unknownGroup = group.find((id) => groups.every((one) => one.id !== id));
  if (unknownGroup !== undefined) throw new ProblemError(noSuch(pipeline, `group ${unknownGroup}`));
  const unknownStage = stage.find((name) => groups.every((one) => one.stage !== name));
  if (unknownStage !== undefined) throw new ProblemError(noSuch(pipeline, `stage ${unknownStage}`));
  const chosen = groups.filter((one) => group.includes(one.id) || stage.includes(one.stage));
  return [...chosen.map(({ id }) => ({ group: id })), ...(at.length > 0 ? [at] : [])];
}

function noSuch(pipeline: string, what: string) {
  return {
    code: "no-such-dead-letters",
    message: `No dead letter of ${pipeline} is of ${what}.`,
    hint: `See which there are: penstock dead-letters ${pipeline}`,
  };
}

function more(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function morePlaces(text: string, before: Place[] = []): Place[] {
  return [...before, placeOf(text)];
}

function placeOf(text: string): Place {
  const [, topic, partition, offset] = /^([\w.-]+)\/(\d{1,7})\/(\d{1,15})$/.exec(text) ?? [];
  if (topic !== undefined) return { topic, partition: Number(partition), offset: Number(offset) };
  throw new InvalidArgumentError("Give TOPIC/PARTITION/OFFSET, for example flights/2/1234.");
}
