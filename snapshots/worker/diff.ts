import type { Connection } from "@duckdb/node-bindings";
import duckdb from "@duckdb/node-bindings";
import { diffKinds, type DiffKind, type DiffSample, type DiffSummary } from "../diff.ts";
import { ok, type Result } from "../problem.ts";
import type { Limits, WorkerRequest } from "../protocol.ts";
import { queryTexts } from "./database.ts";
import { startBudget, type Budget } from "./diff-budget.ts";
import { allDifferences, openComparison, type Comparison } from "./diff-comparison.ts";
import { countDifferences, emptyDifferences, findDifferences } from "./diff-find.ts";
import { readDifferences } from "./diff-page.ts";
import type { DiffPlan } from "./diff-plan.ts";
import { renameCandidates } from "./diff-renames.ts";
import { orderSql, type Slice } from "./diff-sql.ts";
import { watchProgress, type Progress } from "./progress.ts";

type Request = Extract<WorkerRequest, { kind: "diff" }>;

/** What was looked at, and what was found in it. */
type Counted = { table: string; covered: { left: number; right: number }; note?: string };

/** Counts what differs between two sides, and shows some of it. */
export async function runDiff(
  request: Request,
  limits: Limits,
  progress: Progress,
): Promise<Result<DiffSummary>> {
  const startedAt = performance.now();
  const opened = await openComparison(request, limits);
  if (!opened.ok) return opened;
  const comparison = opened.value;
  const { plan, open } = comparison;
  const stop = watchProgress(open.connection, progress);
  try {
    const budget = startBudget(request.budgetMs);
    const counted = await count(comparison, budget, request.stopAfter);
    const { table, covered, note } = counted;
    const { rows, columns } = await countDifferences(open.connection, plan, table, covered);
    const samples = await samplesOf(open.connection, plan, table, request.samples ?? 0);
    // What was found part by part is of no use to what is asked next.
    if (table !== (await comparison.differences))
      await duckdb.query(open.connection, `DROP TABLE ${table}`);
    const isUnchanged = rows.changed + rows.added + rows.removed + rows.ambiguous.keys === 0;
    const figures = new Map(plan.compared.map(({ name }, i) => [name, columns[i]]));
    const none = { changed: 0, nullToValue: 0, valueToNull: 0 };
    const renames = await budget.within(open.connection, () =>
      renameCandidates(open.connection, plan),
    );
    return ok({
      identical: note === undefined && plan.hasSameSchema && isUnchanged,
      complete: note === undefined,
      keys: plan.keys,
      ...(plan.byPosition ? { byPosition: true } : {}),
      rows,
      columns: plan.columns.map(({ name, status, ...column }) => ({
        name,
        status,
        ...column,
        ...(figures.get(name) ?? none),
      })),
      renameCandidates: renames ?? [],
      samples,
      causes: [],
      elapsedMs: performance.now() - startedAt,
      ...(note === undefined ? {} : { note }),
    });
  } finally {
    stop();
  }
}

/**
 * All differences, as long as no budget or number of them cuts the search short. Then keys are looked at part by part, each part whole: what is
 * counted of them is exact, and the note says how much of the sides it covers.
 */
async function count(
  comparison: Comparison,
  budget: Budget,
  stopAfter: number | undefined,
): Promise<Counted> {
  const { plan, open } = comparison;
  const all = { left: plan.left.side.rows, right: plan.right.side.rows };
  if (stopAfter === undefined) {
    const table = await budget.within(open.connection, () => allDifferences(comparison), 0.6);
    if (table !== undefined) return { table, covered: all };
    return countParts(open.connection, plan, budget, 64, undefined);
  }
  const parts = Math.min(64, Math.max(16, Math.ceil(Math.max(all.left, all.right) / 250_000)));
  return countParts(open.connection, plan, budget, parts, stopAfter);
}

async function countParts(
  connection: Connection,
  plan: DiffPlan,
  budget: Budget,
  of: number,
  stopAfter: number | undefined,
): Promise<Counted> {
  const table = await emptyDifferences(connection, plan);
  const covered = { left: 0, right: 0 };
  let part = 0;
  let why = "";
  for (; part < of; part += 1) {
    const slice: Slice = { part, of };
    const rows = await budget.within(connection, () => countPart(connection, plan, table, slice));
    if (rows === undefined) {
      why = `the budget of ${budget.ms / 1000} s was over`;
      break;
    }
    covered.left += rows.left;
    covered.right += rows.right;
    if (stopAfter !== undefined && rows.differences >= stopAfter && part + 1 < of) {
      why = `${rows.differences} differences were found, and ${stopAfter} are enough`;
      part += 1;
      break;
    }
  }
  if (why === "") return { table, covered };
  const share = `${part} of ${of} parts of the keys, by their hash: ${covered.left} of ${plan.left.side.rows} left and ${covered.right} of ${plan.right.side.rows} right rows`;
  return {
    table,
    covered,
    note: `Cut short: ${why}. All figures cover ${share}.`,
  };
}

/** Either all of a part is in the table, or nothing. */
async function countPart(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  slice: Slice,
): Promise<{ left: number; right: number; differences: number }> {
  await duckdb.query(connection, "BEGIN TRANSACTION");
  try {
    const { left, right } = await findDifferences(connection, plan, table, slice);
    const [[differences = "0"] = []] = await queryTexts(
      connection,
      `SELECT count(*)::VARCHAR FROM ${table}`,
    );
    await duckdb.query(connection, "COMMIT");
    return { left, right, differences: Number(differences) };
  } catch (error) {
    // Not stopped by the interrupt that came late: that one ends a statement that is under way.
    await rollback(connection);
    throw error;
  }
}

async function rollback(connection: Connection): Promise<void> {
  await duckdb.query(connection, "ROLLBACK").catch(() => duckdb.query(connection, "ROLLBACK"));
}

async function samplesOf(
  connection: Connection,
  plan: DiffPlan,
  table: string,
  most: number,
): Promise<Record<DiffKind, DiffSample[]>> {
  const samples: Record<DiffKind, DiffSample[]> = {
    changed: [],
    added: [],
    removed: [],
    ambiguous: [],
  };
  if (most <= 0) return samples;
  for (const kind of diffKinds) {
    const found = await readDifferences(
      connection,
      plan,
      `FROM ${table} WHERE kind = '${kind}' ORDER BY ${orderSql(plan)} LIMIT ${Math.trunc(most)}`,
    );
    samples[kind] = found.map(({ key, left, right, changed }) => ({
      key,
      left,
      right,
      columns: changed,
    }));
  }
  return samples;
}
