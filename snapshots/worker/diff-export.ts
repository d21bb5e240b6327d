import duckdb from "@duckdb/node-bindings";
import { ok, type Result } from "../problem.ts";
import type { Limits, WorkerRequest } from "../protocol.ts";
import { quoteName, quoteText } from "../types.ts";
import { exchangePath, openComparison } from "./diff-comparison.ts";
import type { DiffPlan, PlannedSide } from "./diff-plan.ts";
import { orderedDifferences } from "./diff-order.ts";
import { keyNames } from "./diff-sql.ts";
import { watchProgress, type Progress } from "./progress.ts";

type Request = Extract<WorkerRequest, { kind: "diffExport" }>;

/** Every differing row into a file of the comparison's own, by one COPY: the only file that its sealed DuckDB may write. */
export async function runDiffExport(
  request: Request,
  limits: Limits,
  progress: Progress,
): Promise<Result<{ path: string; rows: number }>> {
  const opened = await openComparison(request, limits);
  if (!opened.ok) return opened;
  const { plan, open } = opened.value;
  const path = exchangePath(opened.value);
  const ordered = await orderedDifferences(opened.value);
  const isParquet = request.format === "parquet";
  const how = isParquet ? "FORMAT parquet, COMPRESSION zstd" : "FORMAT csv, HEADER true";
  const stop = watchProgress(open.connection, progress);
  try {
    await duckdb.query(
      open.connection,
      `COPY (${rowsSql(plan, ordered.table, isParquet)}) TO ${quoteText(path)} (${how})`,
    );
  } finally {
    stop();
  }
  return ok({ path, rows: ordered.total });
}

/** `kind`, the key, each side's columns as `before.NAME` and `after.NAME`, and the names of those that changed. */
function rowsSql(plan: DiffPlan, table: string, isParquet: boolean): string {
  const changed = plan.compared.map(
    ({ name }, i) => `CASE WHEN o.d${i} > 0 THEN ${quoteText(name)} END`,
  );
  const names = `list_filter([${changed.join(", ")}]::VARCHAR[], lambda x: x IS NOT NULL)`;
  const columns = [
    "o.kind AS kind",
    ...keyNames(plan).map((key, i) => {
      const name = plan.byPosition ? (["position", "part"][i] ?? key) : (plan.keys[i] ?? key);
      return `${kept(`o.${key}`, plan.keyTypes[i] ?? "", isParquet)} AS ${quoteName(`key.${name}`)}`;
    }),
    ...sideColumns(plan.left, "l", "before", isParquet),
    ...sideColumns(plan.right, "r", "after", isParquet),
    `${isParquet ? names : `to_json(${names})::VARCHAR`} AS changed`,
  ];
  return `SELECT ${columns.join(", ")} FROM ${table} o LEFT JOIN (${plan.left.side.valuesSql}) l ON l.n = o.ln LEFT JOIN (${plan.right.side.valuesSql}) r ON r.n = o.rn ORDER BY o.rowid`;
}

function sideColumns(
  { side }: PlannedSide,
  alias: string,
  prefix: string,
  isParquet: boolean,
): string[] {
  return side.columns.map(
    ({ name, type }, i) =>
      `${kept(`${alias}.v${i}`, type, isParquet)} AS ${quoteName(`${prefix}.${name}`)}`,
  );
}

/** Parquet has no integers beyond 64 bits (DuckDB would round them), bits, unions, intervals of all lengths or offsets of times: their text keeps the value. */
const notInParquet = /\b(U?HUGEINT|BIGNUM|VARINT|UNION|BIT|INTERVAL|TIME WITH TIME ZONE)\b/;

/** What a type's text holds besides types: the values of an ENUM, the names of fields. */
const named = /'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<=[(,]\s*)\w+(?= (?!WITH TIME ZONE))/g;

function kept(sql: string, type: string, isParquet: boolean): string {
  return isParquet && notInParquet.test(type.replaceAll(named, "")) ? `${sql}::VARCHAR` : sql;
}
