import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { Workspace } from "#snapshots/workspace.ts";
import { listDeadLetters, type DeadLetter } from "./dead-letters.ts";
import type { GuestLimits } from "./guest.ts";
import { listEpochs, type Epoch } from "./epochs.ts";
import type { Tuning } from "./pipeline.ts";
import { openSyncState } from "./state.ts";
import { openSupervisor, type PipelineSpec, type Supervisor } from "./supervisor.ts";
import type { PipelineStatus } from "./status.ts";

export type { PipelineSpec } from "./supervisor.ts";
export type { PipelineStatus } from "./status.ts";

/** The streaming runtime of a workspace: every pipeline this process runs. */
export type Sync = {
  /** Starts a pipeline; one that runs another release is swapped: what is in flight is finished, then an epoch opens. */
  start(spec: PipelineSpec): Promise<Result<void>>;
  /** Drains and forgets the pipeline here; what it did stays. */
  stop(environment: string, name: string): Promise<Result<void>>;
  /** A pause outlives a restart. */
  pause(environment: string, name: string): Promise<Result<void>>;
  /** Goes on after a pause, or after a halt once its cause is gone. */
  resume(environment: string, name: string): Promise<Result<void>>;
  running(): { environment: string; name: string; release: string; topic: string }[];
  status(): PipelineStatus[];
  /** Called at each change, many times a second under load. */
  subscribe(listener: () => void): () => void;
  deadLetters(
    environment: string,
    name: string,
    page: { offset: number; limit: number },
  ): { total: number; letters: DeadLetter[] };
  /** What ran when, oldest first. */
  epochs(environment: string, name: string): Epoch[];
  /** Drains every pipeline. */
  close(): Promise<void>;
};

export type SyncOptions = {
  workspace: { root: string; paths: Pick<Workspace["paths"], "topics" | "sinks"> };
  store: ContentStore;
  statePath: string;
  tuning?: Partial<Tuning>;
  limits?: GuestLimits;
};

const LOOK_MS = 1000;

export function openSync({ workspace, store, statePath, tuning, limits }: SyncOptions): Sync {
  mkdirSync(dirname(statePath), { recursive: true });
  const state = openSyncState(statePath);
  const supervisors = new Map<string, Supervisor>();
  const listeners = new Set<() => void>();
  const place = {
    state,
    store,
    root: workspace.root,
    topics: workspace.paths.topics,
    sinks: workspace.paths.sinks,
    tuning: tuning ?? {},
    limits: limits ?? {},
    onChange: () => {
      for (const listener of listeners) listener();
    },
  };
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    const looks = [...supervisors.values()].map((supervisor) =>
      supervisor.look().catch(() => undefined),
    );
    void Promise.all(looks).finally(() => (looking = false));
  }, LOOK_MS);
  timer.unref();

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
      return found.ok ? found.value.pause() : found;
    },
    async resume(environment, name) {
      const found = find(environment, name);
      return found.ok ? found.value.resume() : found;
    },
    running: () =>
      [...supervisors.values()].map((supervisor) => {
        const { environment, name, release, topic } = supervisor.spec();
        return { environment, name, release, topic };
      }),
    status: () => [...supervisors.values()].map((supervisor) => supervisor.status()),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    deadLetters: (environment, name, page) => listDeadLetters(state, { environment, name }, page),
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

function notRunning(environment: string, name: string): Problem {
  return {
    code: "pipeline-not-running",
    message: `No pipeline ${environment}:${name} runs here.`,
    hint: "See the Pipelines page for those that do, or promote a release to start one.",
  };
}
