import { ok, type Result } from "#snapshots/problem.ts";
import { environmentPath, parseEnvironment } from "./environments.ts";
import { readRelease } from "./release-files.ts";
import type { Workbench } from "./workbench.ts";

/** A stretch of time in which an environment was to run one release; `until` is null for the present one. */
export type HistoryEntry = {
  release: string;
  kind: "promoted" | "rolled back";
  from: string;
  until: string | null;
  by: string;
  commit: string;
  subject: string;
  /** Hash of the evidence it stood on; null when the release is no longer in the workspace. */
  evidence: string | null;
  approvedBy: string[];
};

/** One commit of an environment's file: which release it asked for, or null for none. */
export type Asked = {
  release: string | null;
  at: string;
  by: string;
  commit: string;
  subject: string;
};

/** What ran when, by whom, on what evidence: newest first, from the Git log of the environment's file. */
export async function history(request: {
  workbench: Pick<Workbench, "workspace" | "git">;
  environment: string;
  transform: string;
}): Promise<Result<HistoryEntry[]>> {
  const { environment, transform } = request;
  const { workspace, git } = request.workbench;
  const path = environmentPath(environment);
  const commits = await git.log({ path });
  if (!commits.ok) return commits;
  const ids = commits.value.map(({ id }) => id);
  const texts = await git.showEach(ids, path);
  const asked = commits.value.map((commit, index): Asked => {
    const parsed = parseEnvironment(environment, texts[index] ?? "");
    const release = parsed.ok ? (parsed.value.pipelines[transform]?.release ?? null) : null;
    const { id, at, subject, author } = commit;
    return { release, at, subject, by: author.name, commit: id };
  });
  return ok(
    stretches(asked.toReversed()).map((stretch) => {
      const release = readRelease({ workspace }, transform, stretch.release);
      const approvals = release.ok ? release.value.approvals.filter(({ isValid }) => isValid) : [];
      return {
        ...stretch,
        evidence: release.ok ? release.value.evidence.hash : null,
        approvedBy: approvals.map(({ approval }) => approval.by),
      };
    }),
  );
}

/** From commits, oldest first, to stretches, newest first. Going back to a release that ran before is a roll-back. */
export function stretches(asked: Asked[]): Omit<HistoryEntry, "evidence" | "approvedBy">[] {
  const entries: Omit<HistoryEntry, "evidence" | "approvedBy">[] = [];
  let current: string | null = null;
  for (const { release, at, by, commit, subject } of asked) {
    if (release === current) continue;
    const last = entries.at(-1);
    if (last && last.until === null) last.until = at;
    current = release;
    if (release === null) continue;
    const kind = entries.some((entry) => entry.release === release) ? "rolled back" : "promoted";
    entries.push({ release, kind, from: at, until: null, by, commit, subject });
  }
  return entries.toReversed();
}

/** The release that ran before the present one: where "roll back" goes unless told otherwise. */
export function previousRelease(
  entries: Pick<HistoryEntry, "release" | "until">[],
): string | undefined {
  const [newest] = entries;
  const present = newest?.until === null ? newest.release : undefined;
  return entries.find(({ release }) => release !== present)?.release;
}
