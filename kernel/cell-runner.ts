import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";
import { analyseCell, type CellAnalysis } from "./analysis.ts";
import { buildMetrics } from "./bundle.ts";
import { cellCode, placeInCell } from "./cell-code.ts";
import { cellModules } from "./cell-modules.ts";
import { chartOutput, tableOutputs } from "./cell-outputs.ts";
import type { Output, Variable } from "./document.ts";
import {
  evaluate,
  keyOf,
  type CodeOf,
  type Evaluated,
  type EvaluateOptions,
  type Evaluation,
} from "./evaluate.ts";
import type { CellGuest } from "./cell-guest.ts";
import type { CellResult, DisplayItem, ValueSummary } from "./guest/interactive.ts";
import type { TableExpression } from "./guest/slice.ts";
import { showExpectations, type CheckDiff } from "./expectations.ts";
import { inCell } from "./locate.ts";
import { evaluateMetrics } from "./run-metric.ts";
import { sha256 } from "./sha256.ts";

/** All a cell needs to run; `text` is the notebook as it stands. */
export type CellRun = {
  id: string;
  label: string;
  source: string;
  text: string;
  fileName: string;
  /** Keys of the values it uses, by name. */
  inputs: Record<string, string>;
  context: Evaluation;
  guest: CellGuest;
  codeOf: CodeOf;
  captured: Record<string, unknown>;
  signal: AbortSignal;
  checkDiff?: CheckDiff;
  onOutput(output: Output): void;
};

export type CellOutcome = {
  isOk: boolean;
  outputs: Output[];
  variables: Variable[];
  /** Key of each value it defined, by name. */
  values: Record<string, string>;
  /** What the guest said of each value, by name. */
  summaries: Record<string, ValueSummary>;
  fromCache: boolean;
};

/** Runs a cell in the interactive guest, then makes the tables, numbers and charts it describes. */
export async function runCell(run: CellRun): Promise<CellOutcome> {
  const analysis = analyseCell(run.source);
  const outputs: Output[] = [];
  const executed = await execute(run, analysis, (output) => {
    outputs.push(output);
    run.onOutput(output);
  });
  if (!executed.ok) return failed(outputs, atCell(executed.problem, run.id));
  const { result, displays, imported } = executed.value;
  const state = newState();
  const options: EvaluateOptions = { signal: run.signal, notebookText: run.text };
  // Displayed tables and charts stand where they were shown; the others follow in the order of their definition.
  const shown: Output[] = [];
  for (const item of displays) shown.push(...(await showItem(run, item, state, options)));
  for (const [name, summary] of Object.entries(result.defined)) {
    if (!isName(name)) continue;
    if (summary.kind === "table")
      shown.push(...(await showTable(run, name, summary.expression, state, options)));
    state.values[name] = keyOfValue(name, summary, state, { analysis, run, imported });
    state.variables.push(variableOf(name, summary, state, analysis, run.id));
  }
  if (analysis.statements.some((statement) => statement.isMetric))
    shown.push(...(await showMetrics(run, state, options)));
  if (analysis.statements.some((statement) => statement.isExpectation))
    shown.push(
      ...(await showExpectations(run, (problem) => problemOutput(state, problem, run.id))),
    );
  if (result.last) shown.push(...(await showLast(run, result.last, analysis, state, options)));
  const problem = state.problems.length > 0;
  return {
    isOk: !problem,
    outputs: [...outputs, ...shown],
    variables: state.variables,
    values: problem ? {} : state.values,
    summaries: result.defined,
    fromCache: state.tables > 0 && state.made === 0,
  };
}

type State = {
  values: Record<string, string>;
  variables: Variable[];
  tablesByName: Map<string, Evaluated>;
  shown: Set<string>;
  problems: Problem[];
  tables: number;
  made: number;
};

function newState(): State {
  return {
    values: {},
    variables: [],
    tablesByName: new Map(),
    shown: new Set(),
    problems: [],
    tables: 0,
    made: 0,
  };
}

/** Compiles a cell and runs it in the guest; displays that need a table are handed back in order. */
export async function execute(
  run: Pick<CellRun, "id" | "source" | "fileName" | "guest" | "inputs" | "signal"> & {
    context: Evaluation;
  },
  analysis: CellAnalysis,
  onOutput: (output: Output) => void,
): Promise<Result<{ result: CellResult; displays: DisplayItem[]; imported: string }>> {
  const modules = await cellModules(run.context.workspace.root, run.fileName, analysis);
  if (!modules.ok) return modules;
  const code = cellCode(run.source, analysis, modules.value);
  if (!code.ok) return code;
  const done = await run.guest.run(
    {
      id: run.id,
      code: code.value.code,
      uses: Object.keys(run.inputs),
      defines: code.value.defines.filter((name) => name !== "__last"),
    },
    onOutput,
    run.signal,
  );
  const imported = modules.value.prelude;
  if (done.ok) return ok({ result: done.value, displays: done.value.displays, imported });
  const { line, column } = done.problem.at ?? {};
  if (line === undefined || column === undefined) return done;
  return fail({
    ...done.problem,
    at: { ...done.problem.at, ...placeInCell(code.value, { line, column }) },
  });
}

async function showTable(
  run: CellRun,
  name: string,
  expression: TableExpression,
  state: State,
  options: EvaluateOptions,
): Promise<Output[]> {
  const key = JSON.stringify(expression);
  if (state.shown.has(key)) return [];
  state.shown.add(key);
  const evaluated = await evaluate(run.context, expression, run.codeOf, options);
  if (!evaluated.ok) return [problemOutput(state, inCell(evaluated.problem, run.text), run.id)];
  state.tables++;
  if (!evaluated.value.fromCache) state.made++;
  state.tablesByName.set(name, evaluated.value);
  const code = expression.kind === "transform" ? await run.codeOf(expression.name) : undefined;
  const shown = tableOutputs(
    name,
    evaluated.value,
    code?.ok ? sha256(code.value.code) : undefined,
    run.text,
  );
  return shown;
}

async function showItem(
  run: CellRun,
  item: DisplayItem,
  state: State,
  options: EvaluateOptions,
): Promise<Output[]> {
  switch (item.kind) {
    case "table":
      return showTable(run, nameOfExpression(item.expression), item.expression, state, options);
    case "chart": {
      const data = item.expression
        ? { expression: item.expression }
        : item.rows
          ? { rows: item.rows }
          : undefined;
      const chart = await chartOutput(run.context, item.spec, data, run.codeOf, options);
      return [
        chart.ok ? chart.value : problemOutput(state, inCell(chart.problem, run.text), run.id),
      ];
    }
    case "markdown":
      return [{ kind: "markdown", text: item.text }];
    case "text":
      return [{ kind: "text", stream: "value", text: item.text }];
  }
}

async function showLast(
  run: CellRun,
  last: ValueSummary,
  analysis: CellAnalysis,
  state: State,
  options: EvaluateOptions,
): Promise<Output[]> {
  const { file, statements } = analysis;
  const text = statements.at(-1)?.node.getText(file).replace(/;\s*$/, "") ?? "";
  if (last.kind === "table")
    return showTable(
      run,
      /^[\w$]+$/.test(text) ? text : nameOfExpression(last.expression),
      last.expression,
      state,
      options,
    );
  if (last.kind === "metric" || last.text === "undefined") return [];
  if (analysis.statements.at(-1)?.isExpectation) return [];
  return [{ kind: "text", stream: "value", text: last.text }];
}

/** A cell's metrics, each over its own table, in one bundle. */
async function showMetrics(
  run: CellRun,
  state: State,
  options: EvaluateOptions,
): Promise<Output[]> {
  const { context, text, fileName, captured, label } = run;
  const bundle = await buildMetrics(
    { workspace: context.workspace, notebookText: text, fileName, captured },
    { inCell: label },
  );
  if (!bundle.ok) return [problemOutput(state, bundle.problem, run.id)];
  const { metrics, code, sourceMap } = bundle.value;
  const tables = new Map<TableHash, number[]>();
  for (const [index, metric] of metrics.entries()) {
    const table = await evaluate(context, metric.table, run.codeOf, options);
    if (!table.ok) return [problemOutput(state, inCell(table.problem, text), run.id)];
    const { hash } = table.value.table;
    tables.set(hash, [...(tables.get(hash) ?? []), index]);
  }
  const outputs: Output[] = [];
  for (const [table, only] of tables) {
    const values = await evaluateMetrics({
      ...context,
      ...options,
      bundle: code,
      sourceMap,
      metrics,
      table,
      only,
    });
    if (!values.ok) return [...outputs, problemOutput(state, inCell(values.problem, text), run.id)];
    values.value.forEach(({ name, value, rows, better, warnings }, at) => {
      outputs[only[at] ?? 0] = {
        kind: "metric",
        name,
        value,
        rows,
        ...(better ? { better } : {}),
        ...(warnings ? { warnings } : {}),
      };
    });
  }
  return outputs;
}

/** Equal keys mean equal values: what depends on the value need not run again. */
function keyOfValue(
  name: string,
  summary: ValueSummary,
  state: State,
  { analysis, run, imported }: { analysis: CellAnalysis; run: CellRun; imported: string },
): string {
  if (summary.kind === "table") {
    const evaluated = state.tablesByName.get(name);
    return keyOf("table", summary.expression, evaluated?.table.hash ?? "");
  }
  if (summary.kind === "plain") return keyOf("plain", summary.encoded);
  return keyOf("recipe", name, analysis.fingerprint, imported, run.inputs);
}

function variableOf(
  name: string,
  summary: ValueSummary,
  state: State,
  analysis: CellAnalysis,
  cell: string,
): Variable {
  const table = state.tablesByName.get(name)?.table;
  const kind = analysis.kinds[name] ?? "value";
  if (summary.kind !== "table")
    return {
      name,
      cell,
      kind: summary.kind === "function" ? "function" : kind,
      summary: shortened(summary.kind === "metric" ? "metric" : summary.text),
    };
  const tableKind = summary.expression.kind;
  const counted = table
    ? `${table.rows.toLocaleString("en-US")} rows × ${table.columns.length} columns`
    : "no rows: see the cell";
  return { name, cell, kind: tableKind, summary: counted, ...(table ? { table: table.hash } : {}) };
}

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}

function problemOutput(state: State, problem: Problem, id: string): Output {
  const placed = atCell(problem, id);
  state.problems.push(placed);
  return { kind: "problem", problem: placed };
}

function atCell(problem: Problem, id: string): Problem {
  return { ...problem, at: { ...problem.at, cell: problem.at?.cell ?? id } };
}

function failed(outputs: Output[], problem: Problem): CellOutcome {
  return {
    isOk: false,
    outputs: [...outputs, { kind: "problem", problem }],
    variables: [],
    values: {},
    summaries: {},
    fromCache: false,
  };
}

function nameOfExpression(expression: TableExpression): string {
  if (expression.kind === "split") return expression.part;
  return expression.kind === "sql" ? "query" : expression.name;
}

function isName(name: string): boolean {
  return name !== "__last";
}
