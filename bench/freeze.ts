import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import { unwrap } from "#snapshots/problem.ts";
import { openQueries, type Queries } from "#snapshots/queries.ts";
import { openContentStore } from "#snapshots/store.ts";
import { openWorkspace, readSource } from "#snapshots/workspace.ts";
import { median, type Benchmark, type Measurement } from "./bench.ts";
import { makeFlights } from "./flights.ts";

const repeats = 5;

export const rows: Benchmark[] = [{ name: "freeze", run }];

/** Freezing a million flights, against the same CREATE TABLE AS alone; both from Parquet to a file, with the same threads. */
async function run(): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  let queries: Queries | undefined;
  try {
    const parquet = await makeFlights(folder);
    const workspace = unwrap(openWorkspace(folder));
    const source = unwrap(readSource(workspace, "flights"));
    const store = openContentStore(join(folder, "store"));
    queries = openQueries({ store, workspaceRoot: folder });
    const timings = { freeze: [] as number[], reference: [] as number[] };
    for (let i = 0; i <= repeats; i += 1) {
      const startedAt = performance.now();
      unwrap(await queries.freeze({ source }));
      const took = performance.now() - startedAt;
      // The worker tidies up and readies itself when it has answered; the reference is to have both processors.
      await setTimeout(500);
      const reference = await createTableAs(parquet, join(folder, `reference${i}.duckdb`));
      // The first round warms the worker, as it is in the workbench, and the file cache.
      if (i === 0) continue;
      timings.freeze.push(took);
      timings.reference.push(reference);
    }
    const value = median(timings.freeze);
    const reference = median(timings.reference);
    return [
      {
        label: "freeze 1,000,000 flights / CREATE TABLE AS alone",
        value,
        reference,
        unit: "ms",
        ratio: value / reference,
        bar: { most: 1.5 },
      },
    ];
  } finally {
    await queries?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function createTableAs(parquet: string, file: string): Promise<number> {
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(availableParallelism()),
  });
  const connection = await instance.connect();
  const startedAt = performance.now();
  await connection.run(`ATTACH '${file}' AS out`);
  await connection.run(
    `CREATE TABLE out.data AS SELECT * FROM (SELECT file_row_number AS id, * EXCLUDE (file_row_number) FROM read_parquet('${parquet}', file_row_number = true))`,
  );
  await connection.run("DETACH out");
  const took = performance.now() - startedAt;
  connection.closeSync();
  instance.closeSync();
  return took;
}
