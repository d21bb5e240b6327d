import { copyFileSync, rmSync } from "node:fs";
import duckdb from "@duckdb/node-bindings";
import type { SetTest } from "../diff.ts";
import { ok, type Result } from "../problem.ts";
import type { SetInput } from "../protocol.ts";
import { quoteText } from "../types.ts";
import { exchangePath, keepTable, type Comparison } from "./diff-comparison.ts";
import { hashNames, nameColumns, namedDifferences } from "./diff-names.ts";

/** Sets that are kept, so that the next question about them is a look-up. */
const mostSets = 8;

/** A condition over the ordered differences, as `d`. */
export async function setSql(
  comparison: Comparison,
  sets: SetInput[],
  test: SetTest,
): Promise<Result<string>> {
  const isWithout = test === "new" || test === "notSame";
  if (sets.length === 0) return ok(isWithout ? "true" : "false");
  const conditions: string[] = [];
  for (const some of Map.groupBy(sets, ({ by }) => JSON.stringify(by)).values()) {
    const [first] = some;
    if (first === undefined) continue;
    const names = await namedDifferences(comparison, first.by);
    if (!names.ok) return names;
    const set = await loadSets(comparison, some);
    conditions.push(`d.rowid IN (${testSql(names.value, set, test)})`);
  }
  return ok(`(${conditions.join(isWithout ? " AND " : " OR ")})`);
}

/** SQL for the places of the differences, of those whose names are in a table, that a set's names let through. */
export function testSql(names: string, set: string, test: SetTest): string {
  const difference = "USING (dh, dl)";
  const row = "USING (rh, rl)";
  if (test === "same") return `SELECT f.o FROM ${names} f SEMI JOIN ${set} s ${difference}`;
  if (test === "notSame") return `SELECT f.o FROM ${names} f ANTI JOIN ${set} s ${difference}`;
  if (test === "new") return `SELECT f.o FROM ${names} f ANTI JOIN ${set} s ${row}`;
  return `SELECT f.o FROM (SELECT f.* FROM ${names} f ANTI JOIN ${set} s ${difference}) f SEMI JOIN ${set} s ${row}`;
}

/** Sets as one table of names. */
export async function loadSets(comparison: Comparison, sets: SetInput[]): Promise<string> {
  const what = JSON.stringify(sets.map((set) => (set.kind === "set" ? set.hash : set.differences)));
  const kind = { kind: "sets", most: mostSets, what };
  const loaded = await keepTable(comparison, kind, async (table) => {
    const { connection } = comparison.open;
    const columns = hashNames.map((name) => `${name} UBIGINT`);
    await duckdb.query(connection, `CREATE TEMP TABLE ${table} (${columns.join(", ")})`);
    for (const set of sets) {
      if (set.kind === "set") await readSet(comparison, table, set.path);
      else if (set.differences.length > 0)
        await duckdb.query(connection, `INSERT INTO ${table} VALUES ${listed(set.differences)}`);
    }
    return { table };
  });
  return loaded.table;
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
