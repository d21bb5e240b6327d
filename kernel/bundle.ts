import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { readSnapshot, type Workspace } from "#snapshots/workspace.ts";
import type { BackwardSlice } from "./backward-slice.ts";
import { compileModules, type Compiled } from "./compile.ts";
import { fittedWarnings } from "./fitted.ts";
import {
  describeBundle,
  type BundleDescription,
  type DiffExpectation,
  type TableExpression,
} from "./guest/slice.ts";
import { sharedLanguage } from "./language.ts";
import { inCell } from "./locate.ts";
import { sliceCells, sliceText } from "./notebook-slice.ts";
import type { DescribedMetric } from "./run-metric.ts";
import { sha256 } from "./sha256.ts";
import { generateTypes } from "./types.ts";

/** A transform and everything it needs, as one ES module found by its hash. */
export type Bundle = {
  code: string;
  sha256: string;
  /** Apart from the hash: it only serves to say where an error stands. */
  sourceMap: string;
  /** Modules of the workspace that are in it, absolute paths. */
  files: string[];
  transform: string;
  output: Column[];
  /** Contracts of every transform in the bundle: one may read another's output. */
  outputs: Record<string, Column[]>;
  /** The input's identity, where the output still holds it under the same type; else empty: rows are known by position. */
  key: string[];
  maxParts: number;
  input: TableExpression;
  lookups: Record<string, { by: string[]; table: TableExpression }>;
  /** Names whose values were captured as data. */
  captured: string[];
  description: BundleDescription;
  metricsBundle?: MetricsBundle;
};

export type MetricsBundle = {
  code: string;
  sha256: string;
  sourceMap: string;
  metrics: DescribedMetric[];
  expectations: PlacedExpectation[];
  description: BundleDescription;
};

/** What a test cell expects of a difference, and where it stands: the cell as a person counts it, and the line in it. */
export type PlacedExpectation = DiffExpectation & { cell: string; line: number };

export type BundleRequest = {
  workspace: Workspace;
  notebookText: string;
  /** Absolute path of the notebook. */
  fileName: string;
  transform: string;
  withMetrics?: boolean;
  /** Values of names that had to be waited for, by name. */
  captured?: Record<string, unknown>;
  /** Columns of tables made by `sql`, by name, as far as they are known. */
  tables?: Record<string, Column[]>;
  /** Finds the columns of a query that `tables` does not know. Without it such columns count as untyped. */
  columnsOf?: (
    expression: TableExpression,
    known: { code: string; description: BundleDescription; outputs: Record<string, Column[]> },
  ) => Promise<Result<Column[]>>;
};

/** Cuts a transform out of a notebook and bundles it. The same text gives the same bytes. */
export async function buildBundle(request: BundleRequest): Promise<Result<Bundle>> {
  const { workspace, notebookText: text, transform, captured } = request;
  const slice = sliceText({ text, names: [transform], captured });
  if (!slice.ok) return slice;
  const compiled = await compileSlice(request, slice.value, slice.value.transforms, []);
  if (!compiled.ok) return compiled;
  const description = await described(compiled.value.code);
  if (!description.ok) return description;
  const own = description.value.transforms[transform];
  if (!own)
    return {
      ok: false,
      problem: {
        code: "no-transform",
        message: `\`${transform}\` is not a transform.`,
        hint: `Define it as \`export const ${transform} = transform(input, (row) => …);\`.`,
      },
    };

  const contracts = await contractsOf(request, slice.value, compiled.value.code, description.value);
  if (!contracts.ok) return contracts;
  const outputs = contracts.value;
  const output = outputs[transform] ?? [];
  const metricsBundle = request.withMetrics
    ? await buildMetrics(request, { over: transform })
    : undefined;
  if (metricsBundle && !metricsBundle.ok) return metricsBundle;
  return ok({
    ...compiled.value,
    sha256: sha256(compiled.value.code),
    transform,
    output,
    outputs,
    key: keyOf(workspace, own.input, description.value, output),
    maxParts: own.maxParts,
    input: own.input,
    lookups: own.lookups,
    captured: slice.value.captured,
    description: description.value,
    ...(metricsBundle && claims(metricsBundle.value) > 0
      ? { metricsBundle: metricsBundle.value }
      : {}),
  });
}

function claims({ metrics, expectations }: MetricsBundle): number {
  return metrics.length + expectations.length;
}

/** Bundles the metrics and expectations over a transform, or those of one cell (by its label). */
export async function buildMetrics(
  request: Omit<BundleRequest, "transform">,
  which: { over: string } | { inCell: string },
): Promise<Result<MetricsBundle>> {
  const slice = sliceText({
    text: request.notebookText,
    names: "over" in which ? [which.over] : [],
    metrics: which,
    captured: request.captured,
  });
  if (!slice.ok) return slice;
  const compiled = await compileSlice(
    request,
    slice.value,
    slice.value.transforms,
    slice.value.metrics,
    slice.value.expectations.map(({ name }) => name),
  );
  if (!compiled.ok) return compiled;
  const description = await described(compiled.value.code);
  if (!description.ok) return description;
  return ok({
    ...compiled.value,
    sha256: sha256(compiled.value.code),
    metrics: withWarnings(description.value.metrics, request.notebookText),
    expectations: (description.value.expectations ?? []).flatMap((expectation, at) => {
      const place = slice.value.expectations[at];
      return place ? [{ ...expectation, cell: place.cell, line: place.line }] : [];
    }),
    description: description.value,
  });
}

function withWarnings(
  metrics: BundleDescription["metrics"],
  notebookText: string,
): DescribedMetric[] {
  const warnings = fittedWarnings(sliceCells(notebookText));
  return metrics.map((metric) => {
    const own = warnings.get(metric.name) ?? [];
    return own.length > 0 ? { ...metric, warnings: own } : metric;
  });
}

/** The notebook's text with disabled cells blanked: they define nothing. */
export function withoutDisabled(text: string): string {
  const marker = /^[ \t]*\/\/[ \t]?%%[^\r\n]*\[disabled\][^]*?(?=^[ \t]*\/\/[ \t]?%%|$(?![^]))/gim;
  return text.replace(marker, (cell) => cell.replace(/[^\r\n]/g, " "));
}

function compileSlice(
  { workspace, fileName }: Pick<BundleRequest, "workspace" | "fileName">,
  slice: BackwardSlice,
  transforms: string[],
  metrics: string[],
  expectations: string[] = [],
  probes: string[] = [],
): Promise<Result<Compiled>> {
  const names = [...transforms, ...metrics, ...expectations, ...probes];
  const entry = [
    `import { ${names.join(", ")} } from "penstock-memory:notebook";`,
    probes.length > 0 ? `import { transform } from "penstock";` : "",
    `export const slice = { transforms: { ${[...transforms, ...probes.map((name) => `${probePrefix}${name}: transform(${name}, (row) => row)`)].join(", ")} }, metrics: [${metrics.join(", ")}]${expectations.length > 0 ? `, expectations: [${expectations.join(", ")}]` : ""} };`,
  ];
  const exported = names.filter((name) => !isExported(slice.code, name));
  const frozen =
    slice.shared.length === 0
      ? ""
      : `import { deepFreeze as __freeze } from "penstock-freeze";\n[${slice.shared.join(", ")}].forEach(__freeze);\n`;
  const notebook = `${slice.code}\n${frozen}export { ${exported.join(", ")} };\n`;
  return compileModules({
    root: workspace.root,
    fileName,
    modules: { entry: entry.join("\n"), notebook },
  });
}

const probePrefix = "__table_";

/**
 * Contracts of a slice's transforms, in the order of the file: a query's columns are found before the transform that
 * reads it is typed, and the other way round.
 */
async function contractsOf(
  request: BundleRequest,
  slice: BackwardSlice,
  code: string,
  description: BundleDescription,
): Promise<Result<Record<string, Column[]>>> {
  const { workspace, fileName, notebookText, columnsOf } = request;
  const tables: Record<string, Column[]> = { ...request.tables };
  const outputs: Record<string, Column[]> = {};
  const types = generateTypes(workspace);
  const kinds: Record<string, string> = Object.assign(
    {},
    ...sliceCells(notebookText).map((cell) => cell.analysis.kinds),
  );
  const unknown = slice.names.filter(
    (name) => kinds[name] === "sql" && !Object.hasOwn(tables, name),
  );
  const expressions: Result<Record<string, TableExpression>> =
    columnsOf && unknown.length > 0 ? await expressionsOf(request, slice, unknown) : ok({});
  if (!expressions.ok) return expressions;
  for (const name of slice.names) {
    const expression = expressions.value[name];
    if (expression && columnsOf) {
      const columns = await columnsOf(expression, { code, description, outputs });
      if (!columns.ok) return columns;
      tables[name] = columns.value;
    } else if (slice.transforms.includes(name)) {
      const contract = await sharedLanguage().contract(
        { fileName, text: withoutDisabled(notebookText), types, tables },
        name,
      );
      if (!contract.ok) return fail(inCell(contract.problem, notebookText));
      outputs[name] = contract.value;
    }
  }
  return ok(outputs);
}

/** What the queries of a slice ask for. A probe bundle reads each through a transform, whose input is then described. */
async function expressionsOf(
  request: BundleRequest,
  slice: BackwardSlice,
  names: string[],
): Promise<Result<Record<string, TableExpression>>> {
  const compiled = await compileSlice(request, slice, slice.transforms, [], [], names);
  if (!compiled.ok) return compiled;
  const description = await described(compiled.value.code);
  if (!description.ok) return description;
  const { transforms } = description.value;
  return ok(
    Object.fromEntries(
      names.flatMap((name) => {
        const probe = transforms[probePrefix + name];
        return probe ? [[name, probe.input]] : [];
      }),
    ),
  );
}

const descriptions = new Map<string, Promise<Result<BundleDescription>>>();

function described(code: string): Promise<Result<BundleDescription>> {
  const key = sha256(code);
  const known = descriptions.get(key);
  if (known) return known;
  const asked = describeBundle(code).then((found) => {
    if (!found.ok) descriptions.delete(key);
    return found;
  });
  if (descriptions.size > 200) descriptions.delete(descriptions.keys().next().value ?? "");
  descriptions.set(key, asked);
  return asked;
}

function keyOf(
  workspace: Workspace,
  input: TableExpression,
  description: BundleDescription,
  output: Column[],
): string[] {
  if (input.kind === "sql") return [];
  if (input.kind === "split") return keyOf(workspace, input.input, description, output);
  if (input.kind === "transform") {
    const inner = description.transforms[input.name];
    return inner ? keyOf(workspace, inner.input, description, output) : [];
  }
  const snapshot = readSnapshot(workspace, input.name);
  if (!snapshot.ok) return [];
  const isKept = (name: string) => {
    const before = snapshot.value.columns.find((column) => column.name === name);
    return output.some((column) => column.name === name && column.type === before?.type);
  };
  return snapshot.value.identity.every(isKept) ? snapshot.value.identity : [];
}

function isExported(code: string, name: string): boolean {
  return new RegExp(
    `export\\s+(?:const|let|var|function|class)\\s+${name.replaceAll("$", "\\$")}(?![\\w$])`,
  ).test(code);
}
