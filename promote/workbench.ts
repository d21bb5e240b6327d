import { unwatchFile, watchFile } from "node:fs";
import { join } from "node:path";
import { closeSpareGuests } from "#kernel/guest/guest-process.ts";
import type { NotebookSession } from "#kernel/session-host.ts";
import { writeTypes } from "#kernel/types.ts";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { openQueries, type Queries } from "#snapshots/queries.ts";
import { openContentStore, type ContentStore } from "#snapshots/store.ts";
import { openWorkspace, type Workspace } from "#snapshots/workspace.ts";
import { openDemoFeeds } from "./demo-feed.ts";
import { listEnvironments } from "./environments.ts";
import { git, type Git } from "./git.ts";
import { holdWorkspace } from "./lock.ts";
import { reconcile, type Reconciled } from "./reconcile.ts";
import { openState, type State } from "./state.ts";
import { openSync, type Sync, type SyncOptions } from "./sync/sync.ts";

/** Everything one process holds of one workspace. Actions (build, promote, compare, …) take it as an argument. */
export type Workbench = {
  workspace: Workspace;
  store: ContentStore;
  queries: Queries;
  state: State;
  git: Git;
  sync: Sync;
  /** Open notebooks by name; the server keeps them over page reloads. */
  sessions: Map<string, NotebookSession>;
  /** Who works here: Git's user, else the person logged in. */
  person: string;
  now: () => Date;
  /** The one environment whose pipelines run here; undefined: all but those whose workers are separate. */
  only: string | undefined;
  /** Whether the workspace's files are this process's: those of embedded environments belong to one. */
  holdsLock: boolean;
  /** Makes what runs what Git says should run. Where pipelines do not run here (`withSync: false`), does nothing. */
  reconcile(): Promise<Reconciled>;
  /** What the last reconcile refused, with the reason, for the page of the pipelines. */
  refusals(): Reconciled["refused"];
  /** Why nothing is fed to the demo's topic, if so. */
  feedProblem(): Problem | undefined;
  close(): Promise<void>;
};

export type WorkbenchOptions = {
  /** Run this workspace's pipelines in this process. */
  withSync: boolean;
  /** Be the one process that holds the workspace; a second one is refused. */
  holdLock: boolean;
  /** Be a worker: run only this environment's pipelines, beside whoever holds the workspace. */
  only?: string;
  now?: () => Date;
  /** Looks on while pipelines run, for metrics and logs. */
  watch?: {
    observe: NonNullable<SyncOptions["observe"]>;
    refused(refused: Reconciled["refused"]): void;
    failed(reason: string): void;
  };
};

/** Opens a workspace: the composition root. Closing it ends every process and thread it started. */
export async function openWorkbench(
  dir: string,
  options: WorkbenchOptions,
): Promise<Result<Workbench>> {
  const opened = openWorkspace(dir);
  if (!opened.ok) return opened;
  const workspace = opened.value;
  const repository = git(workspace.root);
  const noRepository = await repositoryProblem(repository);
  if (noRepository) return fail(noRepository);
  const lock = options.holdLock ? holdWorkspace(workspace.paths.penstock) : undefined;
  if (lock && !lock.ok) return lock;

  try {
    return ok(
      await compose(workspace, repository, options, () => lock?.ok && lock.value.release()),
    );
  } catch (error) {
    if (lock?.ok) lock.value.release();
    const reason = error instanceof Error ? error.message : String(error);
    if (!/readonly|unable to open|not a database|EACCES|EROFS|ENOSPC/.test(reason)) throw error;
    return fail({
      code: "workspace-not-writable",
      message: `${workspace.paths.penstock} cannot be used (${reason}).`,
      hint: "Make the workspace's folder writable and leave room on its disk; what is in .penstock/ can be made again from what is committed.",
    });
  }
}

async function compose(
  workspace: Workspace,
  repository: Git,
  options: WorkbenchOptions,
  releaseLock: () => void,
): Promise<Workbench> {
  const now = options.now ?? (() => new Date());
  const state = openState(workspace.paths.state);
  const store = openContentStore(workspace.paths.store);
  const queries = openQueries({ store, workspaceRoot: workspace.root });
  const sync = openSync({
    workspace,
    store,
    statePath: workspace.paths.state,
    ...options.watch,
  });
  const sessions = new Map<string, NotebookSession>();
  await writeTypes(workspace);

  let last: Reconciled = { actions: [], refused: [] };
  let turn: Promise<unknown> = Promise.resolve();
  const isWorker = options.only !== undefined;
  const feeds = options.withSync && !isWorker ? openDemoFeeds(workspace, process.env) : undefined;
  const headLog = await repository.headLogPath();
  const commitSeen = () => {
    workbench.reconcile().catch((error: unknown) => options.watch?.failed(String(error)));
  };
  const workbench: Workbench = {
    workspace,
    store,
    queries,
    state,
    sync,
    sessions,
    now,
    only: options.only,
    holdsLock: options.holdLock,
    git: repository,
    person: (await repository.person()).name,
    reconcile: () => {
      const next = turn.then(async () => {
        if (options.withSync) last = await reconcile(workbench);
        if (feeds) feeds.follow((await listEnvironments(repository)).environments);
        options.watch?.refused(last.refused);
        return last;
      });
      turn = next.catch(() => undefined);
      return next;
    },
    refusals: () => last.refused,
    feedProblem: () => feeds?.problem(),
    close: async () => {
      unwatchFile(headLog, commitSeen);
      await feeds?.stop();
      await turn;
      await Promise.all([...sessions.values()].map((session) => session.close()));
      sessions.clear();
      await sync.close();
      await queries.close();
      await closeSpareGuests();
      state.close();
      releaseLock();
    },
  };
  await workbench.reconcile();
  // A person may edit environments/*.yaml and commit by hand: what the last commit says is what runs.
  if (options.withSync) watchFile(headLog, { interval: 1000, persistent: false }, commitSeen);
  return workbench;
}

async function repositoryProblem(repository: Git): Promise<Problem | undefined> {
  if (await repository.isRepository()) return undefined;
  const head = await repository.resolve("HEAD");
  if (!head.ok && head.problem.code.match(/^git-(?:owner|missing)$/)) return head.problem;
  return {
    code: "no-repository",
    message: `${join(repository.root, "penstock.yaml")} is there, but the folder is not a Git repository of its own.`,
    hint: "Run `npx penstock init` on it: that makes the repository and the first commit, and changes nothing else.",
  };
}
