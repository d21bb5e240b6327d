import { Option, type Command } from "commander";
import { unwrap } from "#snapshots/problem.ts";
import type { Onlooker } from "./connect.ts";
import { portNumber, print, type Common } from "./verb.ts";

export type OnlookerOptions = Common & { metricsPort?: number; log?: "json"; logLevel?: Level };
type Level = "debug" | "info" | "warn" | "error";

export function withOnlooker(command: Command): Command {
  return command
    .option(
      "--metrics-port <number>",
      "serve /metrics, /healthz and /readyz on this port of 127.0.0.1 (0: any free one)",
      portNumber,
    )
    .addOption(new Option("--log <format>", "log to standard error").choices(["json"]))
    .addOption(
      new Option("--log-level <level>", "how much of it (default: info)").choices([
        "debug",
        "info",
        "warn",
        "error",
      ]),
    );
}

/** Counts and, where it is asked to, serves and logs what pipelines do in this process. */
export async function openOnlooker(
  options: OnlookerOptions,
): Promise<Onlooker & { isLogging: boolean; close(): Promise<void> }> {
  // Only now: no other verb should wait for this to load.
  const { logAskedFor } = await import("#promote/sync/log/log.ts");
  const { openWatch } = await import("#promote/sync/metrics/watch.ts");
  const asked = unwrap(logAskedFor(process.env));
  const isLogging = options.log !== undefined || asked !== undefined;
  const watch = openWatch(isLogging ? (options.logLevel ?? asked ?? "info") : undefined);
  const served = await serve(options, watch);
  return {
    ...watch,
    isLogging,
    async close() {
      await served?.close();
      watch.close();
    },
  };
}

async function serve(options: OnlookerOptions, { metrics, log }: Onlooker) {
  if (options.metricsPort === undefined) return undefined;
  const { serveHealth } = await import("#web/server/health-server.ts");
  const served = unwrap(await serveHealth(options.metricsPort, metrics));
  const line = `Metrics at ${served.url}/metrics.`;
  if (log !== undefined) log.say("metrics-served", line);
  else if (options.json) process.stderr.write(`${line}\n`);
  else print(line);
  return served;
}
