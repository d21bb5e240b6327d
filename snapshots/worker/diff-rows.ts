import type { DiffPage, RowIdentity } from "../diff.ts";
import { ok, type Result } from "../problem.ts";
import type { Limits, WorkerRequest } from "../protocol.ts";
import { openComparison, type Comparison } from "./diff-comparison.ts";
import { chosenDifferences } from "./diff-filter.ts";
import { namesOf } from "./diff-names.ts";
import { numbersOf, orderedDifferences } from "./diff-order.ts";
import { readDifferences } from "./diff-page.ts";
import { amongSql } from "./diff-sql.ts";

type Request = Extract<WorkerRequest, { kind: "diffRows" }>;

/** A page of the rows that differ, with their values on both sides, ordered by key. */
export async function runDiffRows(request: Request, limits: Limits): Promise<Result<DiffPage>> {
  const opened = await openComparison(request, limits);
  if (!opened.ok) return opened;
  const comparison = opened.value;
  const ordered = await orderedDifferences(comparison);
  const chosen = await chosenDifferences(comparison, ordered.table, request);
  if (!chosen.ok) return chosen;
  const first = Math.max(0, Math.trunc(request.offset));
  const last = first + Math.max(0, Math.trunc(request.limit));
  const inView = `rowid >= ${first} AND rowid < ${last}`;
  const { connection } = comparison.open;
  const where = chosen.value
    ? amongSql("d.rowid", await numbersOf(connection, "r", `${chosen.value.table} WHERE ${inView}`))
    : inView;
  const from = `(SELECT d.rowid AS o, d.* FROM ${ordered.table} d WHERE ${where})`;
  const rows = await page(comparison, from, request.identity);
  return rows.ok ? ok({ rows: rows.value, total: (chosen.value ?? ordered).total }) : rows;
}

async function page(
  comparison: Comparison,
  from: string,
  identity: RowIdentity | undefined,
): Promise<Result<DiffPage["rows"]>> {
  const { plan, open } = comparison;
  const found = await readDifferences(open.connection, plan, `FROM ${from} ORDER BY o`);
  const names = identity && (await namesOf(comparison, identity, from));
  if (names && !names.ok) return names;
  return ok(
    found.map(({ kind, key, left, right, changed }, i) => {
      const difference = names?.value[i];
      const row = { kind, key, before: left, after: right, changed };
      return difference === undefined ? row : { ...row, difference };
    }),
  );
}
