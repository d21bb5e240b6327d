import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NewRecord } from "#promote/sync/embedded/frames.ts";
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

/** Real flights as records, in the order they departed; every tenth is a correction of an earlier one, every fiftieth a cancellation. */
export async function* flightRecords(count: number): AsyncGenerator<NewRecord[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const result = await connection.stream(recordsSql(count));
    for await (const rows of result.yieldRowsJs())
      yield rows.map(([n, id, value]) => record(Number(n), id, value));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const recordsSql = (
  count: number,
): string => `SELECT n, id, json_object('id', id, 'date', strftime(date, '%Y-%m-%dT%H:%M:%S'),
  'delay', delay, 'distance', distance, 'origin', origin, 'destination', destination)::VARCHAR
FROM (SELECT file_row_number AS n, CASE WHEN n % 10 = 7 THEN (n * 7919) % n ELSE n END AS id, *
  FROM read_parquet('${allFlights}', file_row_number = true) LIMIT ${count})`;

function record(n: number, id: unknown, value: unknown): NewRecord {
  const key = Buffer.from(String(id));
  const isCancelled = n % 50 === 49;
  return { key, value: isCancelled ? null : Buffer.from(String(value)), timestampMs: n };
}
