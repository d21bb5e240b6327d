import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { ContentStore } from "#snapshots/store.ts";
import { openDecoder } from "./decode/decode.ts";
import { openDuckdbSink } from "./embedded/duckdb-sink.ts";
import { openFileSource } from "./embedded/file-source.ts";
import { openReleaseGuest, type GuestLimits } from "./guest.ts";
import {
  runPipeline,
  TUNING,
  type PipelineParts,
  type RunningPipeline,
  type Tuning,
} from "./pipeline.ts";
import type { Sink } from "./ports.ts";
import { listEpochs } from "./epochs.ts";
import { addCounts, readOffset, readProgress, setPaused } from "./progress.ts";
import { keepRelease, readRelease, type ReleaseSpec } from "./release-spec.ts";
import { FRESH, openRateMeter, statusOf, type Live, type PipelineStatus } from "./status.ts";

/** A release to run in an environment, over a topic. */
export type PipelineSpec = ReleaseSpec & { environment: string; name: string; topic: string };

export type Place = {
  state: DatabaseSync;
  store: ContentStore;
  root: string;
  topics: string;
  sinks: string;
  tuning?: Partial<Tuning>;
  limits?: GuestLimits;
  onChange(): void;
};

/** One pipeline through starts, pauses, swaps and halts. Commands take effect one after another. */
export type Supervisor = {
  spec(): PipelineSpec;
  start(spec: PipelineSpec): Promise<Result<void>>;
  pause(): Promise<Result<void>>;
  resume(): Promise<Result<void>>;
  stop(): Promise<void>;
  status(): PipelineStatus;
  /** Once a second: the topic's end and the sinks' rows. */
  look(): Promise<void>;
};

/** A drain waits this long for what is in flight; then it is abandoned and read again next time. */
const DRAIN_MS = 10_000;

export function openSupervisor(first: PipelineSpec, place: Place): Supervisor {
  let spec = first;
  let live: Live = FRESH;
  let running: RunningPipeline | undefined;
  let source: ReturnType<typeof openFileSource> | undefined;
  let sinks: Sink[] = [];
  let queue: Promise<unknown> = Promise.resolve();
  const meter = openRateMeter();
  const id = { environment: first.environment, name: first.name };

  function change(patch: Partial<Live>): void {
    live = { ...live, ...patch };
    place.onChange();
  }

  function enqueue<T>(command: () => Promise<T>): Promise<T> {
    const done = queue.then(command);
    queue = done.catch(() => undefined);
    return done;
  }

  async function launch(): Promise<void> {
    const { isPaused, counts } = readProgress(place.state, id);
    change({
      counts,
      problem: undefined,
      backoff: undefined,
      state: isPaused ? "paused" : "starting",
      ...reached(),
    });
    const from = openFileSource(join(place.topics, spec.topic), spec.topic);
    source = from;
    if (isPaused) return;
    try {
      const directory = join(place.sinks, spec.environment, spec.name);
      for (const name of ["table", "search"].slice(sinks.length))
        sinks.push(await openDuckdbSink({ name, path: join(directory, `${name}.duckdb`) }));
    } catch (cause) {
      change({ state: "halted", problem: cannotOpen(spec, cause) });
      return;
    }
    const restartsBefore = live.guestRestarts;
    const pipeline = runPipeline(partsOf(from));
    running = pipeline;
    change({ state: "running" });
    void ended(pipeline, restartsBefore);
  }

  async function ended(pipeline: RunningPipeline, restartsBefore: number): Promise<void> {
    const problem = await pipeline.done;
    const endedByItself = running === pipeline;
    if (endedByItself) running = undefined;
    change({ guestRestarts: restartsBefore + pipeline.guestRestarts() });
    if (problem !== undefined && endedByItself)
      change({ state: "halted", problem, backoff: undefined });
  }

  /** How far the pipeline had come when it was last here. */
  function reached(): Partial<Live> {
    const newest = listEpochs(place.state, id).findLast((epoch) => epoch.topic === spec.topic);
    if (newest === undefined) return {};
    return {
      epoch: newest.epoch,
      offset: readOffset(place.state, id, newest) ?? newest.firstOffset,
    };
  }

  function partsOf(from: ReturnType<typeof openFileSource>): PipelineParts {
    return {
      id,
      release: spec,
      state: place.state,
      source: from,
      sinks,
      readRelease: (hash) => readRelease(place.state, place.store, hash),
      openGuest: (release) => openReleaseGuest(release, place),
      now: () => new Date(),
      random: Math.random,
      tuning: { ...TUNING, ...place.tuning },
      onAssigned: (epoch, offset) => change({ epoch: epoch.epoch, offset }),
      onBackoff: (backoff) => {
        if (live.backoff !== backoff) change({ backoff });
      },
      onCommit(counts, _stretch, next) {
        meter.add(counts.read, Date.now());
        change({ counts: addCounts(live.counts, counts), offset: next });
      },
    };
  }

  /** Finishes what is in flight, or gives it up after a while. Sinks stay open. */
  async function halt(): Promise<void> {
    const pipeline = running;
    running = undefined;
    const timer = setTimeout(() => void pipeline?.abandon(), DRAIN_MS);
    await pipeline?.drain();
    clearTimeout(timer);
    await source?.close();
    source = undefined;
  }

  async function closeSinks(): Promise<void> {
    const closing = sinks;
    sinks = [];
    for (const sink of closing) await sink.close();
  }

  return {
    spec: () => spec,
    start: (next) =>
      enqueue(async () => {
        const decoder = openDecoder(next);
        if (!decoder.ok) return decoder;
        keepRelease(place.state, place.store, next);
        await halt();
        spec = next;
        await launch();
        return ok(undefined);
      }),
    pause: () =>
      enqueue(async () => {
        setPaused(place.state, id, true);
        await halt();
        change({ state: "paused", problem: undefined, backoff: undefined });
        return ok(undefined);
      }),
    resume: () =>
      enqueue(async () => {
        setPaused(place.state, id, false);
        if (live.state === "running") return ok(undefined);
        await halt();
        await closeSinks();
        await launch();
        return live.problem === undefined ? ok(undefined) : fail(live.problem);
      }),
    stop: () =>
      enqueue(async () => {
        await halt();
        await closeSinks();
        change({ state: "stopped", backoff: undefined });
      }),
    status: () =>
      statusOf(
        spec,
        { ...live, guestRestarts: live.guestRestarts + (running?.guestRestarts() ?? 0) },
        meter,
        Date.now(),
      ),
    async look() {
      const [range] = (await source?.ranges()) ?? [];
      const counts = await Promise.all(
        sinks.map(async (sink) => ({ name: sink.name, rows: await sink.count() })),
      );
      change({
        ...(range === undefined ? {} : { end: range.end }),
        ...(counts.length === 0 ? {} : { sinks: counts }),
      });
    },
  };
}

function cannotOpen(spec: PipelineSpec, cause: unknown): Problem {
  const message = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
  return {
    code: "sink-not-opened",
    message: `The sinks of ${spec.environment}:${spec.name} could not be opened: ${message}`,
    hint: "Close what else holds the file (a DuckDB shell, another Penstock), then resume the pipeline.",
  };
}
