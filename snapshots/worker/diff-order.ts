import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import { quoteName } from "../types.ts";
import { queryTexts } from "./database.ts";
import { allDifferences, keep, type Comparison } from "./diff-comparison.ts";
import { orderSql } from "./diff-sql.ts";

/** A table whose rows are numbered in order, and how many they are. */
export type Numbered = { table: string; total: number };

/** The differences in the order of a page: a row's number is its place. */
export function orderedDifferences(comparison: Comparison): Promise<Numbered> {
  return keep(comparison, "ordered", async () => {
    const { connection } = comparison.open;
    const found = await allDifferences(comparison);
    const table = quoteName("ordered differences");
    if (found !== table) {
      await duckdb.query(
        connection,
        `CREATE OR REPLACE TEMP TABLE ${table} AS SELECT * FROM ${found} ORDER BY ${orderSql(comparison.plan)}`,
      );
      // The same rows, once is enough.
      comparison.differences = Promise.resolve(table);
      await duckdb.query(connection, `DROP TABLE ${found}`);
    }
    return { table, total: await countOf(connection, table) };
  });
}

/** How many rows there are. `from` is what follows FROM. */
export async function countOf(connection: Connection, from: string): Promise<number> {
  const [[count = "0"] = []] = await queryTexts(
    connection,
    `SELECT count(*)::VARCHAR FROM ${from}`,
  );
  return Number(count);
}

/** The numbers of a column, without its NULLs. `from` is what follows FROM. */
export async function numbersOf(
  connection: Connection,
  column: string,
  from: string,
): Promise<number[]> {
  const found = await queryTexts(connection, `SELECT ${column}::VARCHAR FROM ${from}`);
  return found.flatMap(([text]) => (typeof text === "string" ? [Number(text)] : []));
}
