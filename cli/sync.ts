import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import type { Command } from "commander";
import { visible } from "#promote/report/value.ts";
import { ProblemError } from "#snapshots/problem.ts";
import { topicText } from "#snapshots/topic-choice.ts";
import { connect, connectWorker, read, type Connection } from "./connect.ts";
import { cancelled } from "./follow.ts";
import { inOrder } from "./in-order.ts";
import { openOnlooker, withOnlooker, type OnlookerOptions } from "./onlooker.ts";
import { pipelineLine, pipelineLines, troubleLines } from "./pipeline-lines.ts";
import { print, printJson, verb, workspaceOf } from "./verb.ts";

type Options = OnlookerOptions & { environment?: string; untilIdle?: boolean };
/** A log says on standard error what is wrong: nothing else may stand between its lines. */
type Watching = Options & { isLogging: boolean };
type Running = Awaited<ReturnType<typeof statusOf>>;

/** A topic that has not been heard of for so long is worth a word. */
const patienceMs = 5_000;
const terminalMs = 500;
const pipeMs = 2_000;

/**
 * `penstock sync [--environment NAME] [--until-idle] [--metrics-port N] [--log json]`; exit code 1 where a pipeline is halted or was refused, or
 * with `--until-idle` was interrupted before it was idle.
 */
export function syncVerb(program: Command): void {
  withOnlooker(
    verb(
      program,
      "sync",
      "Run the environments' pipelines in the foreground and print their counts.",
      [
        "sync",
        "sync --until-idle --json",
        "sync --environment production --metrics-port 9464 --log json",
      ],
    ),
  )
    .option(
      "-e, --environment <name>",
      "be a worker: run this environment's pipelines in this process, beside the server and other workers on this host",
    )
    .option(
      "--until-idle",
      "end when every pipeline has caught up with what its topic held at the start; waits for servers that are away",
    )
    .action(async (options: Options) => {
      const stop = cancelled();
      const workspace = workspaceOf(options);
      const onlooker = await openOnlooker(options);
      try {
        const connection =
          options.environment === undefined
            ? await connect(workspace, { withSync: true, watch: onlooker })
            : await connectWorker(workspace, options.environment, onlooker);
        try {
          if (connection.server) onlyWatches(connection.server, options);
          await watch(connection, { ...options, isLogging: onlooker.isLogging }, stop);
        } finally {
          await connection.close();
        }
      } finally {
        await onlooker.close();
      }
    });
}

function onlyWatches({ pid, url }: NonNullable<Connection["server"]>, options: Options): void {
  if (options.metricsPort !== undefined) {
    throw new ProblemError({
      code: "server-serves-metrics",
      message: `The server (pid ${pid}) runs these pipelines; there are none here to tell metrics of.`,
      hint: `Scrape ${new URL("/metrics", url).href}, or leave --metrics-port out.`,
    });
  }
  if (!options.json)
    process.stderr.write(`The server (pid ${pid}) runs these pipelines; this only watches.\n`);
}

async function watch(connection: Connection, options: Watching, stop: AbortSignal): Promise<void> {
  const isLive = process.stdout.isTTY && !options.json;
  let drawn = 0;
  let told: string[] = [];
  const targets = new Map<string, number>();
  const startedAt = performance.now();
  const { environments } = await read(connection.api.environments.$get());
  for (;;) {
    const all = await statusOf(connection, options.environment);
    const running = { ...all, pipelines: inOrder(environments, all.pipelines) };
    const missing = missingLines(running, performance.now() - startedAt);
    if (options.json && !options.untilIdle) process.stdout.write(`${JSON.stringify(running)}\n`);
    else if (isLive) drawn = redraw([...pipelineLines(running.pipelines), ...missing], drawn);
    else if (!options.json) for (const pipeline of running.pipelines) print(pipelineLine(pipeline));
    if (!isLive && !options.isLogging) {
      const troubles = [...troubleLines(running.pipelines), ...missing];
      for (const line of troubles) if (!told.includes(line)) process.stderr.write(`${line}\n`);
      told = troubles;
    }
    const isDone = options.untilIdle && hasCaughtUp(running, targets);
    if (isDone || stop.aborted) {
      finish(running, options);
      if (options.untilIdle && !isDone) process.exitCode = 1;
      return;
    }
    const waitMs = options.untilIdle ? terminalMs : isLive ? terminalMs : pipeMs;
    await pause(waitMs, undefined, { signal: stop }).catch(() => {});
  }
}

/** All pipelines, or one environment's. */
async function statusOf({ api }: Connection, environment?: string) {
  const { pipelines, refused, feedProblem } = await read(api.pipelines.$get());
  const isMeant = (each: { environment: string }): boolean =>
    environment === undefined || each.environment === environment;
  return { pipelines: pipelines.filter(isMeant), refused: refused.filter(isMeant), feedProblem };
}

/**
 * Every pipeline has done what its topic held when it was first seen running, or is in a state that waiting does not change.
 * A topic that keeps growing is never done; its past is.
 */
function hasCaughtUp({ pipelines }: Running, targets: Map<string, number>): boolean {
  return pipelines.every(({ environment, name, state, offset, end, lag, isMeasured }) => {
    if (["halted", "stopped", "paused"].includes(state)) return true;
    if (state === "starting" || state === "backing-off" || !isMeasured) return false;
    const key = JSON.stringify([environment, name]);
    const target = targets.get(key) ?? end;
    targets.set(key, target);
    return lag === 0 || offset >= target;
  });
}

/** What does not run, or is not heard of, a line each. */
function missingLines({ pipelines, refused, feedProblem }: Running, sinceMs: number): string[] {
  const unheard = pipelines.filter(
    ({ state, problem, isMeasured }) =>
      sinceMs > patienceMs && !isMeasured && problem === undefined && state !== "paused",
  );
  return [
    ...refused.map(
      ({ environment, name, problem }) =>
        `refused: ${name} in ${environment}: ${visible(problem.message)}`,
    ),
    ...unheard.map(
      ({ environment, name, topic }) =>
        `${environment}:${name}: nothing is known of ${topicText(topic)} yet.`,
    ),
    ...(feedProblem ? [visible(feedProblem.message)] : []),
  ];
}

function finish({ pipelines, refused }: Running, options: Watching): void {
  const isSound = refused.length === 0 && pipelines.every(({ state }) => state !== "halted");
  if (!isSound) process.exitCode = 1;
  if (options.json && options.untilIdle) printJson({ pipelines, refused });
  if (options.json) return;
  if (pipelines.length === 0 && refused.length === 0) {
    print(
      "No environment asks for a pipeline yet. Promote a release: penstock promote TRANSFORM --to staging",
    );
  }
}

/** Draws over the rows that were drawn before, and says how many there are now: a line longer than the terminal is wide takes several. */
export function redraw(
  lines: readonly string[],
  drawn: number,
  terminal: { columns: number; write: (text: string) => unknown } = process.stdout,
): number {
  const up = drawn > 0 ? `\x1b[${drawn}A\x1b[J` : "";
  terminal.write(`${up}${lines.map((line) => `${line}\n`).join("")}`);
  const width = terminal.columns || 80;
  return lines.reduce(
    (rows, line) => rows + Math.max(1, Math.ceil(stripVTControlCharacters(line).length / width)),
    0,
  );
}
