import type { RowIdentity } from "#snapshots/diff.ts";
import { readSnapshot } from "#snapshots/workspace.ts";
import type { Comparison } from "../compare.ts";
import type { Workbench } from "../workbench.ts";

/**
 * How a comparison's rows are known again in another one: by the identity of the snapshot, where both versions carry its columns on; else by their
 * position in the snapshot, so that what was said of one snapshot's rows says nothing of another's.
 */
export function rowIdentity(
  { workspace }: Pick<Workbench, "workspace">,
  { snapshot, before, after }: Comparison,
): RowIdentity {
  const manifest = readSnapshot(workspace, snapshot.name);
  const columns = manifest.ok ? manifest.value.identity : [];
  const isCarried = columns.every((name) =>
    [before, after].every(({ table }) => table.columns.some((column) => column.name === name)),
  );
  return columns.length > 0 && isCarried ? { columns } : { input: snapshot.hash };
}
