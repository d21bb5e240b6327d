import type { Command } from "commander";
import { visible } from "#promote/report/value.ts";
import { columns } from "./columns.ts";
import { read, withConnection, type Connection } from "./connect.ts";
import { inOrder } from "./in-order.ts";
import { bytes, count, paint } from "./paint.ts";
import { pipelineLines } from "./pipeline-lines.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

/** `penstock status` */
export function statusVerb(program: Command): void {
  verb(
    program,
    "status",
    "Print what is frozen, what is released, what should run where, and what runs.",
    ["status", "status --json"],
  ).action((options: Common) =>
    withConnection(workspaceOf(options), async (connection) => {
      const found = await everything(connection);
      if (options.json) printJson(found);
      else for (const line of statusLines(found)) print(line);
    }),
  );
}

type Everything = Awaited<ReturnType<typeof everything>>;

async function everything({ api, server }: Connection) {
  const [info, { snapshots }, { notebooks }, { releases }, { environments }, running] =
    await Promise.all([
      read(api.workspace.$get()),
      read(api.snapshots.$get()),
      read(api.notebooks.$get()),
      read(api.releases.$get()),
      read(api.environments.$get()),
      read(api.pipelines.$get()),
    ]);
  return {
    workspace: { name: info.name, root: info.root },
    server: server ?? null,
    snapshots,
    notebooks,
    releases,
    environments,
    pipelines: inOrder(environments, running.pipelines),
    refused: running.refused,
    problems: [...info.problems, ...(running.feedProblem ? [running.feedProblem] : [])],
  };
}

function statusLines(found: Everything): string[] {
  const { workspace, server, refused, problems } = found;
  return [
    `${paint("bold", workspace.name)}  ${workspace.root}`,
    server
      ? `served at ${server.url} (pid ${server.pid})`
      : "not served; open it with: penstock open",
    ...section("Snapshots", snapshotLines(found)),
    ...section("Notebooks", notebookLines(found)),
    ...section("Releases", releaseLines(found)),
    ...section("Environments", environmentLines(found)),
    ...(server ? section("Pipelines", pipelineLines(found.pipelines, "  ")) : []),
    ...refused.map(
      ({ environment, name, problem }) =>
        `${paint("yellow", "refused:")} ${name} in ${environment}: ${visible(problem.message)}`,
    ),
    ...problems.map(({ message }) => `${paint("yellow", "problem:")} ${visible(message)}`),
  ];
}

function snapshotLines({ snapshots }: Everything): string[] {
  const rows = snapshots.map(({ name, rows, sizeBytes, hash, frozenAt }) => [
    name,
    count(rows),
    bytes(sizeBytes),
    hash.slice(0, 12),
    minute(frozenAt),
  ]);
  return columns(["name", ">rows", ">size", "hash", "frozen"], rows, "  ");
}

function notebookLines({ notebooks }: Everything): string[] {
  const rows = notebooks.map(({ name, transforms, isDirty }) => [
    name,
    transforms.join(", "),
    isDirty ? "unsaved edits" : "",
  ]);
  return columns(["name", "transforms", ""], rows, "  ");
}

function releaseLines({ releases }: Everything): string[] {
  const rows = releases.map(
    ({ transform, hash, builtAt, findings, approvedBy, runsIn, problem }) => [
      transform,
      hash.slice(0, 12),
      minute(builtAt),
      problem ? "broken" : count(findings),
      approvedBy.join(", "),
      runsIn.join(", "),
    ],
  );
  const titles = ["transform", "hash", "built", ">findings", "approved by", "runs in"];
  const broken = releases.flatMap(({ problem }) =>
    problem ? [`  ${visible(problem.message)}`] : [],
  );
  return [...columns(titles, rows, "  "), ...broken];
}

function environmentLines({ environments }: Everything): string[] {
  const rows = environments.map(({ name, approvals, pipelines }) => [
    name,
    count(approvals),
    Object.entries(pipelines)
      .map(([pipeline, { release }]) => `${pipeline} ${release.slice(0, 6)}`)
      .join(", ") || "nothing",
  ]);
  return columns(["name", ">approvals", "should run"], rows, "  ");
}

/** A head without rows says nothing. */
function section(title: string, lines: string[]): string[] {
  return lines.length < 2 ? [] : ["", paint("bold", title), ...lines];
}

/** To the minute, in UTC as everything here. */
function minute(iso: string): string {
  return iso.slice(0, 16).replace("T", " ");
}
