import { hostname } from "node:os";
import type { DatabaseSync } from "node:sqlite";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { Registry } from "../decode/registry.ts";
import type { PipelineEvent } from "../events.ts";
import { openExpectations } from "../expectations/expectations.ts";
import { listHalts } from "../expectations/halts.ts";
import { openReleaseGuest, type GuestLimits } from "../guest/guest.ts";
import { commandOf, type Known } from "./command-of.ts";
import { lookApart, openSpecRegistry, planApart } from "./look-apart.ts";
import { closePorts, openPorts, type Folders, type Ports } from "../open/open-ports.ts";
import { runPipeline, type PipelineParts, type RunningPipeline } from "../pipeline/pipeline.ts";
import { placesOf, type PipelineSpec } from "../pipeline-spec.ts";
import { openHeldPartitions } from "./held-partitions.ts";
import { openMeasuring, rangesOf, withCount } from "./measuring.ts";
import { readProgress, setHalted, setPaused } from "../order/progress.ts";
import { keepRelease, readRelease, widestParts } from "../release-spec.ts";
import { contractOf, planSinks, type SinkPlan } from "../open/sink-plan.ts";
import { openSpecDecoder } from "../pipeline/spec-decoder.ts";
import type { Source } from "../ports.ts";
import { openRateMeter } from "./status.ts";
import { GROWTH, type Growth } from "../order/stretches.ts";
import { tuningOf, type Tuning } from "../tuning.ts";
import type { VerifyOptions, VerifyReport } from "../verify/verify.ts";
import { verifyPipeline } from "../verify/verify-pipeline.ts";
import { dropReport, putReport, type WorkerReport } from "./workers.ts";

export type Place = {
  state: DatabaseSync;
  store: ContentStore;
  root: string;
  folders: Folders;
  /** Names this process among the workers. */
  worker: string;
  tuning?: Partial<Tuning>;
  growth?: Partial<Growth>;
  limits?: GuestLimits;
  onChange(): void;
  /** Every event of every pipeline, for metrics and logs. */
  observe?(spec: PipelineSpec, event: PipelineEvent): void;
};

/** One pipeline in this process, through starts, pauses, swaps and halts. Commands take effect one after another. */
export type Supervisor = {
  spec(): PipelineSpec;
  /** Whether a start with this spec would change nothing. */
  isCurrent(spec: PipelineSpec): boolean;
  start(spec: PipelineSpec): Promise<Result<void>>;
  pause(): Promise<Result<void>>;
  resume(): Promise<Result<void>>;
  stop(): Promise<void>;
  /** What a release would change in the sinks; through those that are open where it has the same. */
  plan(spec: PipelineSpec): Promise<Result<SinkPlan[]>>;
  /** Lets something look at what the pipeline reads from and writes to, opened for it where they are not. */
  looking<T>(
    look: (ports: Pick<Ports, "sinks" | "reader">) => Promise<Result<T>>,
    signal?: AbortSignal,
  ): Promise<Result<T>>;
  verify(options: VerifyOptions): Promise<Result<VerifyReport>>;
  report(): WorkerReport;
  /** Once a second: asks for the topic's end and the sinks' rows; obeys what another process asked for; reports. Waits for nothing. */
  look(): void;
};

type State = {
  state: WorkerReport["state"];
  problem: Problem | undefined;
  guestRestarts: number;
  sinks: WorkerReport["sinks"];
};

/** A drain waits this long for what is in flight; then it is abandoned and read again next time. */
const DRAIN_MS = 10_000;

export function openSupervisor(first: PipelineSpec, place: Place): Supervisor {
  let spec = first;
  let live: State = { state: "starting", problem: undefined, guestRestarts: 0, sinks: [] };
  const backoffs = new Map<string, Problem>();
  let running: RunningPipeline | undefined;
  let ports: Ports | undefined;
  /** Open while it is polled. */
  let source: Source | undefined;
  let known: Known = { resumes: 0, halts: 0 };
  let queue: Promise<unknown> = Promise.resolve();
  const meter = openRateMeter();
  const id = { environment: first.environment, name: first.name };
  const partitions = openHeldPartitions(place.state, id);
  const measuring = openMeasuring();
  let isObeying = false;
  let mostParts = widestParts(place.state, id);
  /** Who looks at the open files of an embedded environment, which are closed after that. */
  const looks = new Set<Promise<unknown>>();

  function change(patch: Partial<State>): void {
    live = { ...live, ...patch };
    const { state, problem } = live;
    if (patch.state !== undefined) place.observe?.(spec, { kind: "state", state, problem });
    place.onChange();
  }

  function enqueue<T>(command: () => Promise<T>): Promise<T> {
    const done = queue.then(command);
    queue = done.catch(() => undefined);
    return done;
  }

  async function launch(): Promise<void> {
    const progress = readProgress(place.state, id);
    known = progress;
    backoffs.clear();
    // Which partitions of a shared topic this worker will read is the group's to say.
    if (spec.where.kind === "embedded" || progress.isPaused) partitions.recall(spec.topic);
    else partitions.forget();
    change({ problem: undefined, state: progress.isPaused ? "paused" : "starting" });
    ports ??= await open();
    const asked = openSpecRegistry(spec, place);
    if (!asked.ok) change({ state: "halted", problem: asked.problem });
    if (ports === undefined || progress.isPaused || !asked.ok) return;
    const restartsBefore = live.guestRestarts;
    source = await ports.openSource();
    const pipeline = runPipeline(partsOf(ports, source, asked.value));
    running = pipeline;
    change({ state: "running" });
    void ended(pipeline, restartsBefore);
  }

  async function open(): Promise<Ports | undefined> {
    const opened = await openPorts(spec, place);
    if (opened.ok) return opened.value;
    change({ state: "halted", problem: opened.problem });
    return undefined;
  }

  async function ended(pipeline: RunningPipeline, restartsBefore: number): Promise<void> {
    const problem = await pipeline.done;
    const endedByItself = running === pipeline;
    if (endedByItself) running = undefined;
    change({ guestRestarts: restartsBefore + pipeline.guestRestarts() });
    if (problem === undefined || !endedByItself) return;
    halted(problem);
    await enqueue(async () => {
      setHalted(place.state, id, known.resumes, problem);
      await leave();
    }).catch(() => undefined);
  }

  function halted(problem: Problem): void {
    backoffs.clear();
    partitions.recall(spec.topic);
    change({ state: "halted", problem });
  }

  /** Lets others have the partitions, who would wait for one that does not poll. */
  async function leave(): Promise<void> {
    const closing = source;
    source = undefined;
    await closing?.close();
  }

  function partsOf(
    { sinks, reader, deadLetters }: Ports,
    source: Source,
    registry: Registry | undefined,
  ): PipelineParts {
    return {
      id,
      owner: place.worker,
      release: spec,
      topics: spec.topic,
      state: place.state,
      source,
      sinks,
      reader,
      ...(deadLetters === undefined ? {} : { buryIn: (letters) => deadLetters.send(letters) }),
      openDecoder: (release) => openSpecDecoder({ ...spec, ...release }, registry),
      readRelease: (hash) => readRelease(place.state, place.store, hash),
      widestParts: () => mostParts,
      openGuest: (release) => openReleaseGuest(release, place),
      openExpectations: ({ input }) =>
        openExpectations(spec.stream.expectations, input, listHalts(place.state, id)),
      now: () => new Date(),
      random: Math.random,
      tuning: {
        ...tuningOf(spec.latencyMs, spec.where.kind === "servers"),
        ...place.tuning,
      },
      growth: {
        ...GROWTH,
        ...place.growth,
        ...(spec.partitionsAdded === undefined ? {} : { before: spec.partitionsAdded }),
      },
      observe,
    };
  }

  function observe(event: PipelineEvent): void {
    place.observe?.(spec, event);
    partitions.note(event);
    switch (event.kind) {
      case "committed":
        meter.add(event.counts.read, Date.now());
        break;
      case "backoff":
        if (backoffs.get(event.where) === event.problem) return;
        if (event.problem === undefined) backoffs.delete(event.where);
        else backoffs.set(event.where, event.problem);
        break;
      case "assigned":
      case "epoch":
        mostParts = widestParts(place.state, id);
        break;
      case "revoked":
        break;
      case "state":
      case "read":
      case "stage":
      case "write":
        return;
    }
    place.onChange();
  }

  /** Finishes what is in flight, or gives it up after a while. */
  async function finish(): Promise<void> {
    const pipeline = running;
    running = undefined;
    const timer = setTimeout(() => void pipeline?.abandon(), DRAIN_MS);
    await pipeline?.drain();
    clearTimeout(timer);
    await leave();
  }

  async function close(): Promise<void> {
    await finish();
    await Promise.allSettled(looks);
    const closing = ports;
    ports = undefined;
    if (closing !== undefined) await closePorts(closing);
  }

  function report(): WorkerReport {
    const nowMs = Date.now();
    const { problem } = live;
    return {
      ...id,
      release: spec.release,
      topic: spec.topic,
      worker: place.worker,
      pid: process.pid,
      host: hostname(),
      state: live.state,
      ...(problem === undefined ? {} : { problem }),
      backoffs: Object.fromEntries(backoffs),
      partitions: partitions.list(),
      isMeasured: partitions.isMeasured(),
      sinks: live.sinks,
      recordsPerSecond: meter.perSecond(nowMs),
      history: meter.history(nowMs),
      guestRestarts: live.guestRestarts + (running?.guestRestarts() ?? 0),
    };
  }

  async function pause(): Promise<void> {
    await close();
    backoffs.clear();
    change({ state: "paused", problem: undefined });
  }

  async function resume(): Promise<void> {
    if (live.state === "running") return;
    await close();
    await launch();
  }

  /** What another worker has met. */
  async function halt(problem: Problem): Promise<void> {
    await finish();
    halted(problem);
  }

  function obey(): void {
    if (isObeying) return;
    const asked = readProgress(place.state, id);
    const command = commandOf(live.state, asked, known);
    if (command === undefined) {
      if (live.state === "running") known = asked;
      return;
    }
    isObeying = true;
    void enqueue(() => {
      if (command === "pause") return pause();
      return command === "resume" ? resume() : halt(command.halt);
    })
      .catch(() => undefined)
      .finally(() => (isObeying = false));
  }

  function measure(open: Ports): void {
    const isOpen = (): boolean => ports === open;
    measuring.ask(
      open.reader,
      () => source?.ranges() ?? rangesOf(open.reader, partitions.list()),
      (ranges) => {
        if (isOpen()) partitions.measure(ranges);
      },
    );
    for (const sink of open.sinks)
      measuring.ask(
        sink,
        () => Promise.all([sink.count(), sink.readersBehind?.()]),
        ([rows, readers]) => {
          const one = { name: sink.name, rows, ...(readers === undefined ? {} : { readers }) };
          if (isOpen()) change({ sinks: withCount(live.sinks, open.sinks, one) });
        },
      );
  }

  /** Servers are looked at apart, beside the pipeline's own work. A file is open once in a process: twice, each would miss what the other writes. */
  async function looking<T>(
    look: (open: Pick<Ports, "sinks" | "reader">) => Promise<Result<T>>,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Result<T>> {
    const apart = (): Promise<Result<T>> => {
      const maxParts = Math.max(spec.maxParts, widestParts(place.state, id));
      return lookApart(spec, place, look, { maxParts, signal });
    };
    if (spec.where.kind === "servers") return apart();
    const { looked } = await enqueue(async () => {
      if (ports === undefined) return { looked: await apart() };
      const begun = look(ports);
      looks.add(begun);
      const end = (): boolean => looks.delete(begun);
      begun.then(end, end);
      return { looked: begun };
    });
    return looked;
  }

  return {
    spec: () => spec,
    isCurrent: (next) => next.release === spec.release && placesOf(next) === placesOf(spec),
    looking,
    verify: (options) => {
      options.onProgress({ step: "asking the servers", records: 0 });
      return looking((open) => verifyPipeline(spec, place, open, options), options.signal);
    },
    start: (next) =>
      enqueue(async () => {
        const contract = contractOf(next);
        if (!contract.ok) return contract;
        keepRelease(place.state, place.store, next);
        const isSwap = running !== undefined && placesOf(next) === placesOf(spec);
        if (!isSwap) await close();
        spec = next;
        if (isSwap) running?.swap(next);
        else await launch();
        place.onChange();
        return ok(undefined);
      }),
    pause: () =>
      enqueue(async () => {
        setPaused(place.state, id, true);
        await pause();
        return ok(undefined);
      }),
    resume: () =>
      enqueue(async () => {
        setPaused(place.state, id, false);
        await resume();
        return live.problem === undefined ? ok(undefined) : fail(live.problem);
      }),
    stop: () =>
      enqueue(async () => {
        await close();
        dropReport(place.state, id, place.worker);
        change({ state: "stopped" });
      }),
    plan: (next) =>
      ports !== undefined && placesOf(next) === placesOf(spec)
        ? planSinks(next, ports.sinks)
        : planApart(next, place),
    report,
    look() {
      obey();
      if (ports !== undefined) measure(ports);
      if (live.state !== "stopped") putReport(place.state, report(), Date.now());
      place.onChange();
    },
  };
}
