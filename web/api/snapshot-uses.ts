import { readFileSync } from "node:fs";
import { join } from "node:path";
import { listReleases } from "#promote/release-files.ts";
import type { Workbench } from "#promote/workbench.ts";
import { listNotebooks } from "./notebook-files.ts";

/** Who reads a snapshot by its name; while anybody does, it is not deleted. */
export type SnapshotUses = { notebooks: string[]; releases: { transform: string; hash: string }[] };

export async function snapshotUses(workbench: Workbench, name: string): Promise<SnapshotUses> {
  const { workspace } = workbench;
  // Any quoted mention counts: rather one too many than a notebook that cannot run any more.
  const mention = new RegExp(`["'\`]${RegExp.escape(name)}["'\`]`);
  const notebooks = listNotebooks(workbench)
    .filter(({ path }) => mention.test(readFileSync(join(workspace.root, path), "utf8")))
    .map((notebook) => notebook.name);
  const releases = (await listReleases(workbench))
    .filter(({ snapshot }) => snapshot === name)
    .map(({ transform, hash }) => ({ transform, hash }));
  return { notebooks, releases };
}
