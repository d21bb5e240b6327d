import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { connect, read, type Connection } from "./connect.ts";
import { cancelled } from "./follow.ts";
import { pipelineLine, pipelineLines } from "./pipeline-lines.ts";
import { paint } from "./paint.ts";
import { print, printJson, verb, workspaceOf, type Common } from "./verb.ts";

type Options = Common & { untilIdle?: boolean };
type Running = Awaited<ReturnType<typeof statusOf>>;

const terminalMs = 500;
const pipeMs = 2_000;
/** Caught up for this many looks in a row: a source that has just appended is not taken for idle. */
const idleLooks = 3;

/** `penstock sync [--until-idle]`; exit code 1 where a pipeline is halted or was refused. */
export function syncVerb(program: Command): void {
  verb(program, "sync", "Run the environments' pipelines in the foreground and print their counts.", [
    "sync",
    "sync --until-idle --json",
  ])
    .option("--until-idle", "end when every pipeline has caught up")
    .action(async (options: Options) => {
      const stop = cancelled();
      const connection = await connect(workspaceOf(options), { withSync: true });
      try {
        if (connection.server && !options.json) {
          const { pid } = connection.server;
          process.stderr.write(`The server (pid ${pid}) runs these pipelines; this only watches.\n`);
        }
        await watch(connection, options, stop);
      } finally {
        await connection.close();
      }
    });
}

async function watch(connection: Connection, options: Options, stop: AbortSignal): Promise<void> {
  const isLive = process.stdout.isTTY && !options.json;
  let drawn = 0;
  let idle = 0;
  for (;;) {
    const running = await statusOf(connection);
    if (options.json && !options.untilIdle) process.stdout.write(`${JSON.stringify(running)}\n`);
    else if (isLive) drawn = redraw(pipelineLines(running.pipelines), drawn);
    else if (!options.json) for (const pipeline of running.pipelines) print(pipelineLine(pipeline));
    idle = isSettled(running) ? idle + 1 : 0;
    const isDone = options.untilIdle === true && idle >= idleLooks;
    if (isDone || stop.aborted) {
      finish(running, options);
      return;
    }
    const waitMs = options.untilIdle ? terminalMs : isLive ? terminalMs : pipeMs;
    await pause(waitMs, undefined, { signal: stop }).catch(() => {});
  }
}

async function statusOf({ api }: Connection) {
  return read(api.pipelines.$get());
}

/** Caught up, or in a state that waiting does not change. */
function isSettled({ pipelines }: Running): boolean {
  return pipelines.every(
    ({ state, lag }) =>
      ["halted", "stopped", "paused"].includes(state) || (lag === 0 && state === "idle"),
  );
}

function finish({ pipelines, refused }: Running, options: Options): void {
  const isSound = refused.length === 0 && pipelines.every(({ state }) => state !== "halted");
  if (!isSound) process.exitCode = 1;
  if (options.json && options.untilIdle) printJson({ pipelines, refused });
  if (options.json) return;
  if (pipelines.length === 0 && refused.length === 0) {
    print("No environment asks for a pipeline yet. Promote a release: penstock promote TRANSFORM --to staging");
  }
  for (const { environment, name, problem } of refused) {
    process.stderr.write(`${paint("yellow", "refused:", process.stderr)} ${name} in ${environment}: ${problem.message}\n`);
  }
  for (const { environment, name, problem } of pipelines) {
    if (problem) process.stderr.write(`${environment}/${name}: ${problem.message}\n`);
  }
}

/** Draws over what was drawn before. */
function redraw(lines: string[], drawn: number): number {
  const up = drawn > 0 ? `\x1b[${drawn}A` : "";
  process.stdout.write(`${up}${lines.map((line) => `\x1b[2K${line}\n`).join("")}`);
  return lines.length;
}
