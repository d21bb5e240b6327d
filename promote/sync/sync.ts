import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { ContentStore } from "#snapshots/store.ts";
import { topicText } from "#snapshots/topic-choice.ts";
import type { Workspace } from "#snapshots/workspace.ts";
import { askBackfill, type Backfill } from "./rewrites/backfill.ts";
import { listConflicts, type SeenConflict } from "./decode/conflicts.ts";
import { listDeadLetters, type DeadLetter, type LetterPlace } from "./dead-letters/dead-letters.ts";
import { setDismissed } from "./dead-letters/dismissals.ts";
import type { PipelineEvent } from "./events.ts";
import { withGenerations } from "./open/generations.ts";
import { registerContract, type Registration } from "./decode/register-contract.ts";
import { listExpectationHistory } from "./expectations/history.ts";
import type { GuestLimits } from "./guest/guest.ts";
import { listEpochs, type Epoch, type PipelineId } from "./order/epochs.ts";
import type { Tuning } from "./tuning.ts";
import type { PipelineSpec } from "./pipeline-spec.ts";
import type { Generation } from "./ports.ts";
import { readProgress, setPaused } from "./order/progress.ts";
import { replayDeadLetters, type LetterChoice, type Replay } from "./rewrites/replay.ts";
import { summarizeRewrites, type RewriteSummary } from "./rewrites/rewrites.ts";
import { openSyncState } from "./state.ts";
import { contractOf, type SinkPlan } from "./open/sink-plan.ts";
import { openSupervisor, type Supervisor } from "./workers/supervisor.ts";
import { openSpecRegistry, planApart } from "./workers/look-apart.ts";
import { known, statusOf, type PipelineStatus } from "./workers/status.ts";
import type { Growth } from "./order/stretches.ts";
import { applyRepair, openRepair, removeStrays, type RepairPlan } from "./verify/repair.ts";
import type { VerifyOptions, VerifyReport } from "./verify/verify.ts";
import { eachOnce, livingReports, type WorkerReport } from "./workers/workers.ts";

export type { PipelineSpec } from "./pipeline-spec.ts";
export type { PipelineStatus } from "./workers/status.ts";

/** The streaming runtime of a workspace: the pipelines this process runs, and what other workers say of theirs. */
export type Sync = {
  /** Starts a pipeline; one that runs another release is swapped: what is in flight is finished, then an epoch opens. */
  start(spec: PipelineSpec): Promise<Result<void>>;
  /** Drains and forgets the pipeline here; what it did stays. */
  stop(environment: string, name: string): Promise<Result<void>>;
  /** A pause outlives a restart. */
  pause(environment: string, name: string): Promise<Result<void>>;
  /** Goes on after a pause, or after a halt once its cause is gone. */
  resume(environment: string, name: string): Promise<Result<void>>;
  /** What a release would make or alter in its sinks. */
  plan(spec: PipelineSpec): Promise<Result<SinkPlan[]>>;
  /** Whether this process runs exactly this: the release, where it reads and where it writes. */
  isCurrent(spec: PipelineSpec): boolean;
  /** What this process runs. */
  running(): { environment: string; name: string; release: string; topic: string }[];
  /** What this process says of the pipelines it runs. */
  reports(): WorkerReport[];
  /** Every pipeline that runs, wherever its workers are; by environment and name. */
  status(): PipelineStatus[];
  /** Called at each change, many times a second under load. */
  subscribe(listener: () => void): () => void;
  deadLetters(
    environment: string,
    name: string,
    page: { offset: number; limit: number },
  ): { total: number; letters: DeadLetter[] };
  /** Takes dead letters off the list for somebody, or (null) puts them back; says how many. */
  setDismissed(
    id: PipelineId,
    places: readonly LetterPlace[],
    by: { at: string; by: string } | null,
  ): Promise<number>;
  /** Sends dead letters through the release that runs now, in the order of their topic. */
  replay(spec: PipelineSpec, letters: LetterChoice, signal?: AbortSignal): Promise<Result<Replay>>;
  /** Compares every sink with a batch run of the topic, at a cut. */
  verify(spec: PipelineSpec, options: VerifyOptions): Promise<Result<VerifyReport>>;
  /** Verifies, and plans what would heal every difference; with `isApplied`, asks the workers to do it. */
  repair(
    spec: PipelineSpec,
    options: Pick<VerifyOptions, "signal" | "onProgress"> & { isApplied: boolean },
  ): Promise<Result<Repair>>;
  /** Writes every record the topic holds again, by the release that runs now. */
  backfill(spec: PipelineSpec, signal?: AbortSignal): Promise<Result<Backfill>>;
  /** The indices it has made in Elasticsearch, newest first, as this release sees them. */
  generations(spec: PipelineSpec): Promise<Result<Generation[]>>;
  /** Turns readers to one of them, or drops one that is neither read nor written. */
  actOnGeneration(
    spec: PipelineSpec,
    act: "read" | "drop",
    generation: number,
  ): Promise<Result<void>>;
  /** Registers the output contract of a release at its environment's schema registry. */
  register(spec: PipelineSpec, subject: string): Promise<Result<Registration>>;
  /** How often each of the source's expectations was met, minute by minute; and the writers' schemas that could not be read. */
  quality(
    environment: string,
    name: string,
  ): { expectations: ExpectationHistory; conflicts: SeenConflict[] };
  /** Replays, repairs and backfills, oldest first. */
  rewrites(environment: string, name: string): RewriteSummary[];
  /** What ran when, oldest first. */
  epochs(environment: string, name: string): readonly Epoch[];
  /** Drains every pipeline. */
  close(): Promise<void>;
};

type ExpectationHistory = ReturnType<typeof listExpectationHistory>;

export type Repair = { report: VerifyReport; plan: RepairPlan; isApplied: boolean };

export type SyncOptions = {
  workspace: { root: string; paths: Pick<Workspace["paths"], "topics" | "sinks"> };
  store: ContentStore;
  statePath: string;
  /** Names this process among the workers; drawn when absent. */
  worker?: string;
  tuning?: Partial<Tuning>;
  growth?: Partial<Growth>;
  limits?: GuestLimits;
  observe?: (spec: PipelineSpec, event: PipelineEvent) => void;
  /** What goes wrong outside of any pipeline's work; told once, until it is something else. */
  failed?: (reason: string) => void;
};

const LOOK_MS = 1000;

export function openSync(options: SyncOptions): Sync {
  const { workspace, store, statePath, observe } = options;
  const worker = options.worker ?? randomUUID();
  mkdirSync(dirname(statePath), { recursive: true });
  const state = openSyncState(statePath);
  const supervisors = new Map<string, Supervisor>();
  const listeners = new Set<() => void>();
  const place = {
    state,
    store,
    root: workspace.root,
    folders: { topics: workspace.paths.topics, sinks: workspace.paths.sinks },
    worker,
    tuning: options.tuning ?? {},
    growth: options.growth ?? {},
    limits: options.limits ?? {},
    ...(observe === undefined ? {} : { observe }),
    onChange: () => {
      for (const listener of listeners) listener();
    },
  };
  const portsPlace = { folders: place.folders, root: place.root };
  let elsewhere: WorkerReport[] = [];

  /** What other processes run, as of the last second. */
  function lookAround(): void {
    const before = elsewhere.length;
    elsewhere = livingReports(state, Date.now()).filter((report) => report.worker !== worker);
    if (elsewhere.length > 0 || before > 0) place.onChange();
  }

  function allReports(): WorkerReport[] {
    const own = [...supervisors.values()].map((supervisor) => supervisor.report());
    return eachOnce([...own, ...elsewhere]);
  }

  let fault = "";

  /** Where the state database is locked just now, the next second will do. */
  function lookAtAll(): void {
    const before = fault;
    fault = "";
    for (const each of [...supervisors.values(), { look: lookAround }])
      try {
        each.look();
      } catch (error) {
        fault = String(error);
      }
    if (fault !== "" && fault !== before) options.failed?.(fault);
  }

  function status(): PipelineStatus[] {
    const byPipeline = new Map<string, WorkerReport[]>();
    for (const report of allReports()) {
      const key = keyOf(report.environment, report.name);
      byPipeline.set(key, [...(byPipeline.get(key) ?? []), report]);
    }
    const inOrder = [...byPipeline].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return inOrder.flatMap(([, [first, ...rest]]) =>
      first === undefined
        ? []
        : [known(statusOf([first, ...rest], readProgress(state, first).counts))],
    );
  }

  /** What each worker says of a pipeline. */
  function reportsOf({ environment, name }: PipelineId): WorkerReport[] {
    return allReports().filter(
      (report) => report.environment === environment && report.name === name,
    );
  }

  /** What can look at a pipeline, also where it runs in other processes or not at all. */
  function lookerOf(spec: PipelineSpec): Supervisor {
    return supervisors.get(keyOf(spec.environment, spec.name)) ?? openSupervisor(spec, place);
  }

  /** A pipeline that other workers run is told through the state database. */
  function tell(environment: string, name: string, isPaused: boolean): Result<void> {
    const isKnown = elsewhere.some(
      (report) => report.environment === environment && report.name === name,
    );
    if (!isKnown) return fail(notRunning(environment, name));
    setPaused(state, { environment, name }, isPaused);
    return ok(undefined);
  }

  const timer = setInterval(lookAtAll, LOOK_MS);
  timer.unref();
  lookAtAll();

  const find = (environment: string, name: string): Result<Supervisor> => {
    const found = supervisors.get(keyOf(environment, name));
    return found === undefined ? fail(notRunning(environment, name)) : ok(found);
  };

  return {
    async start(spec) {
      const key = keyOf(spec.environment, spec.name);
      const known = supervisors.get(key);
      if (known !== undefined) return known.start(spec);
      const supervisor = openSupervisor(spec, place);
      supervisors.set(key, supervisor);
      const started = await supervisor.start(spec);
      if (!started.ok) supervisors.delete(key);
      return started;
    },
    async stop(environment, name) {
      const found = find(environment, name);
      if (!found.ok) return found;
      await found.value.stop();
      supervisors.delete(keyOf(environment, name));
      place.onChange();
      return ok(undefined);
    },
    async pause(environment, name) {
      const found = find(environment, name);
      return found.ok ? found.value.pause() : tell(environment, name, true);
    },
    async resume(environment, name) {
      const found = find(environment, name);
      return found.ok ? found.value.resume() : tell(environment, name, false);
    },
    plan(spec) {
      const known = supervisors.get(keyOf(spec.environment, spec.name));
      return known === undefined ? planApart(spec, place) : known.plan(spec);
    },
    isCurrent: (spec) =>
      supervisors.get(keyOf(spec.environment, spec.name))?.isCurrent(spec) ?? false,
    running: () =>
      [...supervisors.values()].map((supervisor) => {
        const { environment, name, release, topic } = supervisor.spec();
        return { environment, name, release, topic: topicText(topic) };
      }),
    reports: () => allReports().filter((report) => report.worker === worker),
    status,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async replay(spec, letters, signal) {
      const { environment, name, topic } = spec;
      return lookerOf(spec).looking(
        ({ reader }) =>
          replayDeadLetters(state, { environment, name, topic }, letters, reader, new Date()),
        signal,
      );
    },
    verify: (spec, options) => lookerOf(spec).verify(options),
    async repair(spec, { isApplied, ...options }) {
      const looker = lookerOf(spec);
      const contract = contractOf(looker.spec());
      if (!contract.ok) return contract;
      const repair = openRepair(contract.value);
      const report = await looker.verify({ ...options, onFaults: repair.add });
      if (!report.ok) return report;
      const { cut } = report.value;
      const plan = repair.plan(cut);
      if (!isApplied) return ok({ report: report.value, plan, isApplied });
      const writes = repair.writes(cut, listEpochs(state, spec));
      const asked = applyRepair(state, spec, writes, new Date());
      if (!asked.ok) return asked;
      if (plan.strays.length > 0) {
        const removed = await looker.looking(({ sinks }) => removeStrays(sinks));
        if (!removed.ok) return removed;
      }
      return ok({ report: report.value, plan, isApplied });
    },
    backfill: (spec, signal) =>
      lookerOf(spec).looking(({ reader }) => askBackfill(state, spec, reader, new Date()), signal),
    generations: (spec) =>
      withGenerations(spec, portsPlace, (generations, contract) => generations.list(contract)),
    async actOnGeneration(spec, act, generation) {
      const other = reportsOf(spec).find(({ release }) => release !== spec.release);
      if (act === "drop" && other !== undefined) return fail(stillRuns(other));
      return withGenerations(spec, portsPlace, (generations, contract) =>
        act === "read" ? generations.read(generation) : generations.drop(generation, contract),
      );
    },
    async register(spec, subject) {
      const registry = openSpecRegistry(spec, place);
      if (!registry.ok) return registry;
      if (registry.value === undefined) return fail(noRegistry(spec));
      return registerContract(registry.value, subject, spec.output);
    },
    quality: (environment, name) => ({
      expectations: listExpectationHistory(state, { environment, name }, { nowMs: Date.now() }),
      conflicts: listConflicts(state, { environment, name }),
    }),
    rewrites: (environment, name) => summarizeRewrites(state, { environment, name }),
    deadLetters: (environment, name, page) => listDeadLetters(state, { environment, name }, page),
    setDismissed: (id, places, by) => setDismissed(state, id, places, by),
    epochs: (environment, name) => listEpochs(state, { environment, name }),
    async close() {
      clearInterval(timer);
      await Promise.all([...supervisors.values()].map((supervisor) => supervisor.stop()));
      supervisors.clear();
      state.close();
    },
  };
}

function keyOf(environment: string, name: string): string {
  return JSON.stringify([environment, name]);
}

function stillRuns({ environment, name, release, pid, host }: WorkerReport): Problem {
  return {
    code: "release-still-runs",
    message: `The worker ${pid} on ${host} still runs ${environment}:${name} by release ${release.slice(0, 6)}, which may write to that index.`,
    hint: "Try again once it follows the last commit.",
  };
}

function noRegistry({ environment }: PipelineSpec): Problem {
  return {
    code: "no-registry",
    message: `The environment ${environment} names no schema registry.`,
    hint: `Add \`registry: { url: … }\` to environments/${environment}.yaml and commit it.`,
  };
}

function notRunning(environment: string, name: string): Problem {
  return {
    code: "pipeline-not-running",
    message: `No pipeline ${environment}:${name} runs here.`,
    hint: "See the Pipelines page for those that do, or promote a release to start one.",
  };
}
