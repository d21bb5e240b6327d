import { hostname } from "node:os";
import { destination, pino, type DestinationStream } from "pino";
import { z } from "zod";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { PipelineEvent } from "../events.ts";
import { openLogLines } from "./log-lines.ts";
import { messageWithoutValues } from "./log-reason.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines of what pipelines do, in the Elastic Common Schema. */
export type Log = {
  /** Give it to `openSync`. */
  observe(spec: PipelineSpec, event: PipelineEvent): void;
  /** Something that is no pipeline's event. `action` names its kind, as in `event.action`. */
  say(action: string, message: string, labels?: Record<string, string | number>): void;
  problem(action: string, problem: Problem, labels?: Record<string, string | number>): void;
  /** Writes what is still in memory. */
  close(): void;
};

export type LogOptions = {
  level: LogLevel;
  /** In place of standard error, for tests. */
  to?: DestinationStream;
  now?: () => Date;
};

/** Lines wait in memory for a slow reader up to this size; beyond it they are dropped rather than the stream held up. */
const LARGEST_BUFFER = 8 << 20;

export function openLog(options: LogOptions): Log {
  const now = options.now ?? (() => new Date());
  const stderr =
    options.to === undefined
      ? destination({ dest: 2, sync: false, minLength: 0, maxLength: LARGEST_BUFFER })
      : undefined;
  // Whoever read it has gone; the pipelines go on.
  stderr?.on("error", () => undefined);
  const flush = (): void => {
    try {
      stderr?.flushSync();
    } catch {
      // Nobody reads, or the file was never opened.
    }
  };
  process.on("exit", flush);
  const logger = pino(
    {
      level: options.level,
      messageKey: "message",
      base: {
        "ecs.version": "8.11.0",
        "service.name": "penstock",
        "event.dataset": "penstock.sync",
        "process.pid": process.pid,
        "host.hostname": hostname(),
      },
      timestamp: () => `,"@timestamp":"${now().toISOString()}"`,
      formatters: { level: (label) => ({ "log.level": label }) },
    },
    options.to ?? stderr,
  );
  const linesOf = openLogLines({
    nowMs: () => now().getTime(),
    tellsCommits: logger.isLevelEnabled("debug"),
  });
  return {
    observe(spec, event) {
      for (const { level, message, fields, labels } of linesOf(spec, event))
        logger[level]({ ...fields, labels }, message);
    },
    say(action, message, labels = {}) {
      logger.info({ "event.action": action, labels }, message);
    },
    problem(action, problem, labels = {}) {
      const message = messageWithoutValues(problem);
      const fields = { "error.code": problem.code, "error.message": message };
      logger.error({ "event.action": action, ...fields, labels }, message);
    },
    close() {
      process.off("exit", flush);
      flush();
    },
  };
}

const environmentSchema = z.object({
  PENSTOCK_LOG: z.enum(["json"]).exactOptional(),
  PENSTOCK_LOG_LEVEL: z.enum(LOG_LEVELS).exactOptional(),
});

/** Whether the environment's variables ask for a log, and of which level. */
export function logAskedFor(
  variables: Record<string, string | undefined>,
): Result<LogLevel | undefined> {
  const { PENSTOCK_LOG, PENSTOCK_LOG_LEVEL } = variables;
  const parsed = environmentSchema.safeParse({
    ...(PENSTOCK_LOG ? { PENSTOCK_LOG } : {}),
    ...(PENSTOCK_LOG_LEVEL ? { PENSTOCK_LOG_LEVEL } : {}),
  });
  if (parsed.success) {
    const { PENSTOCK_LOG: format, PENSTOCK_LOG_LEVEL: level = "info" } = parsed.data;
    return ok(format === undefined ? undefined : level);
  }
  const wrong = parsed.error.issues.map(({ path }) => path.join("."));
  return fail({
    code: "log-setting",
    message: `${wrong.join(" and ")} cannot be ${wrong.map((name) => JSON.stringify(variables[name])).join(" and ")}.`,
    hint: `Set PENSTOCK_LOG to json or leave it out, and PENSTOCK_LOG_LEVEL to one of ${LOG_LEVELS.join(", ")}.`,
  });
}
