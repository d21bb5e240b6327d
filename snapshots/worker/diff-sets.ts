import duckdb from "@duckdb/node-bindings";
import type { DifferenceCounts, SetTest } from "../diff.ts";
import { ok, type Result } from "../problem.ts";
import type { Limits, WorkerRequest } from "../protocol.ts";
import { quoteText } from "../types.ts";
import { exchangePath, openComparison } from "./diff-comparison.ts";
import { chosenDifferences } from "./diff-filter.ts";
import { nameColumns, namedDifferences } from "./diff-names.ts";
import { countOf, orderedDifferences } from "./diff-order.ts";
import { loadSets, setSql, testSql } from "./diff-set-tables.ts";

/** The names of the differences that a filter leaves, into a file of the comparison's own. */
export async function runDiffSet(
  request: Extract<WorkerRequest, { kind: "diffSet" }>,
  limits: Limits,
): Promise<Result<{ path: string; rows: number }>> {
  const opened = await openComparison(request, limits);
  if (!opened.ok) return opened;
  const comparison = opened.value;
  const ordered = await orderedDifferences(comparison);
  const chosen = await chosenDifferences(comparison, ordered.table, request);
  if (!chosen.ok) return chosen;
  const names = await namedDifferences(comparison, request.identity);
  if (!names.ok) return names;
  const from = `SELECT ${nameColumns} FROM ${names.value}`;
  const where = chosen.value ? ` WHERE o IN (SELECT r FROM ${chosen.value.table})` : "";
  const path = exchangePath(comparison);
  await duckdb.query(
    comparison.open.connection,
    `COPY (${from}${where} ORDER BY ${nameColumns}) TO ${quoteText(path)} (FORMAT parquet)`,
  );
  return ok({ path, rows: (chosen.value ?? ordered).total });
}

/** How many of a comparison's differences are among those of sets. */
export async function runDiffSince(
  request: Extract<WorkerRequest, { kind: "diffSince" }>,
  limits: Limits,
): Promise<Result<DifferenceCounts>> {
  const opened = await openComparison(request, limits);
  if (!opened.ok) return opened;
  const comparison = opened.value;
  const { table, total } = await orderedDifferences(comparison);
  const count = (from: string) => countOf(comparison.open.connection, from);
  const same: number[] = [];
  for (const group of request.groups) {
    const isAmong = await setSql(comparison, group, "same");
    if (!isAmong.ok) return isAmong;
    same.push(group.length === 0 ? 0 : await count(`${table} d WHERE ${isAmong.value}`));
  }
  if (request.since === undefined) return ok({ total, same });
  const names = await namedDifferences(comparison, request.since.by);
  if (!names.ok) return names;
  const set = await loadSets(comparison, [request.since]);
  const those = (test: SetTest) => count(`(${testSql(names.value, set, test)})`);
  const since = {
    new: await those("new"),
    otherwise: await those("otherwise"),
    same: await those("same"),
    gone: await count(`(SELECT * FROM ${set} s ANTI JOIN ${names.value} f USING (rh, rl))`),
  };
  return ok({ total, same, since });
}
