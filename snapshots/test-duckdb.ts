import duckdb from "@duckdb/node-bindings";

/** Runs statements in a DuckDB of its own, for tests: in memory, or in the file at `path`. */
export async function withDuckDB(statements: string[], path = ":memory:"): Promise<void> {
  const database = await duckdb.open(path);
  const connection = await duckdb.connect(database);
  try {
    for (const sql of statements) await duckdb.query(connection, sql);
  } finally {
    duckdb.disconnect_sync(connection);
    duckdb.close_sync(database);
  }
}
