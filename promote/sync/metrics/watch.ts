import type { Problem } from "#snapshots/problem.ts";
import type { PipelineEvent } from "../events.ts";
import { openLog, type Log, type LogLevel } from "../log/log.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import { openMetrics, type Metrics } from "./metrics.ts";
import type { Refusal } from "./scrape.ts";

type Refused = Refusal & { problem: Problem };

/** Who looks on while a process runs pipelines: metrics always, a log where one is asked for. */
export type Watch = {
  metrics: Metrics;
  log: Log | undefined;
  /** Give it to `openSync`. */
  observe(spec: PipelineSpec, event: PipelineEvent): void;
  /** What may not run, after each reconcile; told when it is news. */
  refused(refused: readonly Refused[]): void;
  /** What went wrong outside of any pipeline's work. */
  failed(reason: string): void;
  close(): void;
};

export function openWatch(level: LogLevel | undefined): Watch {
  const metrics = openMetrics();
  const log = level === undefined ? undefined : openLog({ level });
  let known = new Set<string>();
  return {
    metrics,
    log,
    observe(spec, event) {
      metrics.observe(spec, event);
      log?.observe(spec, event);
    },
    refused(refused) {
      metrics.refused(refused);
      const now = new Set(refused.map((each) => JSON.stringify(each)));
      for (const each of refused) {
        if (known.has(JSON.stringify(each))) continue;
        const { environment, name: pipeline, release, problem } = each;
        log?.problem("pipeline-refused", problem, { environment, pipeline, release });
      }
      known = now;
    },
    failed(message) {
      if (log === undefined) console.error(`penstock: ${message}`);
      else log.problem("failed", { code: "internal", message });
    },
    close: () => log?.close(),
  };
}
