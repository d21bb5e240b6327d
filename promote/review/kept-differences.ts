import type { DiffPairing, DifferenceFilter, KeptDifferences } from "#snapshots/diff.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";
import { explained } from "../compare-details.ts";
import type { Comparison } from "../compare.ts";
import type { Workbench } from "../workbench.ts";
import { rowIdentity } from "./row-identity.ts";

/** The names of a comparison's differences, found once. */
export async function keepDifferences(
  { workbench, signal }: { workbench: Workbench; signal?: AbortSignal | undefined },
  comparison: Comparison,
  filter: DifferenceFilter,
): Promise<Result<KeptDifferences>> {
  const { store, queries } = workbench;
  const asked: DiffPairing & DifferenceFilter & { input?: TableHash } = {
    ...explained(comparison),
    ...filter,
  };
  const identity = rowIdentity(workbench, comparison);
  const entry = `differences 1 ${JSON.stringify({ asked, identity })}`;
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
