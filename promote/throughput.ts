import { openSlice, type SliceSpec } from "#kernel/guest/slice.ts";
import type { Queries } from "#snapshots/queries.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";

/** How quickly one guest took a table's first rows, decoding and encoding included. */
export type Throughput = { rows: number; elapsedMs: number; rowsPerSecond: number };

const enoughRows = 200_000;

/** Feeds a table's first rows to one fresh guest. An observation of this machine, never a fact. */
export async function measureThroughput(
  queries: Queries,
  table: TableHash,
  slice: SliceSpec,
  signal?: AbortSignal,
): Promise<Result<Throughput>> {
  const opened = await openSlice(slice);
  if (!opened.ok) return opened;
  let rows = 0;
  let elapsedMs = 0;
  try {
    for await (const batch of queries.read({ table, ...(signal ? { signal } : {}) })) {
      const startedAt = performance.now();
      const ran = await opened.value.run(batch, signal);
      if (!ran.ok) return ran;
      elapsedMs += performance.now() - startedAt;
      rows += ran.value.read;
      if (rows >= enoughRows) break;
    }
  } finally {
    await opened.value.close();
  }
  const rowsPerSecond = elapsedMs > 0 ? Math.round((rows / elapsedMs) * 1000) : 0;
  return ok({ rows, elapsedMs: Math.round(elapsedMs), rowsPerSecond });
}
