import { InvalidArgumentError, type Command } from "commander";
import { visible } from "#promote/report/value.ts";
import { ProblemError } from "#snapshots/problem.ts";
import { columns } from "./columns.ts";
import { read, withConnection, type Connection } from "./connect.ts";
import { count, counted } from "./paint.ts";
import { noLettersOf } from "./no-letters.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";
import { pipelineOf } from "./verify.ts";

type Options = Common & { group?: string; limit?: number };

const mostListed = 1_000;
const fewListed = 20;

/** `penstock dead-letters ENVIRONMENT:PIPELINE [--group ID] [--limit N]` */
export function deadLettersVerb(program: Command): void {
  verb(
    program,
    "dead-letters <pipeline>",
    "List a pipeline's dead letters: by stage and reason, or those of one group.",
    [
      "dead-letters production:delays",
      "dead-letters production:delays --group 3f0c9a1be27d --json",
    ],
  )
    .option("--group <id>", "list the letters of this group, newest first", groupId)
    .option(
      "--limit <n>",
      `with --group: at most so many, up to ${mostListed} (default: ${fewListed})`,
      limitOf,
    )
    .action((pipeline: string, options: Options) => {
      const { group, limit } = options;
      if (group === undefined && limit !== undefined) throw new ProblemError(limitAlone);
      return withConnection(workspaceOf(options), (connection) =>
        group === undefined
          ? listGroups(connection, pipeline, options)
          : listLetters(connection, pipeline, { ...options, group }),
      );
    });
}

async function listGroups(
  connection: Connection,
  pipeline: string,
  options: Options,
): Promise<void> {
  const routes = connection.api.pipelines[":env"][":name"]["dead-letters"];
  const param = pipelineOf(pipeline);
  const found = await read(routes.groups.$get({ param, query: {} }));
  const none = found.total === 0 ? await noLettersOf(connection, param) : undefined;
  if (options.json) return printJson(found);
  if (none !== undefined) {
    print(none);
    if (found.dismissed > 0)
      print(`Dismissed, and listed on its page: ${counted(found.dismissed, "letter")}.`);
    return;
  }
  const rows = found.groups.map(({ id, stage, count: letters, last, reason }) => [
    id,
    stage,
    count(letters),
    last,
    inLine(reason),
  ]);
  for (const line of columns(["group", "stage", ">letters", "last", "reason"], rows)) print(line);
  const rest = found.groupsTotal - found.groups.length;
  const letters = found.groups.reduce((left, group) => left - group.count, found.total);
  if (rest > 0)
    print(`… and ${counted(rest, "smaller group")} with ${counted(letters, "letter")}.`);
}

async function listLetters(
  connection: Connection,
  pipeline: string,
  { group, limit = fewListed, json }: Options & { group: string },
): Promise<void> {
  const routes = connection.api.pipelines[":env"][":name"]["dead-letters"];
  const query = { group, limit: String(limit) };
  const param = pipelineOf(pipeline);
  const found = await read(routes.$get({ param, query }));
  if (found.total === 0) await noLettersOf(connection, param);
  if (json) return printJson(found);
  if (found.total === 0) return print(`There are no dead letters of group ${group}.`);
  const rows = found.letters.map(({ topic, partition, offset, at, reason }) => [
    `${topic}/${partition}/${offset}`,
    at,
    inLine(reason),
  ]);
  for (const line of columns(["topic/partition/offset", "failed", "reason"], rows)) print(line);
  const rest = found.total - found.letters.length;
  if (rest > 0) print(`… and ${counted(rest, "older letter")}.`);
}

const limitAlone = {
  code: "usage",
  message: "--limit is of the letters of one group, and no group is named.",
  hint: "Say --group ID --limit N, or leave --limit out to list the groups.",
};

function inLine(reason: string): string {
  const line = visible(reason);
  return line.length > 160 ? `${line.slice(0, 159)}…` : line;
}

export function groupId(text: string): string {
  if (/^[0-9a-f]{12}$/.test(text)) return text;
  throw new InvalidArgumentError("Give a group as `penstock dead-letters` lists it.");
}

function limitOf(text: string): number {
  const limit = Number(text);
  if (/^\d{1,4}$/.test(text) && limit >= 1 && limit <= mostListed) return limit;
  throw new InvalidArgumentError(`Give a number from 1 to ${mostListed}.`);
}
