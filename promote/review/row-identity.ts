import type { RowIdentity } from "#snapshots/diff.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";
import { quoteName } from "#snapshots/types.ts";
import { readSnapshot } from "#snapshots/workspace.ts";
import type { Comparison } from "../compare.ts";
import type { Workbench } from "../workbench.ts";

/** How a comparison's own rows are named: by their place in its snapshot, which no two share. */
export function ownIdentity({ snapshot }: Comparison): RowIdentity {
  return { input: snapshot.hash };
}

/**
 * By what rows are known in both comparisons: their key, where both were paired by the same one; on one snapshot their place in it; else the snapshot's
 * identity, where all four tables carry it and none holds one twice. Undefined where nothing says which row is which.
 */
export async function commonIdentity(
  workbench: Pick<Workbench, "workspace" | "store" | "queries">,
  a: Comparison,
  b: Comparison,
): Promise<Result<RowIdentity | undefined>> {
  if (JSON.stringify(a.key) !== JSON.stringify(b.key)) return ok(undefined);
  if (a.key !== "position" || a.snapshot.hash === b.snapshot.hash) return ok(ownIdentity(b));
  const [columns, others] = [a, b].map(({ snapshot }) => {
    const manifest = readSnapshot(workbench.workspace, snapshot.name);
    return manifest.ok ? manifest.value.identity : [];
  });
  if (!columns || columns.length === 0 || columns.join("\0") !== others?.join("\0"))
    return ok(undefined);
  for (const { table } of [a.before, a.after, b.before, b.after]) {
    const isCarried = columns.every((name) => table.columns.some((column) => column.name === name));
    if (!isCarried) return ok(undefined);
    const unique = await isUnique(workbench, table.hash, columns);
    if (!unique.ok) return unique;
    if (!unique.value) return ok(undefined);
  }
  return ok({ columns });
}

/** Whether no two rows of a table agree in some columns; found once. */
async function isUnique(
  { store, queries }: Pick<Workbench, "store" | "queries">,
  hash: TableHash,
  columns: string[],
): Promise<Result<boolean>> {
  const entry = `unique 1 ${JSON.stringify([hash, columns])}`;
  const known = store.getEntry(entry);
  if (known !== undefined) return ok(known === "true");
  const sql = `SELECT 1 AS twice FROM made GROUP BY ${columns.map(quoteName).join(", ")} HAVING count(*) > 1 LIMIT 1`;
  const found = await queries.sql({ sql, inputs: { made: hash } });
  if (!found.ok) return found;
  store.putEntry(entry, String(found.value.rows === 0));
  return ok(found.value.rows === 0);
}
