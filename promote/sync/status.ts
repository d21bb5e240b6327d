import type { Problem } from "#snapshots/problem.ts";
import { NOTHING, type Counts } from "./progress.ts";

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
  topic: string;
  state: PipelineState;
  problem?: Problem;
  epoch: number;
  /** The next offset to handle, the topic's end, and what lies between. */
  offset: number;
  end: number;
  lag: number;
  recordsPerSecond: number;
  /** Records per second over the last minute, oldest first. */
  history: number[];
  sinks: { name: string; rows: number }[];
  guestRestarts: number;
};

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

/** What is known of a pipeline while it lives; turned into a status when asked. */
export type Live = {
  state: "starting" | "running" | "paused" | "halted" | "stopped";
  problem: Problem | undefined;
  backoff: Problem | undefined;
  epoch: number;
  offset: number;
  end: number;
  counts: Counts;
  sinks: { name: string; rows: number }[];
  guestRestarts: number;
};

export const FRESH: Live = {
  state: "starting",
  problem: undefined,
  backoff: undefined,
  epoch: 0,
  offset: 0,
  end: 0,
  counts: NOTHING,
  sinks: [],
  guestRestarts: 0,
};

export function statusOf(
  spec: { environment: string; name: string; release: string; topic: string },
  live: Live,
  meter: RateMeter,
  nowMs: number,
): PipelineStatus {
  const lag = Math.max(0, live.end - live.offset);
  const recordsPerSecond = meter.perSecond(nowMs);
  const problem = live.problem ?? live.backoff;
  return {
    environment: spec.environment,
    name: spec.name,
    release: spec.release,
    topic: spec.topic,
    state: shownState(live, lag, recordsPerSecond),
    ...(problem === undefined ? {} : { problem }),
    epoch: live.epoch,
    offset: live.offset,
    end: Math.max(live.end, live.offset),
    lag,
    recordsPerSecond,
    history: meter.history(nowMs),
    ...live.counts,
    sinks: live.sinks,
    guestRestarts: live.guestRestarts,
  };
}

function shownState(live: Live, lag: number, recordsPerSecond: number): PipelineState {
  if (live.state !== "running") return live.state;
  if (live.backoff !== undefined) return "backing-off";
  return lag > 0 || recordsPerSecond > 0 ? "flowing" : "idle";
}
