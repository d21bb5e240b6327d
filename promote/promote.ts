import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { topicText, type TopicChoice } from "#snapshots/topic-choice.ts";
import { readSource } from "#snapshots/workspace.ts";
import { withPipeline } from "./environment-edits.ts";
import type { DesiredPipeline } from "./environment-schema.ts";
import {
  environmentPath,
  parseEnvironment,
  readEnvironment,
  pipelineMisfit,
} from "./environments.ts";
import { history, previousRelease } from "./history.ts";
import { countApprovals, refusal } from "./permission.ts";
import { pipelineSpec } from "./pipeline-spec.ts";
import { readRelease, type Release } from "./release-files.ts";
import type { Workbench } from "./workbench.ts";

/** What a promotion or roll-back did. `changed` is false when the release was what the environment asks for already. */
export type Promoted = {
  environment: string;
  transform: string;
  release: string;
  previous: string | null;
  changed: boolean;
  commit: string | null;
  /** A sentence for a person. */
  summary: string;
  /** What it means for who reads the sinks, also in the summary; empty where nothing changes for them. */
  readers: string[];
  /** Set when the commit stands but the pipeline could not follow: it will be tried again at the next start. */
  problem?: Problem;
};

export type PromoteRequest = {
  workbench: Workbench;
  environment: string;
  transform: string;
  /** The release's hash or its first digits. */
  release: string;
  by?: string | undefined;
  message?: string | undefined;
};

/** Lets a release run in an environment: one commit to its file, then the running pipeline follows. */
export async function promote(request: PromoteRequest): Promise<Result<Promoted>> {
  const release = readRelease(request.workbench, request.transform, request.release);
  return release.ok ? install(request, release.value, "promote") : release;
}

export type RollbackRequest = Omit<PromoteRequest, "release"> & { to?: string | undefined };

/** Goes back to the release that ran before, or to a named one: a new commit, checked like a promotion. */
export async function rollback(request: RollbackRequest): Promise<Result<Promoted>> {
  const { workbench, environment, transform, to } = request;
  const known = await readEnvironment(workbench.git, environment);
  if (!known.ok) return known;
  const entries = await history({ workbench, environment, transform });
  if (!entries.ok) return entries;
  const target = to ?? previousRelease(entries.value);
  if (target === undefined) {
    const only = entries.value[0]?.release.slice(0, 6);
    return fail({
      code: "nothing-before",
      message: only
        ? `Release ${only} is the first of ${transform} that ${environment} ever ran, so there is none to roll back to.`
        : `No release of ${transform} has run in ${environment} yet.`,
      hint: "Promote another release instead.",
    });
  }
  const release = readRelease(workbench, transform, target);
  return release.ok ? install({ ...request, release: target }, release.value, "rollback") : release;
}

async function install(
  request: PromoteRequest,
  release: Release,
  action: "promote" | "rollback",
): Promise<Result<Promoted>> {
  const { workbench, transform } = request;
  const { git, state, now } = workbench;
  const environment = await readEnvironment(git, request.environment);
  if (!environment.ok) return environment;
  const { name } = environment.value;
  const topic = topicOf(workbench, release);
  if (!topic.ok) return topic;
  const approvals = await countApprovals(workbench, environment.value, release);
  const refused = refusal(environment.value, release, approvals);
  if (refused) return fail(refused);

  const before = environment.value.pipelines[transform];
  const outcome = { environment: name, transform, release: release.hash };
  const previous = before?.release ?? null;
  if (before !== undefined && isAskedFor(before, { release: release.hash, topic: topic.value })) {
    const { refused } = await workbench.reconcile();
    const problem = problemFor(refused, name, transform);
    const summary = `${name} already runs ${transform} ${release.hash.slice(0, 6)}; nothing to change.`;
    return ok({
      ...outcome,
      previous,
      changed: false,
      commit: null,
      summary,
      readers: [],
      ...problem,
    });
  }

  const by = request.by ?? workbench.person;
  const pipeline: DesiredPipeline = {
    ...before,
    release: release.hash,
    topic: topic.value,
    sinks: before?.sinks ?? ["table", "search"],
  };
  const misfit = pipelineMisfit(environment.value, transform, pipeline);
  if (misfit !== undefined) return fail(misfit);
  const planned = await workbench.sync.plan(pipelineSpec(environment.value, pipeline, release));
  const readers = planned.ok ? planned.value.flatMap((sink) => sink.readers) : [];
  const path = environmentPath(name);
  const subject =
    action === "promote"
      ? `Promote ${transform} ${release.hash.slice(0, 6)} to ${name}`
      : `Roll ${transform} in ${name} back to ${release.hash.slice(0, 6)}`;
  const { email } = await git.person();
  const committed = await git.commitFiles({
    files: async (head) => ({
      [path]: withPipeline((await head.read(path)) ?? "", transform, pipeline),
    }),
    message: [subject, ...(request.message ? ["", request.message] : [])].join("\n"),
    author: { name: by, email },
    at: now(),
  });
  if (!committed.ok) return committed;
  await followInWorkingCopy(join(workbench.workspace.root, path), name, transform, pipeline);
  const commit = committed.value.commit ?? null;
  state.audit({
    at: now(),
    by,
    action,
    environment: name,
    transform,
    release: release.hash,
    commit,
    details: {
      previous,
      evidence: release.evidence.hash,
      approvedBy: approvals.by,
    },
  });
  const { refused: notStarted } = await workbench.reconcile();
  const verb = action === "promote" ? "now asks for" : "is rolled back to";
  const instead =
    previous === release.hash
      ? ` with ${topicText(topic.value)}`
      : previous
        ? `, in place of ${previous.slice(0, 6)}`
        : "";
  const done = `${name} ${verb} ${transform} ${release.hash.slice(0, 6)}${instead}.`;
  const summary = [done, ...readers].join(" ");
  const problem = problemFor(notStarted, name, transform);
  return ok({ ...outcome, previous, changed: true, commit, summary, readers, ...problem });
}

/** What a release's pipeline reads: the topics its input's source names. */
export function topicOf(
  { workspace }: Pick<Workbench, "workspace">,
  release: Release,
): Result<TopicChoice> {
  const name = release.manifest.input.source;
  const source = readSource(workspace, name);
  if (!source.ok) return source;
  if (source.value.topic !== undefined) return ok(source.value.topic);
  return fail({
    code: "source-without-topic",
    message: `Source ${name} names no topic, so ${release.transform} has no stream to run on.`,
    hint: `Add \`topic: NAME\` to sources/${name}.yaml and commit it.`,
    at: { file: `sources/${name}.yaml` },
  });
}

/** Where the person has edits of their own in the environment's file, the change is made in them too. */
async function followInWorkingCopy(
  file: string,
  environment: string,
  transform: string,
  pipeline: DesiredPipeline,
): Promise<void> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const parsed = parseEnvironment(environment, text);
  if (!parsed.ok) return;
  const before = parsed.value.pipelines[transform];
  if (before !== undefined && isAskedFor(before, pipeline)) return;
  await writeFile(file, withPipeline(text, transform, pipeline));
}

function isAskedFor(
  before: DesiredPipeline,
  { release, topic }: Pick<DesiredPipeline, "release" | "topic">,
): boolean {
  return before.release === release && topicText(before.topic) === topicText(topic);
}

function problemFor(
  refused: { environment: string; name: string; problem: Problem }[],
  environment: string,
  name: string,
): { problem?: Problem } {
  const found = refused.find((one) => one.environment === environment && one.name === name);
  return found ? { problem: found.problem } : {};
}
