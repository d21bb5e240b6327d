import type { Problem } from "#snapshots/problem.ts";
import type { TopicChoice } from "#snapshots/topic-choice.ts";
import type { Counts } from "../order/progress.ts";
import type { WorkerReport } from "./workers.ts";

export type PipelineState =
  | "starting"
  | "flowing"
  | "idle"
  | "paused"
  | "backing-off"
  | "halted"
  | "stopped";

/** What a page shows of a pipeline. Counts are as committed: read = written + filtered + stale + deadLettered. */
export type PipelineStatus = Counts & {
  environment: string;
  name: string;
  release: string;
  topic: TopicChoice;
  state: PipelineState;
  problem?: Problem;
  /** The newest epoch that is being read. */
  epoch: number;
  /** The next offset to handle, the topic's end, and what lies between: sums over the partitions. */
  offset: number;
  end: number;
  lag: number;
  /** False while the topic's ends are not known yet: `end` and `lag` then say too little. */
  isMeasured: boolean;
  partitions: PartitionStatus[];
  recordsPerSecond: number;
  /** Records per second over the last minute, oldest first. */
  history: number[];
  /** `readers`: that people read something else than what is written, in a sentence. */
  sinks: { name: string; rows: number; readers?: string; problem?: Problem }[];
  guestRestarts: number;
  workers: {
    worker: string;
    pid: number;
    host: string;
    state: PipelineState;
    partitions: number;
  }[];
};

export type PartitionStatus = WorkerReport["partitions"][number] & { lag: number; worker: string };

const HISTORY_SECONDS = 60;
/** The shown rate is a mean over this many seconds: batches come in lumps. */
const RATE_SECONDS = 5;

/** Counts records into seconds. `nowMs` comes in, so that a test states it. */
export type RateMeter = {
  add(records: number, nowMs: number): void;
  history(nowMs: number): number[];
  perSecond(nowMs: number): number;
};

export function openRateMeter(): RateMeter {
  const seconds = new Map<number, number>();
  const history = (nowMs: number): number[] => {
    const now = Math.floor(nowMs / 1000);
    for (const second of seconds.keys()) if (second < now - HISTORY_SECONDS) seconds.delete(second);
    return Array.from(
      { length: HISTORY_SECONDS },
      (_, i) => seconds.get(now - HISTORY_SECONDS + i) ?? 0,
    );
  };
  return {
    add(records, nowMs) {
      const second = Math.floor(nowMs / 1000);
      seconds.set(second, (seconds.get(second) ?? 0) + records);
    },
    history,
    perSecond(nowMs) {
      const last = history(nowMs).slice(-RATE_SECONDS);
      return Math.round(last.reduce((sum, count) => sum + count, 0) / RATE_SECONDS);
    },
  };
}

/** What the workers of one pipeline say, as one status. There is at least one report. */
export function statusOf(
  reports: readonly [WorkerReport, ...WorkerReport[]],
  counts: Counts,
): PipelineStatus {
  const [first] = reports;
  const partitions = reports
    .flatMap((report) =>
      report.partitions.map((partition) => ({
        ...partition,
        lag: Math.max(0, partition.end - partition.offset),
        worker: report.worker,
      })),
    )
    .toSorted((a, b) =>
      a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
    );
  const sum = (of: (report: WorkerReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const lag = partitions.reduce((total, partition) => total + partition.lag, 0);
  const recordsPerSecond = sum((report) => report.recordsPerSecond);
  const problem =
    reports.find((report) => report.problem !== undefined)?.problem ??
    reports.flatMap((report) => Object.values(report.backoffs))[0];
  return {
    environment: first.environment,
    name: first.name,
    release: first.release,
    topic: first.topic,
    state: shownState(reports, lag, recordsPerSecond),
    ...(problem === undefined ? {} : { problem }),
    epoch: Math.max(0, ...partitions.map((partition) => partition.epoch)),
    offset: partitions.reduce((total, partition) => total + partition.offset, 0),
    end: partitions.reduce(
      (total, partition) => total + Math.max(partition.end, partition.offset),
      0,
    ),
    lag,
    isMeasured: areMeasured(reports),
    partitions,
    recordsPerSecond,
    history: first.history.map((_, second) => sum((report) => report.history[second] ?? 0)),
    sinks: sinksOf(reports),
    guestRestarts: sum((report) => report.guestRestarts),
    workers: reports.map((report) => ({
      worker: report.worker,
      pid: report.pid,
      host: report.host,
      state: shownState([report], 0, report.recordsPerSecond),
      partitions: report.partitions.length,
    })),
    ...counts,
  };
}

/** One of which nobody knows yet how far behind it is has not caught up: it is still starting. */
export function known(status: PipelineStatus): PipelineStatus {
  return status.state === "idle" && !status.isMeasured ? { ...status, state: "starting" } : status;
}

/** A worker without a partition has nothing to measure, as long as another has. */
function areMeasured(reports: readonly WorkerReport[]): boolean {
  const isDone = (report: WorkerReport): boolean =>
    report.isMeasured || report.partitions.length === 0;
  return reports.every(isDone) && reports.some((report) => report.isMeasured);
}

/** Sinks are shared by the workers: the same rows, seen by each. */
function sinksOf(reports: readonly WorkerReport[]): PipelineStatus["sinks"] {
  const names = new Set(reports.flatMap((report) => report.sinks.map(({ name }) => name)));
  return [...names].map((name) => {
    const rows = reports.flatMap((report) => report.sinks.filter((sink) => sink.name === name));
    const problem = reports.flatMap((report) => report.backoffs[name] ?? [])[0];
    const readers = rows.flatMap((sink) => sink.readers ?? [])[0];
    return {
      name,
      rows: Math.max(...rows.map((sink) => sink.rows)),
      ...(readers === undefined ? {} : { readers }),
      ...(problem === undefined ? {} : { problem }),
    };
  });
}

function shownState(
  reports: readonly WorkerReport[],
  lag: number,
  recordsPerSecond: number,
): PipelineState {
  const worst = (["halted", "starting", "paused", "stopped"] as const).find((state) =>
    reports.some((report) => report.state === state),
  );
  if (worst !== undefined) return worst;
  if (reports.some((report) => Object.keys(report.backoffs).length > 0)) return "backing-off";
  return lag > 0 || recordsPerSecond > 0 ? "flowing" : "idle";
}
