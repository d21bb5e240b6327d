import { ok, type Problem, type Result } from "#snapshots/problem.ts";
import { listEnvironments } from "./environments.ts";
import { releaseAuthors } from "./permission.ts";
import { plan, type Plan } from "./plan.ts";
import { readRelease, type Release } from "./release-files.ts";
import { changedLines, diffLines, type DiffLine } from "./text-diff.ts";
import type { Workbench } from "./workbench.ts";

/** A release with what a reviewer asks: what changes where, what changed in the notebook, who made it. */
export type ReleaseDescription = Release & {
  authors: string[];
  /** What its author said of it: the subject of the commit it was built from. */
  message: string;
  plans: (Plan | { environment: string; problem: Problem })[];
  /** The notebook against the one behind what the last environment (production) runs; null when nothing runs there. */
  sourceDiff: { environment: string; release: string; lines: DiffLine[] } | null;
};

/** Everything the page of a release shows. Comparisons come from the evidence's cache where nothing has changed since. */
export async function describeRelease(
  workbench: Workbench,
  release: Release,
  options: { signal?: AbortSignal } = {},
): Promise<Result<ReleaseDescription>> {
  const { git } = workbench;
  const { environments, problems } = await listEnvironments(git);
  const plans: ReleaseDescription["plans"] = problems.map((problem) => ({
    environment: problem.at?.file ?? "",
    problem,
  }));
  for (const { name } of environments) {
    const planned = await plan(workbench, name, release, options);
    plans.push(planned.ok ? planned.value : { environment: name, problem: planned.problem });
  }
  const commit = await git.log({ from: release.manifest.commit, limit: 1 });
  const last = environments.at(-1);
  const running = last?.pipelines[release.transform]?.release;
  return ok({
    ...release,
    authors: await releaseAuthors(git, release),
    message: commit.ok ? (commit.value[0]?.subject ?? "") : "",
    plans,
    sourceDiff:
      last && running !== undefined
        ? await sourceDiff(workbench, last.name, running, release)
        : null,
  });
}

async function sourceDiff(
  workbench: Workbench,
  environment: string,
  running: string,
  release: Release,
): Promise<ReleaseDescription["sourceDiff"]> {
  const current = readRelease(workbench, release.transform, running);
  if (!current.ok) return null;
  const textOf = async ({ manifest }: Release) => {
    const text = await workbench.git.show(manifest.commit, manifest.notebook);
    return text.ok ? (text.value ?? "") : "";
  };
  const lines = diffLines(await textOf(current.value), await textOf(release));
  return { environment, release: running, lines: changedLines(lines) };
}
