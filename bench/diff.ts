import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { unwrap } from "#snapshots/problem.ts";
import { openQueries } from "#snapshots/queries.ts";
import { openContentStore } from "#snapshots/store.ts";
import { openWorkspace, readSource } from "#snapshots/workspace.ts";
import { median, type Benchmark, type Measurement } from "./bench.ts";
import { makeFlights } from "./flights.ts";

const repeats = 5;

export const rows: Benchmark[] = [{ name: "diff", run }];

/** Counting what differs between two versions of a million flights, against a FULL JOIN written by hand for these columns. */
async function run(): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  const store = openContentStore(join(folder, "store"));
  const queries = openQueries({ store, workspaceRoot: folder });
  try {
    await makeFlights(folder);
    const source = unwrap(readSource(unwrap(openWorkspace(folder)), "flights"));
    const { info } = unwrap(await queries.freeze({ source }));
    const make = async (sql: string) =>
      unwrap(await queries.sql({ sql, inputs: { flights: info.hash } })).hash;
    const before = await make("SELECT *, delay > 15 AS late FROM flights");
    const after = await make(
      "SELECT * REPLACE (CASE WHEN id % 1000 = 7 THEN delay + 1 ELSE delay END AS delay), delay >= 15 AS late FROM flights WHERE id % 5000 <> 3",
    );
    const instance = await DuckDBInstance.create(":memory:", {
      threads: String(availableParallelism()),
    });
    const connection = await instance.connect();
    await connection.run(
      `ATTACH '${store.tablePath(before)}' AS l (READ_ONLY); ATTACH '${store.tablePath(after)}' AS r (READ_ONLY)`,
    );
    const timings = { diff: [] as number[], reference: [] as number[] };
    for (let i = 0; i <= repeats; i += 1) {
      const startedAt = performance.now();
      unwrap(await queries.diff({ before, after, key: ["id"] }));
      const took = performance.now() - startedAt;
      const referenceStartedAt = performance.now();
      await connection.run(byHand);
      const reference = performance.now() - referenceStartedAt;
      if (i === 0) continue;
      timings.diff.push(took);
      timings.reference.push(reference);
    }
    connection.closeSync();
    instance.closeSync();
    const value = median(timings.diff);
    const reference = median(timings.reference);
    return [
      {
        label: "diff 1,000,000 flights / hand-written FULL JOIN",
        value,
        reference,
        unit: "ms",
        ratio: value / reference,
        bar: { most: 1.5 },
      },
    ];
  } finally {
    await queries.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const compared = ["date", "delay", "distance", "origin", "destination", "late"];
const isPair = "l.id IS NOT NULL AND r.id IS NOT NULL";
const byHand = `SELECT count(*) FILTER (WHERE r.id IS NULL) AS removed,
  count(*) FILTER (WHERE l.id IS NULL) AS added,
  count(*) FILTER (WHERE ${isPair} AND (${compared.map((name) => `l.${name} IS DISTINCT FROM r.${name}`).join(" OR ")})) AS changed,
  ${compared.map((name) => `count(*) FILTER (WHERE ${isPair} AND l.${name} IS DISTINCT FROM r.${name}) AS ${name}`).join(",\n  ")}
FROM l.data l FULL JOIN r.data r ON l.id = r.id`;
