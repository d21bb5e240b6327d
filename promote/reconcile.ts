import type { Problem } from "#snapshots/problem.ts";
import type { StreamSettings } from "#snapshots/stream-settings.ts";
import { topicText } from "#snapshots/topic-choice.ts";
import type { DesiredPipeline, Environment } from "./environment-schema.ts";
import { listEnvironments } from "./environments.ts";
import { countApprovals, refusal } from "./permission.ts";
import { pipelineSpec } from "./pipeline-spec.ts";
import { decide, type Action, type Wanted } from "./reconcile-decide.ts";
import { readRelease, type Release } from "./release-files.ts";
import { streamOf } from "./wanted-spec.ts";
import type { Workbench } from "./workbench.ts";

/** What a reconcile did, and what it would not do. */
export type Reconciled = {
  actions: Action[];
  refused: { environment: string; name: string; release: string; problem: Problem }[];
};

type Candidate = {
  wanted: Wanted;
  environment: Environment;
  pipeline: DesiredPipeline;
  release?: Release;
  stream?: StreamSettings;
};

/** Makes what runs what HEAD's environments/*.yaml say should run. A problem of one pipeline stops no other. */
export async function reconcile(workbench: Workbench): Promise<Reconciled> {
  const { environments, broken, problems, isComplete } = await listEnvironments(workbench.git);
  const running = workbench.sync.running();
  const refused: Reconciled["refused"] = [];
  if (!isComplete) {
    const [problem] = problems;
    for (const { environment, name, release } of running)
      if (problem) refused.push({ environment, name, release, problem });
    return { actions: [], refused };
  }
  const candidates: Candidate[] = [];
  for (const environment of environments.filter((each) => runsHere(each, workbench))) {
    for (const [name, pipeline] of Object.entries(environment.pipelines)) {
      candidates.push(await candidate(workbench, environment, name, pipeline));
    }
  }
  // A file that cannot be understood asks for nothing: neither to start a pipeline nor to stop one.
  const unknown = broken.flatMap(({ name, problem }) =>
    running
      .filter(({ environment }) => environment === name)
      .map((pipeline): Wanted => ({ ...pipeline, refusal: problem })),
  );
  for (const { name, problem } of broken)
    if (!unknown.some(({ environment }) => environment === name))
      refused.push({ environment: name, name: "", release: "", problem });
  const actions = decide([...candidates.map(({ wanted }) => wanted), ...unknown], running);
  for (const action of actions) {
    const { environment, name, release } = action;
    const chosen = candidates.find(
      ({ wanted }) => wanted.environment === environment && wanted.name === name,
    );
    const problem =
      action.kind === "refuse" ? action.problem : await apply(workbench, action, chosen);
    if (problem) refused.push({ environment, name, release, problem });
  }
  return { actions, refused };
}

/** A server leaves the pipelines of separate workers alone; a worker runs those of its own environment, unless that has become files of another process. */
function runsHere(
  environment: Environment,
  { only, holdsLock }: Pick<Workbench, "only" | "holdsLock">,
): boolean {
  if (environment.kind === "embedded" && !holdsLock) return false;
  if (only !== undefined) return environment.name === only;
  return environment.kind === "embedded" || environment.workers === "server";
}

async function candidate(
  workbench: Workbench,
  environment: Environment,
  name: string,
  pipeline: DesiredPipeline,
): Promise<Candidate> {
  const wanted: Wanted = {
    environment: environment.name,
    name,
    release: pipeline.release,
    topic: topicText(pipeline.topic),
  };
  const read = readRelease(workbench, name, pipeline.release);
  if (!read.ok) return { wanted: { ...wanted, refusal: read.problem }, environment, pipeline };
  const release = read.value;
  const stream = await streamOf(workbench, release.manifest.input.source);
  const problem =
    refusal(environment, release, await countApprovals(workbench, environment, release)) ??
    missingLookup(workbench, release) ??
    (stream.ok ? undefined : stream.problem);
  return {
    wanted: problem
      ? {
          ...wanted,
          refusal: problem,
        }
      : wanted,
    environment,
    pipeline,
    release,
    ...(stream.ok ? { stream: stream.value } : {}),
  };
}

async function apply(
  { sync }: Workbench,
  action: Exclude<Action, { kind: "refuse" }>,
  chosen: Candidate | undefined,
): Promise<Problem | undefined> {
  if (action.kind === "stop") {
    await sync.stop(action.environment, action.name);
    return undefined;
  }
  if (!chosen?.release) return undefined;
  const { environment, pipeline, release, stream } = chosen;
  const spec = pipelineSpec(environment, pipeline, release, stream);
  // The same release may be asked to run elsewhere: other addresses, other sinks.
  if (action.kind === "keep" && sync.isCurrent(spec)) return undefined;
  const started = await sync.start(spec);
  return started.ok ? undefined : started.problem;
}

function missingLookup({ store }: Workbench, release: Release): Problem | undefined {
  const missing = Object.entries(release.manifest.lookups).find(
    ([, { table }]) => store.tableInfo(table) === undefined,
  );
  if (!missing) return undefined;
  const [name, { table }] = missing;
  return {
    code: "lookup-missing",
    message: `Lookup ${name} (${table.slice(0, 6)}) of release ${release.transform} ${release.hash.slice(0, 6)} is not in this workspace's store.`,
    hint: `Freeze ${release.manifest.input.snapshot} and what the lookup reads again, then run the notebook: equal data gives the table its name back.`,
  };
}
