import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { arrowToRows } from "#snapshots/arrow.ts";
import type { TableInfo } from "#snapshots/table.ts";
import type { Output } from "./document.ts";
import {
  evaluate,
  type CodeOf,
  type Evaluated,
  type EvaluateOptions,
  type Evaluation,
} from "./evaluate.ts";
import type { TableExpression } from "./guest/slice.ts";
import { locate, cellLabel } from "./locate.ts";

/** Rows a chart gets at most: beyond that a picture says no more, and the page stalls. */
const chartRows = 50_000;

/** A table as a cell shows it: where its rows are, and for a transform what became of its records. */
export function tableOutputs(
  name: string,
  evaluated: Evaluated,
  bundle: string | undefined,
  text: string,
): Output[] {
  const { table, transformed } = evaluated;
  const shown: Output = {
    kind: "table",
    name,
    table: table.hash,
    columns: table.columns,
    rows: table.rows,
    ...(transformed ? { read: transformed.read, filtered: transformed.filtered } : {}),
    ...(bundle === undefined ? {} : { hashOfBundle: bundle }),
  };
  if (!transformed || transformed.failed === 0) return [shown];
  return [shown, { kind: "problem", problem: recordProblem(name, transformed, text) }];
}

function recordProblem(
  name: string,
  transformed: NonNullable<Evaluated["transformed"]>,
  text: string,
): Problem {
  const { failed, read, errors } = transformed;
  const [first] = errors;
  const place = first?.line === undefined ? undefined : locate(text, first.line);
  const what = first
    ? ` The first, at row ${first.position.toLocaleString("en-US")}: ${first.message}`
    : "";
  return {
    code: "records-failed",
    message: `\`${name}\` failed for ${failed.toLocaleString("en-US")} of ${read.toLocaleString("en-US")} records; they are not in the output.${what}`,
    hint: "Handle such a record: return null to filter it, or give the value it lacks. On the stream these records go to the dead letters.",
    ...(place
      ? {
          at: {
            cell: cellLabel(place.index),
            line: place.line,
            ...(first?.column === undefined ? {} : { column: first.column }),
          },
        }
      : {}),
  };
}

/** A chart with its rows in it. */
export async function chartOutput(
  context: Evaluation,
  spec: unknown,
  data: { rows: unknown[] } | { expression: TableExpression } | undefined,
  codeOf: CodeOf,
  options: EvaluateOptions,
): Promise<Result<Output>> {
  if (!data) return ok({ kind: "chart", spec, rows: [] });
  if ("rows" in data)
    return ok({
      kind: "chart",
      spec,
      rows: data.rows.slice(0, chartRows),
      ...cut(data.rows.length),
    });
  const evaluated = await evaluate(context, data.expression, codeOf, options);
  if (!evaluated.ok) return evaluated;
  const { table } = evaluated.value;
  const rows = await readRows(context, table, chartRows);
  return rows.ok
    ? ok({ kind: "chart", spec, rows: rows.value, ...cut(table.rows) })
    : fail(rows.problem);
}

function cut(rows: number): { truncated?: string } {
  if (rows <= chartRows) return {};
  return {
    truncated: `The first ${chartRows.toLocaleString("en-US")} of ${rows.toLocaleString("en-US")} rows are drawn. Aggregate with sql first to draw all of them.`,
  };
}

/** Rows as JSON can carry them. */
async function readRows(
  context: Evaluation,
  table: TableInfo,
  limit: number,
): Promise<Result<unknown[]>> {
  const window = await context.queries.window({ table: table.hash, offset: 0, limit });
  return window.ok ? ok(arrowToRows(window.value.ipc).map(jsonSafe)) : window;
}

function jsonSafe(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, item]) => [String(key), jsonSafe(item)]));
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(jsonSafe);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, jsonSafe(item)]));
}
