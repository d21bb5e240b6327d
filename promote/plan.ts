import type { DiffSummary } from "#snapshots/diff.ts";
import { ok, type Problem, type Result } from "#snapshots/problem.ts";
import { topicText, type TopicChoice } from "#snapshots/topic-choice.ts";
import { compareSides, type MetricPair } from "./compare.ts";
import { sideOfRelease } from "./compare-side.ts";
import { contractChanges, type ContractChange } from "./compatibility.ts";
import { withPipeline } from "./environment-edits.ts";
import type { DesiredPipeline } from "./environment-schema.ts";
import { environmentPath, readEnvironment, pipelineMisfit } from "./environments.ts";
import { countApprovals, refusal, type ApprovalCount } from "./permission.ts";
import { topicOf } from "./promote.ts";
import { pipelineSpec } from "./pipeline-spec.ts";
import { readRelease, type Release } from "./release-files.ts";
import type { SinkPlan } from "./sync/open/sink-plan.ts";
import { changedLines, diffLines, type DiffLine } from "./text-diff.ts";
import type { Workbench } from "./workbench.ts";

/** What promoting a release to an environment would change, before anybody does it. */
export type Plan = {
  environment: string;
  /** `topics`: the release runs there, and would read others. */
  change: "new" | "replace" | "topics" | "none";
  /** The release that runs there now, and what it reads. */
  before: string | null;
  topicBefore: TopicChoice | null;
  topic: TopicChoice | null;
  /** The one commit a promotion makes, as a diff of the environment's file. */
  yamlDiff: DiffLine[];
  contract: { breaks: boolean; changes: ContractChange[] };
  /** What would be made or altered in each sink before the first write. */
  sinks: SinkPlan[];
  /** Rows and metrics against what runs there now, on the release's snapshot; absent when nothing runs there. */
  diff?: DiffSummary;
  comparison?: string;
  metrics?: MetricPair[];
  approvals: ApprovalCount;
  /** Why it cannot be done yet. */
  blocked?: Problem;
};

export async function plan(
  workbench: Workbench,
  environment: string,
  release: Release,
  options: { signal?: AbortSignal } = {},
): Promise<Result<Plan>> {
  const read = await readEnvironment(workbench.git, environment);
  if (!read.ok) return read;
  const running = read.value.pipelines[release.transform];
  const topic = topicOf(workbench, release);
  const approvals = await countApprovals(workbench, read.value, release);
  const refused = refusal(read.value, release, approvals);
  const current = running && readRelease(workbench, release.transform, running.release);
  const isSame = running?.release === release.hash;
  const readsSame = !running || !topic.ok || topicText(running.topic) === topicText(topic.value);

  const path = environmentPath(environment);
  const text = await workbench.git.show("HEAD", path);
  if (!text.ok) return text;
  const before = text.value ?? "";
  const desired: DesiredPipeline | undefined = topic.ok
    ? { sinks: ["table", "search"], ...running, release: release.hash, topic: topic.value }
    : undefined;
  const after = desired === undefined ? before : withPipeline(before, release.transform, desired);
  const misfit = desired && pipelineMisfit(read.value, release.transform, desired);
  // Where it does not fit, there may be no server to ask.
  const sinks =
    desired === undefined || misfit !== undefined
      ? undefined
      : await workbench.sync.plan(pipelineSpec(read.value, desired, release));

  const compared =
    current?.ok && !isSame
      ? await compareSides(
          {
            workbench,
            notebook: release.manifest.notebook,
            transform: release.transform,
            ...options,
          },
          sideOfRelease(
            { kind: "environment", name: environment },
            `${environment} (release ${current.value.hash.slice(0, 6)})`,
            current.value,
          ),
          sideOfRelease(
            { kind: "release", hash: release.hash },
            `release ${release.hash.slice(0, 6)}`,
            release,
          ),
        )
      : undefined;
  const changes = current?.ok
    ? contractChanges(current.value.manifest.output, release.manifest.output)
    : [];
  const unplanned = sinks === undefined || sinks.ok ? undefined : sinks.problem;
  const blocked = topic.ok ? (misfit ?? refused ?? unplanned) : topic.problem;
  return ok({
    environment,
    change: !running ? "new" : !isSame ? "replace" : readsSame ? "none" : "topics",
    before: running?.release ?? null,
    topicBefore: running?.topic ?? null,
    topic: topic.ok ? topic.value : null,
    yamlDiff: changedLines(diffLines(before, after)),
    contract: { breaks: changes.some(({ breaks }) => breaks), changes },
    sinks: sinks?.ok ? sinks.value : [],
    ...(compared?.ok
      ? {
          diff: compared.value.summary,
          comparison: compared.value.id,
          metrics: compared.value.metrics,
        }
      : {}),
    approvals,
    ...(blocked ? { blocked } : {}),
  });
}
