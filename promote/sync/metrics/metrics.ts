import { collectDefaultMetrics, Registry } from "prom-client";
import type { PipelineEvent } from "../events.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { WorkerReport } from "../workers/workers.ts";
import { openObserver } from "./observe.ts";
import { openScrape, type Refusal } from "./scrape.ts";

/** What this process tells Prometheus: of the pipelines it runs itself, and of itself. */
export type Metrics = {
  /** Give it to `openSync`. */
  observe(spec: PipelineSpec, event: PipelineEvent): void;
  /** Where states and lags are asked for; before it is told, there are none. */
  watch(reports: () => readonly WorkerReport[]): void;
  /** What may not run, in place of what was said before. */
  refused(refusals: readonly Refusal[]): void;
  /** What the pipelines of this process say; undefined before it was told whom to ask. */
  reports(): readonly WorkerReport[] | undefined;
  /** Prometheus' text format. */
  text(): Promise<string>;
  contentType: string;
};

export function openMetrics(nowMs: () => number = Date.now): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const observer = openObserver(registry, nowMs);
  const scrape = openScrape(registry, observer.guestRestarts);
  let refusals: readonly Refusal[] = [];
  let reportsOf: (() => readonly WorkerReport[]) | undefined;
  return {
    observe: (spec, event) => observer.observe(spec, event),
    watch(reports) {
      reportsOf = reports;
    },
    refused(told) {
      refusals = told;
    },
    reports: () => reportsOf?.(),
    async text() {
      scrape(reportsOf?.() ?? [], refusals);
      return `${await registry.metrics()}\n${observer.ages.text()}`;
    },
    contentType: registry.contentType,
  };
}
