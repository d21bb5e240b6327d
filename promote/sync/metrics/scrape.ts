import { Gauge, type Counter, type Registry } from "prom-client";
import { NOTHING } from "../order/progress.ts";
import { statusOf, type PipelineState } from "../workers/status.ts";
import type { WorkerReport } from "../workers/workers.ts";
import { gauges } from "./catalog.ts";

const STATES: readonly PipelineState[] = [
  "starting",
  "flowing",
  "idle",
  "paused",
  "backing-off",
  "halted",
  "stopped",
];

/** A release that may not run where the last commit asks for it. */
export type Refusal = { environment: string; name: string; release: string };

/** Brings the gauges to what the reports say; what is not reported any more is gone from them. */
export function openScrape(
  registry: Registry,
  guestRestarts: Counter,
): (reports: readonly WorkerReport[], refusals: readonly Refusal[]) => void {
  const gauge = ({
    name,
    help,
    labels,
  }: {
    name: string;
    help: string;
    labels: readonly string[];
  }) => new Gauge({ name, help, labelNames: [...labels], registers: [registry] });
  const state = gauge(gauges.state);
  const release = gauge(gauges.release);
  const backingOff = gauge(gauges.backingOff);
  const lag = gauge(gauges.lag);
  const offset = gauge(gauges.offset);
  const end = gauge(gauges.end);
  const epoch = gauge(gauges.epoch);
  const sinkRows = gauge(gauges.sinkRows);
  const readersBehind = gauge(gauges.readersBehind);
  const refused = gauge(gauges.refused);
  const all = [state, release, backingOff, lag, offset, end, epoch, sinkRows];

  return (reports, refusals) => {
    for (const each of [...all, readersBehind, refused]) each.reset();
    for (const { environment, name, release: asked } of refusals)
      refused.set({ environment, pipeline: name, release: asked }, 1);
    for (const report of reports) {
      const own = { environment: report.environment, pipeline: report.name };
      const status = statusOf([report], NOTHING);
      for (const each of STATES) state.set({ ...own, state: each }, each === status.state ? 1 : 0);
      release.set({ ...own, release: report.release }, 1);
      for (const where of Object.keys(report.backoffs)) backingOff.set({ ...own, where }, 1);
      for (const partition of status.partitions) {
        const place = { ...own, topic: partition.topic, partition: String(partition.partition) };
        lag.set(place, partition.lag);
        offset.set(place, partition.offset);
        end.set(place, partition.end);
        epoch.set(place, partition.epoch);
      }
      for (const { name: sink, rows, readers } of status.sinks) {
        sinkRows.set({ ...own, sink }, rows);
        readersBehind.set({ ...own, sink }, readers === undefined ? 0 : 1);
      }
      guestRestarts.remove(own);
      guestRestarts.inc(own, report.guestRestarts);
    }
  };
}
