import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import type { DiffKey, DiffSide } from "#snapshots/diff.ts";
import { unwrap } from "#snapshots/problem.ts";
import { openQueries, type Queries } from "#snapshots/queries.ts";
import { openContentStore } from "#snapshots/store.ts";
import { median, type Benchmark, type Measurement } from "./bench.ts";
import { allFlights, withDuckDB } from "./flights.ts";

export const rows: Benchmark[] = [{ name: "diff", run }];

type Case = {
  label: string;
  left: string;
  right: string;
  key: string[];
  memoryLimit?: string;
  repeats: number;
  most: number;
};

const ten = (count: number) =>
  `SELECT range AS id, hash(range) % 1000 AS a, (range * 7919) % 1000003 AS b, range / 7 AS c, 'text ' || (range % 5000) AS d, range % 2 = 0 AS e, TIMESTAMP '2001-01-01' + INTERVAL (range % 100000) SECOND AS f, (range % 9999)::DECIMAL(12, 2) AS g, 'some longer text number ' || range AS h, nullif(range % 13, 5) AS i FROM range(${count})`;
const changedTen = (sql: string) =>
  `SELECT * REPLACE (CASE WHEN id % 1000 = 7 THEN b + 1 ELSE b END AS b, CASE WHEN id % 500 = 3 THEN d || ' ' ELSE d END AS d) FROM (${sql}) WHERE id % 5000 <> 3`;
const wide = (change: string) =>
  `SELECT range AS id, ${Array.from({ length: 209 }, (_, i) => (i % 4 === 3 ? `'v' || ((range * ${i + 1}) % 1000) AS c${i}` : `(range * ${i + 1}) % 10007 ${i % 50 === 0 ? change : ""} AS c${i}`)).join(", ")} FROM range(200000)`;
const flights = `SELECT file_row_number AS id, date, delay, distance, origin, destination, delay > 15 AS late FROM read_parquet('${allFlights}', file_row_number = true) LIMIT 1500000`;
const changedFlights = `SELECT * REPLACE (CASE WHEN id % 1000 = 7 THEN delay + 1 ELSE delay END AS delay, delay >= 15 AS late) FROM (${flights}) WHERE id % 5000 <> 3`;

const cases: Case[] = [
  {
    label: "1 M × 10",
    left: ten(1_000_000),
    right: changedTen(ten(1_000_000)),
    key: ["id"],
    repeats: 9,
    most: 1.25,
  },
  {
    label: "10 M × 10, in 2 GB",
    left: ten(10_000_000),
    right: changedTen(ten(10_000_000)),
    key: ["id"],
    memoryLimit: "2GB",
    repeats: 2,
    most: 1.25,
  },
  {
    label: "200 k × 210",
    left: wide(""),
    right: wide("+ (CASE WHEN range % 1000 = 7 THEN 1 ELSE 0 END)"),
    key: ["id"],
    repeats: 3,
    most: 0.7,
  },
  {
    label: "1.5 M flights",
    left: flights,
    right: changedFlights,
    key: ["id"],
    repeats: 9,
    most: 1.25,
  },
  {
    label: "1.5 M flights by date, origin and destination, which repeat",
    left: flights,
    right: changedFlights,
    key: ["date", "origin", "destination"],
    repeats: 3,
    most: 2,
  },
];

/** Counting what differs between two Parquet files, against the query somebody would write by hand for these columns. */
async function run(): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const one of cases) {
    const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
    try {
      measurements.push(...(await measure(one, folder)));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return measurements;
}

async function measure(one: Case, folder: string): Promise<Measurement[]> {
  const files = { left: join(folder, "left.parquet"), right: join(folder, "right.parquet") };
  const columns = await withDuckDB(async (connection) => {
    await connection.run(`COPY (${one.left}) TO '${files.left}'`);
    await connection.run(`COPY (${one.right}) TO '${files.right}'`);
    const described = await connection.runAndReadAll(`DESCRIBE FROM '${files.left}'`);
    return described.getRows().map(([name]) => String(name));
  });
  const side = (path: string): DiffSide => ({ kind: "file", path, format: "parquet" });
  const [left, right] = [side(files.left), side(files.right)];
  const open = (name: string) =>
    openQueries({
      store: openContentStore(join(folder, name)),
      workspaceRoot: folder,
      workers: 1,
      ...(one.memoryLimit === undefined ? {} : { memoryLimit: one.memoryLimit }),
    });
  const startedAt = performance.now();
  const cold = open("cold");
  unwrap(await cold.diff({ left, right, key: one.key, samples: 20 }));
  unwrap(await cold.diffCauses({ left, right, key: one.key }));
  const whole = performance.now() - startedAt;
  await cold.close();

  const queries = open("warm");
  const forget = await forgetter(queries, folder);
  const instance = await DuckDBInstance.create(":memory:", {
    threads: String(availableParallelism()),
    ...(one.memoryLimit === undefined ? {} : { memory_limit: one.memoryLimit }),
    temp_directory: join(folder, "spill"),
  });
  const connection = await instance.connect();
  const sql = byHand(files, columns, one.key);
  const timings = { diff: [] as number[], reference: [] as number[] };
  for (let i = 0; i <= one.repeats; i += 1) {
    await forget();
    // The worker tidies up and readies itself when it has answered: the diff is to have both processors.
    await setTimeout(600);
    const diffAt = performance.now();
    unwrap(await queries.diff({ left, right, key: one.key }));
    const took = performance.now() - diffAt;
    const referenceAt = performance.now();
    await connection.run(sql);
    const reference = performance.now() - referenceAt;
    if (i === 0) continue;
    timings.diff.push(took);
    timings.reference.push(reference);
  }
  const peak = peakMegabytes();
  connection.closeSync();
  instance.closeSync();
  await queries.close();
  const value = median(timings.diff);
  const reference = median(timings.reference);
  return [
    {
      label: `diff ${one.label} / hand-written FULL JOIN`,
      value,
      reference,
      unit: "ms",
      ratio: value / reference,
      bar: { most: one.most },
    },
    {
      label: `diff ${one.label}: from nothing to counts, samples and causes`,
      value: whole,
      unit: "ms",
    },
    { label: `diff ${one.label}: most memory of the worker`, value: peak, unit: "MB" },
  ];
}

/** A comparison found once is kept by its worker; after two others it is forgotten. */
async function forgetter(queries: Queries, folder: string): Promise<() => Promise<void>> {
  const key: DiffKey = null;
  const side = (name: string): DiffSide => {
    const path = join(folder, `${name}.csv`);
    if (!existsSync(path)) writeFileSync(path, "a\n1\n");
    return { kind: "file", path, format: "csv" };
  };
  return async () => {
    for (const name of ["x", "y"])
      unwrap(await queries.diff({ left: side(name), right: side(name), key }));
  };
}

/** The most memory any worker of this process had, by the system's own count. */
function peakMegabytes(): number {
  const children = readdirSync("/proc/self/task").flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean),
  );
  const peaks = children.map((pid) =>
    Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0),
  );
  return Math.round(Math.max(0, ...peaks) / 1024);
}

function byHand(files: { left: string; right: string }, columns: string[], key: string[]): string {
  const compared = columns.filter((name) => !key.includes(name));
  const [first = ""] = key;
  const isPair = `l.${first} IS NOT NULL AND r.${first} IS NOT NULL`;
  const differs = (name: string) => `l.${name} IS DISTINCT FROM r.${name}`;
  return `SELECT count(*) FILTER (WHERE r.${first} IS NULL) AS removed,
    count(*) FILTER (WHERE l.${first} IS NULL) AS added,
    count(*) FILTER (WHERE ${isPair} AND (${compared.map(differs).join(" OR ")})) AS changed,
    ${compared.map((name) => `count(*) FILTER (WHERE ${isPair} AND ${differs(name)}) AS ${name}`).join(",\n    ")}
  FROM '${files.left}' l FULL JOIN '${files.right}' r ON ${key.map((name) => `l.${name} = r.${name}`).join(" AND ")}`;
}
