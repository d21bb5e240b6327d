import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileSide } from "#promote/diff-file.ts";
import { defaultPairing, type DefaultPairing } from "#promote/diff-key.ts";
import type { DiffReport } from "#promote/report/report.ts";
import type { StoredSide } from "#promote/diff-side.ts";
import type { CausesResult, DiffKey, DiffPairing, DiffSide, DiffSummary } from "#snapshots/diff.ts";
import type { DiffRules } from "#snapshots/diff-rules.ts";
import { ProblemError, unwrap } from "#snapshots/problem.ts";
import { openQueries, type Queries } from "#snapshots/queries.ts";
import { openContentStore, type ContentStore } from "#snapshots/store.ts";
import type { TableHash } from "#snapshots/table.ts";
import { withConnection } from "./connect.ts";
import { findWorkspace } from "./find-workspace.ts";
import { cancelled, follow } from "./follow.ts";
import { openProgress, type Progress } from "./progress.ts";
import type { Common } from "./verb.ts";

export type SidesOptions = Common & {
  key?: string[];
  ignore?: string[];
  rules: DiffRules;
  where?: string;
  samples: number;
  /** In milliseconds. */
  budget?: number;
  stopAfter?: number;
  causes: boolean;
  rowsOut?: string;
};

type Found = { text: string; label: string; side: DiffSide; stored: StoredSide | null };

/** Causes are searched for so long where no budget was given. */
const causesBudgetMs = 5_000;

/** Finds out what both texts mean, and compares that. Files are read by this process, whoever holds the workspace. */
export async function diffSides(
  left: string,
  right: string,
  options: SidesOptions,
): Promise<DiffReport> {
  const progress = openProgress({ isSilent: options.json ?? false });
  const signal = cancelled();
  try {
    const { sides, workspace } = await findSides([left, right], options, { progress, signal });
    return await withQueries(workspace, ({ queries, store }) =>
      compareOnce(store, sides, options, () =>
        compareSides(queries, sides, options, { progress, signal }),
      ),
    );
  } finally {
    progress.end();
  }
}

type Watch = { progress: Progress; signal: AbortSignal };

/** Files by themselves need no workspace; `workspace` is undefined where none was needed. */
async function findSides(
  texts: [string, string],
  options: Common,
  { progress, signal }: Watch,
): Promise<{ sides: [Found, Found]; workspace: string | undefined }> {
  const cwd = process.cwd();
  const files = texts.map((text) => unwrap(fileSide(text, cwd)));
  const asked = texts.flatMap((text, i) => {
    const isFile = files[i] !== undefined;
    return isFile && !mayBeSnapshot(text)
      ? []
      : [{ text, path: resolve(cwd, text), isFile, at: i }];
  });
  const workspace = asked.length === 0 ? undefined : workspaceFor(asked, options);
  const stored: (StoredSide | null)[] = [null, null];
  if (workspace !== undefined) {
    const root = realpathSync(workspace);
    const sides = asked.map(({ text, path, isFile }) => ({
      text: inNotebooks(text, root),
      path,
      isFile,
    }));
    const found = await withConnection(workspace, ({ api }) =>
      follow<(StoredSide | null)[]>(
        api.diff.sides.$post({ json: { sides } }, { init: { signal } }),
        progress.step,
      ),
    );
    asked.forEach(({ at }, i) => (stored[at] = found[i] ?? null));
  }
  const sideAt = (i: 0 | 1): Found => {
    const text = texts[i];
    const own = stored[i] ?? null;
    if (own)
      return { text, label: own.label, side: { kind: "table", hash: own.hash }, stored: own };
    const side = files[i];
    if (side === undefined) throw new Error(`no side was found for ${text}`);
    return { text, label: relative(cwd, side.path) || side.path, side, stored: null };
  };
  const isStored = stored.some((side) => side !== null);
  return { sides: [sideAt(0), sideAt(1)], workspace: isStored ? workspace : undefined };
}

/** `trips@june.csv` in a workspace could be a snapshot's name as well; a path is always a file. */
function mayBeSnapshot(text: string): boolean {
  return /^[\w.-]+@[\w.-]+$/.test(text);
}

function workspaceFor(
  asked: { text: string; path: string; isFile: boolean }[],
  { workspace }: Common,
) {
  const found = findWorkspace(process.cwd(), workspace);
  if (found.ok) return found.value;
  const missing = asked.find(({ isFile }) => !isFile);
  if (missing === undefined) return undefined;
  throw new ProblemError({
    code: "side-unknown",
    message: `${missing.text} is no file (there is none at ${missing.path}), and nothing else is known here: ${found.problem.message}`,
    hint: "Name a file (.parquet, .csv, .jsonl, .arrow, .duckdb#TABLE); for snapshots, outputs and notebooks go into a workspace, or name it with --workspace DIR.",
  });
}

/** A notebook's path from where we are, as the workspace calls it. */
function inNotebooks(text: string, root: string): string {
  const [, file, name] = /^(.+\.ts)(#.*)$/s.exec(text) ?? [];
  if (file === undefined) return text;
  const inside = relative(join(root, "notebooks"), resolve(realpathSync(process.cwd()), file));
  return inside.startsWith("..") ? text : `${inside}${name}`;
}

/** DuckDB over the workspace's store; without a workspace over an empty one, which is gone afterwards. */
async function withQueries<T>(
  workspace: string | undefined,
  work: (open: { queries: Queries; store: ContentStore }) => Promise<T>,
): Promise<T> {
  const own = workspace === undefined ? mkdtempSync(join(tmpdir(), "penstock-diff-")) : undefined;
  const root = own ?? join(workspace ?? "", ".penstock/store");
  const store = openContentStore(root);
  const queries = openQueries({
    store,
    workspaceRoot: workspace ?? process.cwd(),
    workers: 1,
  });
  try {
    return await work({ queries, store });
  } finally {
    await queries.close();
    if (own !== undefined) rmSync(own, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * Two tables of the workspace compared by the same rules are found again: their hashes say that nothing has changed. A budget's answer is of one
 * moment, and a file may be another one by now.
 */
async function compareOnce(
  store: ContentStore,
  [left, right]: [Found, Found],
  options: SidesOptions,
  compare: () => Promise<DiffReport>,
): Promise<DiffReport> {
  const { key, ignore, rules, where, samples, causes, budget, stopAfter, rowsOut } = options;
  const isKept = left.stored && right.stored && budget === undefined && stopAfter === undefined;
  if (!isKept || rowsOut !== undefined) return compare();
  const asked = { left, right, key, ignore, rules, where, samples, causes };
  const entry = `report 1 ${JSON.stringify(asked)}`;
  const known = store.getEntry(entry);
  // Written below under a key that holds both tables' hashes.
  if (known !== undefined) return JSON.parse(known) as DiffReport;
  const report = await compare();
  if (report.summary.complete && report.search?.complete !== false)
    store.putEntry(entry, JSON.stringify(report));
  return report;
}

async function compareSides(
  queries: Queries,
  [left, right]: [Found, Found],
  options: SidesOptions,
  watch: Watch,
): Promise<DiffReport> {
  const startedAt = performance.now();
  const { where, ignore, rules, budget } = options;
  const byDefault = defaultPairing(left.stored, right.stored);
  const base = {
    left: left.side,
    right: right.side,
    rules,
    ...(ignore ? { ignore } : {}),
    ...(where === undefined ? {} : { where }),
  };
  const counted = await countWith(queries, base, byDefault, options, watch);
  const { pairing, summary } = counted;
  const remarks = [...counted.remarks, ...[left, right].flatMap(failedRecords)];
  const input = pairing.key === "position" ? byDefault.input : undefined;
  const leftMs = budget === undefined ? causesBudgetMs : budget - (performance.now() - startedAt);
  const isSearched = options.causes && summary.complete && !summary.identical;
  if (isSearched && leftMs < 1) remarks.push("Causes were not searched for: the budget was over.");
  const found =
    isSearched && leftMs >= 1
      ? await searchCauses(queries, pairing, { input, budgetMs: leftMs }, watch)
      : undefined;
  if (options.rowsOut !== undefined) {
    remarks.push(await writeRows(queries, { pairing, input }, options.rowsOut, watch));
  }
  return {
    left: { text: left.text, label: left.label },
    right: { text: right.text, label: right.label },
    ...(where === undefined ? {} : { where }),
    summary: { ...summary, causes: found?.causes ?? [], elapsedMs: performance.now() - startedAt },
    ...(found ? { search: found.search } : {}),
    remarks,
  };
}

function failedRecords({ label, stored }: Found): string[] {
  if (!stored || stored.failed === 0) return [];
  return [`${label}: the transform failed on ${stored.failed} input records, which made no rows.`];
}

type Counted = { pairing: DiffPairing; summary: DiffSummary; remarks: string[] };

/** A key nobody asked for that cannot be used gives way to whole rows, and that is said. */
async function countWith(
  queries: Queries,
  base: Omit<DiffPairing, "key">,
  byDefault: DefaultPairing,
  { key: asked, samples, budget, stopAfter }: SidesOptions,
  { progress, signal }: Watch,
): Promise<Counted> {
  const count = (key: DiffKey) =>
    queries.diff({
      ...base,
      key,
      samples,
      ...(key === "position" && byDefault.input !== undefined ? { input: byDefault.input } : {}),
      ...(budget === undefined ? {} : { budgetMs: budget }),
      ...(stopAfter === undefined ? {} : { stopAfter }),
      signal,
      onProgress: (fraction) => progress.show("Comparing", fraction),
    });
  progress.show("Comparing");
  const declared = Array.isArray(byDefault.key) ? byDefault.key : undefined;
  const key = asked ?? byDefault.key;
  const first = await count(key);
  if (first.ok) return { pairing: { ...base, key }, summary: first.value, remarks: [] };
  const isOurs = asked === undefined && unusableKey.has(first.problem.code);
  if (!isOurs || !declared) throw new ProblemError(first.problem);
  const summary = unwrap(await count(null));
  const remark = `The declared key (${declared.join(", ")}) cannot pair these sides, so whole rows are compared. Name one with --key.`;
  return { pairing: { ...base, key: null }, summary, remarks: [remark] };
}

const unusableKey = new Set(["no-such-column", "key-types-differ", "key-ignored"]);

async function searchCauses(
  queries: Queries,
  pairing: DiffPairing,
  { input, budgetMs }: { input: TableHash | undefined; budgetMs: number },
  { progress, signal }: Watch,
): Promise<CausesResult> {
  progress.show("Searching for causes");
  const request = { ...pairing, ...(input === undefined ? {} : { input }), budgetMs, signal };
  return unwrap(await queries.diffCauses(request));
}

/** What was written, for the report. */
async function writeRows(
  queries: Queries,
  { pairing, input }: { pairing: DiffPairing; input: TableHash | undefined },
  file: string,
  { progress, signal }: Watch,
): Promise<string> {
  progress.show("Writing the differing rows");
  const { rows } = unwrap(
    await queries.diffExport({
      ...pairing,
      ...(input === undefined ? {} : { input }),
      out: resolve(file),
      format: /\.csv$/i.test(file) ? "csv" : "parquet",
      signal,
      onProgress: (fraction) => progress.show("Writing the differing rows", fraction),
    }),
  );
  return `All ${rows} differing rows are in ${file}.`;
}
