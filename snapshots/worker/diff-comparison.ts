import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import { filePattern } from "../file-pattern.ts";
import { fail, ok, type Result } from "../problem.ts";
import type { Limits, SideInput, Sides, TableFile } from "../protocol.ts";
import { quoteName, quoteText } from "../types.ts";
import { attach, closeLater, openDatabase, seal, type Open } from "./database.ts";
import { problemOf } from "./errors.ts";
import { emptyDifferences, findDifferences } from "./diff-find.ts";
import { planDiff, type DiffPlan } from "./diff-plan.ts";
import { describeSide, openSide } from "./diff-side.ts";
import { refusePredicate } from "./diff-where.ts";

/**
 * Two sides open in a DuckDB of their own, sealed: a predicate reads their rows and nothing else. What differs is found once and kept, so that
 * counts, pages, causes and profiles of one pairing are look-ups after the first.
 */
export type Comparison = {
  open: Open;
  plan: DiffPlan;
  /** The one folder it reads and writes files in. */
  exchange: string;
  /** All differences, once they were found. */
  differences: Promise<string> | undefined;
  /** What has been made of them since, by name. */
  kept: Map<string, Promise<unknown>>;
};

const comparisons = new Map<string, Comparison>();
const mostKept = 2;

/** `input` is attached too, for causes that lie in it. */
export async function openComparison(
  { left, right, pairing, input }: Sides & { input?: TableFile },
  limits: Limits,
): Promise<Result<Comparison>> {
  const name = JSON.stringify([left, right, pairing, input?.info.hash].map(identity));
  const known = comparisons.get(name);
  if (known !== undefined) {
    comparisons.delete(name);
    comparisons.set(name, known);
    return ok(known);
  }
  for (const [oldest, { open }] of comparisons) {
    if (comparisons.size < mostKept) break;
    comparisons.delete(oldest);
    closeLater(open);
  }
  const open = await openDatabase(limits, limits.threads);
  const exchange = join(limits.spillFolder, `exchange ${process.pid} ${randomUUID()}`);
  const sides = { left, right, pairing };
  const plan = await prepare(open.connection, sides, input, exchange).catch((error: unknown) =>
    fail(problemOf(error)),
  );
  if (!plan.ok) {
    closeLater(open);
    return plan;
  }
  const comparison: Comparison = {
    open,
    plan: plan.value,
    exchange,
    differences: undefined,
    kept: new Map(),
  };
  comparisons.set(name, comparison);
  return ok(comparison);
}

/** What tells tables and files apart: the hash of the one, where and in what state the other is. */
function identity(part: unknown): unknown {
  const side = part as SideInput | undefined;
  return side?.kind === "table" ? side.table.info.hash : part;
}

async function prepare(
  connection: Connection,
  { left, right, pairing }: Sides,
  input: TableFile | undefined,
  exchange: string,
): Promise<Result<DiffPlan>> {
  const { where } = pairing;
  if (where !== undefined) {
    const problem = await refusePredicate(connection, where);
    if (problem !== undefined) return fail(problem);
  }
  const leftRows = await openSide(connection, left, "left");
  if (!leftRows.ok) return leftRows;
  const rightRows = await openSide(connection, right, "right");
  if (!rightRows.ok) return rightRows;
  if (input !== undefined) await attach(connection, input.path, "input table", "READ_ONLY");
  const paths = [left, right].flatMap((side) =>
    side.kind === "file" && side.format === "parquet" ? [side.path, filePattern(side.path)] : [],
  );
  await duckdb.query(
    connection,
    `SET allowed_paths = [${paths.map(quoteText).join(", ")}]; SET allowed_directories = [${quoteText(exchange)}]`,
  );
  await seal(connection);
  const leftSide = await describeSide(connection, leftRows.value, where);
  if (!leftSide.ok) return leftSide;
  const rightSide = await describeSide(connection, rightRows.value, where);
  if (!rightSide.ok) return rightSide;
  return planDiff(pairing, leftSide.value, rightSide.value);
}

/** The table of all differences. */
export function allDifferences(comparison: Comparison): Promise<string> {
  const find = async () => {
    const { open, plan } = comparison;
    const table = await emptyDifferences(open.connection, plan);
    await findDifferences(open.connection, plan, table);
    return table;
  };
  comparison.differences ??= find().catch((error: unknown) => {
    comparison.differences = undefined;
    throw error;
  });
  return comparison.differences;
}

/** A path for a file that its sealed DuckDB may read and write. */
export function exchangePath({ exchange }: Comparison): string {
  mkdirSync(exchange, { recursive: true });
  return join(exchange, randomUUID());
}

/** Made once per comparison, what was asked for last being last in `kept`; a failure is forgotten. */
export function keep<T>(comparison: Comparison, name: string, make: () => Promise<T>): Promise<T> {
  const known = comparison.kept.get(name);
  // Each name is used with one type.
  if (known !== undefined) {
    comparison.kept.delete(name);
    comparison.kept.set(name, known);
    return known as Promise<T>;
  }
  const made = make();
  made.catch(() => comparison.kept.delete(name));
  comparison.kept.set(name, made);
  return made;
}

/** A table made once per comparison, of which only the `most` of its kind that were asked for last are kept. */
export function keepTable<T extends { table: string }>(
  comparison: Comparison,
  { kind, most, what }: { kind: string; most: number; what: string },
  make: (table: string) => Promise<T>,
): Promise<T> {
  return keep(comparison, `${kind} ${what}`, async () => {
    const { kept, open } = comparison;
    const names = [...kept.keys()].filter((name) => name.startsWith(`${kind} `));
    for (const name of names.slice(0, Math.max(0, names.length - most))) {
      // All of a kind are kept here.
      const { table } = (await kept.get(name)) as T;
      kept.delete(name);
      await duckdb.query(open.connection, `DROP TABLE IF EXISTS ${table}`);
    }
    made += 1;
    return make(quoteName(`${kind} ${made}`));
  });
}

let made = 0;
