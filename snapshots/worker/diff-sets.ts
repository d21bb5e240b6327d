import { copyFileSync, rmSync } from "node:fs";
import duckdb from "@duckdb/node-bindings";
import type { DifferenceCounts, RowIdentity, SetTest } from "../diff.ts";
import { fail, ok, type Result } from "../problem.ts";
import type { Limits, SetInput, WorkerRequest } from "../protocol.ts";
import { quoteName, quoteText } from "../types.ts";
import { queryTexts } from "./database.ts";
import { exchangePath, keep, openComparison, type Comparison } from "./diff-comparison.ts";
import { chosenDifferences } from "./diff-filter.ts";
import { nameColumns, namedDifferences } from "./diff-names.ts";
import { orderedDifferences } from "./diff-order.ts";

/** Sets that are kept, so that the next question about them is a look-up. */
const mostSets = 8;

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
  const { total } = await orderedDifferences(comparison);
  const named = await namedDifferences(comparison, request.identity);
  if (!named.ok) return named;
  const count = async (from: string) => {
    const [[many = "0"] = []] = await queryTexts(
      comparison.open.connection,
      `SELECT count(*)::VARCHAR FROM ${from}`,
    );
    return Number(many);
  };
  const those = (set: string, test: SetTest) => count(`(${testSql(named.value, set, test)})`);
  const same: number[] = [];
  for (const group of request.groups) {
    same.push(group.length === 0 ? 0 : await those(await loadSets(comparison, group), "same"));
  }
  if (request.since === undefined) return ok({ total, same });
  const set = await loadSets(comparison, [request.since]);
  const since = {
    new: await those(set, "new"),
    otherwise: await those(set, "otherwise"),
    same: await those(set, "same"),
    gone: await count(`(SELECT * FROM ${set} s ANTI JOIN ${named.value} f USING (rh, rl))`),
  };
  return ok({ total, same, since });
}

/** A condition over the ordered differences, as `d`. */
export async function setSql(
  comparison: Comparison,
  identity: RowIdentity | undefined,
  sets: SetInput[],
  test: SetTest,
): Promise<Result<string>> {
  if (identity === undefined) {
    return fail({
      code: "no-identity",
      message: "Differences are compared with others, and nothing says how a row is known again.",
      hint: "Name an identity.",
    });
  }
  if (sets.length === 0) return ok(test === "new" || test === "notSame" ? "true" : "false");
  const names = await namedDifferences(comparison, identity);
  if (!names.ok) return names;
  const set = await loadSets(comparison, sets);
  return ok(`d.rowid IN (${testSql(names.value, set, test)})`);
}

function testSql(names: string, set: string, test: SetTest): string {
  const difference = "USING (dh, dl)";
  const row = "USING (rh, rl)";
  if (test === "same") return `SELECT f.o FROM ${names} f SEMI JOIN ${set} s ${difference}`;
  if (test === "notSame") return `SELECT f.o FROM ${names} f ANTI JOIN ${set} s ${difference}`;
  if (test === "new") return `SELECT f.o FROM ${names} f ANTI JOIN ${set} s ${row}`;
  return `SELECT f.o FROM (SELECT f.* FROM ${names} f ANTI JOIN ${set} s ${difference}) f SEMI JOIN ${set} s ${row}`;
}

let made = 0;

/** Sets as one table of names. */
async function loadSets(comparison: Comparison, sets: SetInput[]): Promise<string> {
  const key = sets.map((set) => (set.kind === "set" ? set.hash : set.differences));
  return keep(comparison, `sets ${JSON.stringify(key)}`, async () => {
    await forgetOldest(comparison);
    made += 1;
    const table = quoteName(`sets ${made}`);
    const { connection } = comparison.open;
    const columns = nameColumns.split(", ").map((name) => `${name} UBIGINT`);
    await duckdb.query(connection, `CREATE TEMP TABLE ${table} (${columns.join(", ")})`);
    for (const set of sets) {
      if (set.kind === "set") await readSet(comparison, table, set.path);
      else if (set.differences.length > 0)
        await duckdb.query(connection, `INSERT INTO ${table} VALUES ${listed(set.differences)}`);
    }
    return table;
  });
}

/** The sealed DuckDB reads no other file: the set is laid where it may. */
async function readSet(comparison: Comparison, table: string, path: string): Promise<void> {
  const copy = exchangePath(comparison);
  copyFileSync(path, copy);
  try {
    await duckdb.query(
      comparison.open.connection,
      `INSERT INTO ${table} SELECT ${nameColumns} FROM read_parquet(${quoteText(copy)})`,
    );
  } finally {
    rmSync(copy, { force: true });
  }
}

/** Names as SQL; a text that is none cannot name anything. */
function listed(differences: string[]): string {
  const halves = (name: string) =>
    (/^[0-9a-f]{64}$/.test(name) ? name : "0".repeat(64)).match(/.{16}/g) ?? [];
  return differences
    .map(
      (name) =>
        `(${halves(name)
          .map((half) => BigInt(`0x${half}`))
          .join(", ")})`,
    )
    .join(", ");
}

async function forgetOldest({ kept, open }: Comparison): Promise<void> {
  const loaded = [...kept.keys()].filter((name) => name.startsWith("sets "));
  for (const name of loaded.slice(0, Math.max(0, loaded.length - mostSets))) {
    const table = (await kept.get(name)) as string;
    kept.delete(name);
    await duckdb.query(open.connection, `DROP TABLE IF EXISTS ${table}`);
  }
}
