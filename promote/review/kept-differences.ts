import type {
  DiffPairing,
  DifferenceFilter,
  KeptDifferences,
  RowIdentity,
} from "#snapshots/diff.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";
import { explained } from "../compare-details.ts";
import type { Comparison } from "../compare.ts";
import type { Workbench } from "../workbench.ts";

/** The names of a comparison's differences, its rows being known by `identity`; found once. */
export async function keepDifferences(
  { workbench, signal }: { workbench: Workbench; signal?: AbortSignal | undefined },
  comparison: Comparison,
  filter: DifferenceFilter,
  identity: RowIdentity,
): Promise<Result<KeptDifferences>> {
  const { store, queries } = workbench;
  const asked: DiffPairing & DifferenceFilter & { input?: TableHash } = {
    ...explained(comparison),
    ...filter,
  };
  const entry = `differences 2 ${JSON.stringify({ asked, identity })}`;
  const known = store.getEntry(entry);
  if (known !== undefined) {
    // Written below under a key that holds every table's hash.
    const kept = JSON.parse(known) as KeptDifferences;
    if (store.hasBlob(kept.hash)) return ok(kept);
  }
  const kept = await queries.diffSet({ ...asked, identity, ...(signal ? { signal } : {}) });
  if (kept.ok) store.putEntry(entry, JSON.stringify(kept.value));
  return kept;
}
