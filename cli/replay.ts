import { InvalidArgumentError, type Command } from "commander";
import { isStage, type Stage } from "#promote/sync/dead-letters/dead-letters.ts";
import { read, withConnection, type Connection } from "./connect.ts";
import { groupId } from "./dead-letters.ts";
import { cancelled, unlessCancelled } from "./follow.ts";
import { counted } from "./paint.ts";
import { noLettersOf } from "./no-letters.ts";
import { openProgress } from "./progress.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";
import { pipelineOf } from "./verify.ts";
import { askedFor, waitsFor } from "./waits-for.ts";

type Place = { topic: string; partition: number; offset: number };
type Options = Common & { group?: string[]; stage?: Stage[]; at?: Place[] };

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
    .option("--group <id>", "those of a group that `penstock dead-letters` lists", moreGroups)
    .option(
      "--stage <stage>",
      "those of a stage: decode, validate, transform or sink:NAME",
      moreStages,
    )
    .option("--at <topic/partition/offset>", "those of one record", morePlaces)
    .addHelpText("after", "\n--group, --stage and --at may be said several times, and together.")
    .action((pipeline: string, options: Options) =>
      withConnection(workspaceOf(options), (connection) => replay(connection, pipeline, options)),
    );
}

async function replay(connection: Connection, pipeline: string, options: Options): Promise<void> {
  const param = pipelineOf(pipeline);
  const routes = connection.api.pipelines[":env"][":name"]["dead-letters"];
  const { total } = await read(routes.$get({ param, query: { limit: "1" } }));
  if (total === 0) {
    const none = await noLettersOf(connection, param);
    return options.json ? printJson({ asked: 0, gone: 0, moved: 0, waitsFor: null }) : print(none);
  }
  const signal = cancelled();
  const progress = openProgress({ isSilent: options.json ?? false });
  progress.show(`Looking at the topic of ${pipeline}`);
  const json = { letters: chosenBy(options) };
  const request = routes.replay.$post({ param, json }, { init: { signal } });
  const replayed = await unlessCancelled(signal, read(request)).finally(() => progress.end());
  const { asked, gone, moved } = replayed;
  if (gone + moved > 0) process.exitCode = 1;
  const waiting = await waitsFor(connection, param);
  if (options.json) return printJson({ ...replayed, waitsFor: waiting });
  const what = `${counted(asked, "dead letter")} of ${pipeline}`;
  print(askedFor(what, "handled again, in the order of their topic", waiting));
  if (gone > 0) print(`Left as they are: ${counted(gone, "record")} the topic no longer holds.`);
  if (moved > 0)
    print(
      `Left as they are: ${counted(moved, "record")} from before the topic was given more partitions. A replay could override newer ones in other partitions; send them to the topic again from where they came.`,
    );
}

function chosenBy({ group = [], stage = [], at = [] }: Options) {
  if (group.length + stage.length + at.length === 0) return "all" as const;
  return { groups: group, stages: stage, records: at };
}

function moreGroups(text: string, before: string[] = []): string[] {
  return [...before, groupId(text)];
}

function moreStages(text: string, before: Stage[] = []): Stage[] {
  if (isStage(text)) return [...before, text];
  throw new InvalidArgumentError("Say decode, validate, transform or sink:NAME.");
}

function morePlaces(text: string, before: Place[] = []): Place[] {
  return [...before, placeOf(text)];
}

function placeOf(text: string): Place {
  const [, topic, partition, offset] = /^([\w.-]+)\/(\d{1,7})\/(\d{1,15})$/.exec(text) ?? [];
  if (topic !== undefined) return { topic, partition: Number(partition), offset: Number(offset) };
  throw new InvalidArgumentError("Give TOPIC/PARTITION/OFFSET, for example flights/2/1234.");
}
