import { createHash } from "node:crypto";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { Queries } from "#snapshots/queries.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { Column, TableHash, TableInfo } from "#snapshots/table.ts";
import { readSnapshot, type Workspace } from "#snapshots/workspace.ts";
import { bindQuery, readsClock } from "./expression.ts";
import type { BundleDescription, TableExpression } from "./guest/slice.ts";
import { placedQueryProblem } from "./query-place.ts";
import { runTransform, type RecordError } from "./run-transform.ts";
import { databaseVersion, runtimeVersion } from "./runtime-version.ts";
import { sha256 } from "./sha256.ts";
import { splitQuery } from "./split-query.ts";
import { inTurn } from "./turns.ts";

/** Where tables come from and go to. */
export type Evaluation = { workspace: Workspace; store: ContentStore; queries: Queries };

/** The code that an expression's transforms are found in. */
export type TransformCode = {
  code: string;
  sourceMap?: string;
  description: BundleDescription;
  outputs: Record<string, Column[]>;
};

/** Finds the bundle a named transform runs from. */
export type CodeOf = (transform: string) => Promise<Result<TransformCode>>;

export type Evaluated = { table: TableInfo; fromCache: boolean; transformed?: Transformed };

export type Transformed = {
  table: TableInfo;
  /** Distinct input records: read = written + filtered + failed. `written` counts records, not rows. */
  read: number;
  written: number;
  filtered: number;
  failed: number;
  /** The first failures, by position; `failed` counts all of them. */
  errors: RecordError[];
  fromCache: boolean;
  elapsedMs: number;
};

export type EvaluateOptions = {
  signal?: AbortSignal | undefined;
  onProgress?: ((fraction: number) => void) | undefined;
  /** The notebook an expression was written in: errors of its queries get their place there. */
  notebookText?: string | undefined;
  /** Tables that stand for what some transforms make of their inputs, by name: those are not run. */
  given?: Record<string, { table: TableHash; input: TableExpression }> | undefined;
};

/** The table an expression stands for. Everything is kept by the hash of code, inputs and runtime: a hit executes nothing. */
export async function evaluate(
  context: Evaluation,
  expression: TableExpression,
  codeOf: CodeOf = noTransforms,
  options: EvaluateOptions = {},
): Promise<Result<Evaluated>> {
  switch (expression.kind) {
    case "snapshot":
      return evaluateSnapshot(context, expression.name);
    case "sql":
      return evaluateQuery(context, expression, codeOf, options);
    case "transform":
      return evaluateNamed(context, expression.name, codeOf, options);
    case "split":
      return evaluateSplit(context, expression, codeOf, options);
  }
}

/** Every transform of an expression comes from this bundle. */
export function codeFrom(bundle: TransformCode): CodeOf {
  return async () => ok(bundle);
}

async function noTransforms(name: string): Promise<Result<never>> {
  return fail({
    code: "no-transform",
    message: `There is no transform \`${name}\` here.`,
    hint: "Define it in a cell above, and run that cell.",
  });
}

function evaluateSnapshot({ workspace, store }: Evaluation, name: string): Result<Evaluated> {
  const snapshot = readSnapshot(workspace, name);
  if (!snapshot.ok) return snapshot;
  const table = store.tableInfo(snapshot.value.hash);
  if (table) return ok({ table, fromCache: true });
  const { source } = snapshot.value;
  return fail({
    code: "snapshot-data-missing",
    message: `Snapshot ${name} is described in snapshots/${name}.yaml, but its data is not on this machine.`,
    hint: `Freeze it again: \`penstock freeze ${source} --label ${name.split("@")[1] ?? ""}\`. The same data gives the same hash.`,
    at: { file: `snapshots/${name}.yaml` },
  });
}

async function evaluateQuery(
  context: Evaluation,
  expression: Extract<TableExpression, { kind: "sql" }>,
  codeOf: CodeOf,
  options: EvaluateOptions,
): Promise<Result<Evaluated>> {
  const tables: (TableHash | undefined)[] = [];
  for (const value of expression.values) {
    if (value.kind === "literal") {
      tables.push(undefined);
      continue;
    }
    const input = await evaluate(context, value, codeOf, options);
    if (!input.ok) return input;
    tables.push(input.value.table.hash);
  }
  const query = bindQuery(expression, tables);
  const key = keyOf("sql", query.sql, query.inputs, databaseVersion());
  const isLasting = !readsClock(expression);
  const entry = isLasting ? context.store.getEntry(key) : undefined;
  const known = entry === undefined ? undefined : context.store.tableInfo(entry);
  if (known) return ok({ table: known, fromCache: true });
  const made = await context.queries.sql({
    sql: query.sql,
    inputs: query.inputs,
    ...(options.signal ? { signal: options.signal } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
  });
  if (!made.ok) {
    const problem = withShownNames(made.problem, query.shown);
    return fail(placedQueryProblem(problem, expression, query, options.notebookText));
  }
  if (isLasting) context.store.putEntry(key, made.value.hash);
  return ok({ table: made.value, fromCache: false });
}

/** A part of a split keeps the lineage of its rows: they are paired before and after as the whole's are. */
async function evaluateSplit(
  context: Evaluation,
  expression: Extract<TableExpression, { kind: "split" }>,
  codeOf: CodeOf,
  options: EvaluateOptions,
): Promise<Result<Evaluated>> {
  const input = await evaluate(context, expression.input, codeOf, options);
  if (!input.ok) return input;
  const { table } = input.value;
  const root = await rootOf(expression.input, codeOf, options);
  const identity = identityIn(context.workspace, root, table);
  const depth = await splitDepth(expression.input, codeOf, options);
  const query = splitQuery(expression, table, { identity, depth });
  if (!query.ok) return query;
  const { sql, lineage } = query.value;
  const key = keyOf("split", sql, table.hash, databaseVersion());
  const entry = context.store.getEntry(key);
  const known = entry === undefined ? undefined : context.store.tableInfo(entry);
  if (known) return ok({ table: known, fromCache: true });
  const made = await context.queries.sql({
    sql,
    inputs: { t: table.hash },
    lineage: { inputs: table.hasLineage ? { l: table.hash } : {}, sql: lineage },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  if (!made.ok) return made;
  context.store.putEntry(key, made.value.hash);
  return ok({ table: made.value, fromCache: false });
}

/** The snapshot an expression's rows are records of, one by one. */
async function rootOf(
  expression: TableExpression,
  codeOf: CodeOf,
  options: EvaluateOptions,
): Promise<string | undefined> {
  if (expression.kind === "snapshot") return expression.name;
  if (expression.kind === "sql") return undefined;
  if (expression.kind === "split") return rootOf(expression.input, codeOf, options);
  const input = await inputOf(expression.name, codeOf, options);
  return input && rootOf(input, codeOf, options);
}

/** How many splits by hash an expression's rows have come through, by the longest way. What a transform looks up is no row of it. */
async function splitDepth(
  expression: TableExpression,
  codeOf: CodeOf,
  options: EvaluateOptions,
): Promise<number> {
  if (expression.kind === "snapshot") return 0;
  if (expression.kind === "sql") {
    const tables = expression.values.filter((value) => value.kind !== "literal");
    const depths = tables.map((table) => splitDepth(table, codeOf, options));
    return Math.max(0, ...(await Promise.all(depths)));
  }
  if (expression.kind === "split") {
    const above = await splitDepth(expression.input, codeOf, options);
    return above + (expression.how.by === "time" ? 0 : 1);
  }
  const input = await inputOf(expression.name, codeOf, options);
  return input ? splitDepth(input, codeOf, options) : 0;
}

async function inputOf(
  transform: string,
  codeOf: CodeOf,
  options: EvaluateOptions,
): Promise<TableExpression | undefined> {
  const given = options.given?.[transform];
  if (given) return given.input;
  const code = await codeOf(transform);
  return code.ok ? code.value.description.transforms[transform]?.input : undefined;
}

/** The columns of a snapshot's identity, where the table still holds them all; else none. */
function identityIn(workspace: Workspace, name: string | undefined, table: TableInfo): string[] {
  const snapshot = name === undefined ? undefined : readSnapshot(workspace, name);
  if (!snapshot?.ok) return [];
  const { identity, columns } = snapshot.value;
  const typeOf = (of: Column[], name: string) => of.find((column) => column.name === name)?.type;
  const isHeld = identity.every((name) => {
    const type = typeOf(columns, name);
    return type !== undefined && typeOf(table.columns, name) === type;
  });
  return isHeld ? identity : [];
}

async function evaluateNamed(
  context: Evaluation,
  name: string,
  codeOf: CodeOf,
  options: EvaluateOptions,
): Promise<Result<Evaluated>> {
  const given = options.given?.[name];
  const table = given && context.store.tableInfo(given.table);
  if (table) return ok({ table, fromCache: true });
  const found = await codeOf(name);
  if (!found.ok) return found;
  const code = found.value;
  const described = code.description.transforms[name];
  const output = code.outputs[name];
  if (!described || !output) return noTransforms(name);
  const input = await evaluate(context, described.input, codeOf, options);
  if (!input.ok) return input;
  const lookups: Record<string, { by: string[]; table: TableHash }> = {};
  for (const [alias, lookup] of Object.entries(described.lookups)) {
    const table = await evaluate(context, lookup.table, codeOf, options);
    if (!table.ok) return table;
    lookups[alias] = { by: lookup.by, table: table.value.table.hash };
  }
  const done = await evaluateTransform({
    ...context,
    ...options,
    bundle: code.code,
    sourceMap: code.sourceMap,
    transform: name,
    input: input.value.table.hash,
    lookups,
    output,
  });
  return done.ok
    ? ok({ table: done.value.table, fromCache: done.value.fromCache, transformed: done.value })
    : done;
}

/** Runs one transform of a bundle over a table, in fresh slice guests, and keeps its output by content. */
export async function evaluateTransform(
  request: Evaluation &
    EvaluateOptions & {
      bundle: string;
      /** For saying where in the notebook a record failed. */
      sourceMap?: string | undefined;
      transform: string;
      input: TableHash;
      lookups: Record<string, { by: string[]; table: TableHash }>;
      output: Column[];
    },
): Promise<Result<Transformed>> {
  const started = performance.now();
  const { store, bundle, transform, input, lookups, output } = request;
  const key = keyOf(
    "transform",
    sha256(bundle),
    transform,
    input,
    lookups,
    output,
    runtimeVersion(),
  );
  const kept = (): Result<Transformed> | undefined => {
    const known = readKept(store, key);
    return known && ok({ ...known, fromCache: true, elapsedMs: performance.now() - started });
  };
  const known = kept();
  if (known) return known;
  const made = await inTurn(request.queries, request.signal, async () => {
    // Somebody before in the queue may have asked for the same.
    const meanwhile = kept();
    if (meanwhile) return meanwhile;
    const done = await runTransform(request);
    if (!done.ok) return done;
    const { table, ...counts } = done.value;
    store.putEntry(key, JSON.stringify({ hash: table.hash, ...counts }));
    return ok({ ...done.value, fromCache: false, elapsedMs: performance.now() - started });
  });
  return made ?? fail(interrupted);
}

const interrupted: Problem = {
  code: "interrupted",
  message: "Interrupted.",
  hint: "Run again when you like.",
};

type Kept = Omit<Transformed, "fromCache" | "elapsedMs">;

function readKept(store: ContentStore, key: string): Kept | undefined {
  const entry = store.getEntry(key);
  if (entry === undefined) return undefined;
  // Written by this module under a key that holds the runtime's version.
  const { hash, ...counts } = JSON.parse(entry) as Omit<Kept, "table"> & { hash: TableHash };
  const table = store.tableInfo(hash);
  return table && { table, ...counts };
}

/** A cache key: the SHA-256 of its parts, the order of an object's fields aside. */
export function keyOf(...parts: unknown[]): string {
  return createHash("sha256")
    .update(JSON.stringify(parts.map(sorted)))
    .digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, sorted(item)]),
  );
}

function withShownNames(problem: Problem, shown: Record<string, string>): Problem {
  const plain = (text: string) =>
    Object.entries(shown).reduce((out, [alias, name]) => out.replaceAll(alias, name), text);
  return {
    ...problem,
    message: plain(problem.message),
    ...(problem.hint === undefined ? {} : { hint: plain(problem.hint) }),
  };
}
