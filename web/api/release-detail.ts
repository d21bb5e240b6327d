import { listEnvironments } from "#promote/environments.ts";
import { plan, type Plan } from "#promote/plan.ts";
import { readRelease, type Release } from "#promote/release-files.ts";
import { changedLines, diffLines, type DiffLine } from "#promote/text-diff.ts";
import type { Workbench } from "#promote/workbench.ts";
import { ok, unwrap, type Problem, type Result } from "#snapshots/problem.ts";

/** A release without the code that runs: that is told by its hash and size. */
export type ReleaseFacts = Omit<Release, "bundle" | "metricsBundle"> & { bundleBytes: number };

export function factsOf({ bundle, ...release }: Release): ReleaseFacts {
  const { metricsBundle: _, ...facts } = release;
  return { ...facts, bundleBytes: Buffer.byteLength(bundle) };
}

/** Everything a reviewer looks at before a release goes on. */
export type ReleaseDetail = {
  release: ReleaseFacts;
  /** The notebook's text against that of the release it would replace; null `against` when nothing runs yet. */
  sourceDiff: { against: { environment: string; release: string } | null; lines: DiffLine[] };
  plans: Plan[];
  problems: Problem[];
};

export async function releaseDetail(
  workbench: Workbench,
  transform: string,
  hash: string,
  signal: AbortSignal,
): Promise<Result<ReleaseDetail>> {
  const read = readRelease(workbench, transform, hash);
  if (!read.ok) return read;
  const { environments, problems } = await listEnvironments(workbench.git);
  const plans: Plan[] = [];
  for (const { name } of environments) {
    const planned = await plan(workbench, name, read.value, { signal });
    if (planned.ok) plans.push(planned.value);
    else problems.push(planned.problem);
  }
  // Environments come in the order releases pass through them: the last one that runs this transform is production.
  const running = environments.findLast(({ pipelines }) => pipelines[transform] !== undefined);
  const against = running && {
    environment: running.name,
    release: running.pipelines[transform]?.release ?? "",
  };
  const before = against ? readRelease(workbench, transform, against.release) : undefined;
  const texts = await Promise.all([
    before?.ok ? notebookOf(workbench, before.value) : "",
    notebookOf(workbench, read.value),
  ]);
  return ok({
    release: factsOf(read.value),
    sourceDiff: { against: against ?? null, lines: changedLines(diffLines(...texts)) },
    plans,
    problems,
  });
}

async function notebookOf({ git }: Workbench, { manifest }: Release): Promise<string> {
  const shown = await git.show(manifest.commit, manifest.notebook);
  return unwrap(shown) ?? "";
}
