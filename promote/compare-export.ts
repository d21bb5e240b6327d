import type { Result } from "#snapshots/problem.ts";
import { explained, findComparison } from "./compare-details.ts";
import type { Workbench } from "./workbench.ts";

/** Every row that differs into a file; how many they are. */
export async function compareExport(request: {
  workbench: Workbench;
  id: string;
  format: "parquet" | "csv";
  out: string;
}): Promise<Result<{ rows: number }>> {
  const { workbench, id, format, out } = request;
  const found = findComparison(workbench, id);
  if (!found.ok) return found;
  return workbench.queries.diffExport({ ...explained(found.value), format, out });
}
