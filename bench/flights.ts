import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";

/** Three million real flights of 2001. */
export const allFlights = join(
  import.meta.dirname,
  "../node_modules/vega-datasets/data/flights-3m.parquet",
);

/** A workspace in `folder` whose source `flights` is a Parquet file of the first million flights; gives the file's path. */
export async function makeFlights(folder: string): Promise<string> {
  mkdirSync(join(folder, "data"));
  mkdirSync(join(folder, "sources"));
  writeFileSync(join(folder, "penstock.yaml"), "name: bench\n");
  writeFileSync(
    join(folder, "sources", "flights.yaml"),
    "format: parquet\npath: data/flights.parquet\nrowNumber: id\nidentity: [id]\n",
  );
  const parquet = join(folder, "data", "flights.parquet");
  await withDuckDB((connection) =>
    connection.run(`COPY (SELECT * FROM '${allFlights}' LIMIT 1000000) TO '${parquet}'`),
  );
  return parquet;
}

/** Some work in a DuckDB of its own. */
export async function withDuckDB<T>(
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
