import { readdirSync } from "node:fs";
import type { Bundle } from "#kernel/bundle.ts";
import { codeFrom, evaluate, type CodeOf } from "#kernel/evaluate.ts";
import type { TableExpression } from "#kernel/guest/slice.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";
import { listSnapshots, type SnapshotManifest } from "#snapshots/workspace.ts";
import { readSide, revisionText, sideOfBundle, type Side } from "./compare-side.ts";
import { recentComparisons, runSide, type CompareProgress } from "./compare.ts";
import { fileEndings } from "./diff-file.ts";
import { listEnvironments } from "./environments.ts";
import { bundleNotebook, workingText } from "./notebook-bundle.ts";
import { notebookPath } from "./notebook-name.ts";
import type { Workbench } from "./workbench.ts";

/** A side as somebody wrote it. `path` is where a file of that name would be, `isFile` whether it is there. */
export type SideText = { text: string; path: string; isFile: boolean };

/** A side that lies in the workspace's store. */
export type StoredSide = {
  hash: TableHash;
  label: string;
  /** The table whose rows its positions count; two sides with the same one can be paired by position. */
  positions: TableHash | null;
  /** Columns that tell its rows apart, as declared; empty where nothing is. */
  key: string[];
  /** Input records a transform failed on, which are in no row. */
  failed: number;
};

type Context = {
  workbench: Workbench;
  signal: AbortSignal;
  onProgress: (progress: CompareProgress) => void;
};

const notebookText = /^(.+\.ts)#([\p{L}_$][\p{L}\p{N}_$]*)(?:@(.+))?$/su;
const environmentText = /^([^:@#/\\]+):([\p{L}_$][\p{L}\p{N}_$]*)$/u;
const hashText = /^[0-9a-f]{4,64}$/;

/**
 * What a side's text means in a workspace, run where it has to be: a snapshot by name, an output by the beginning of its hash,
 * `notebook.ts#name[@REVISION]`, `environment:transform`. Null: nothing but the file of that name.
 */
export async function storedSide(
  context: Context,
  side: SideText,
): Promise<Result<StoredSide | null>> {
  const { text } = side;
  const [, notebook, name, revision] = notebookText.exec(text) ?? [];
  if (notebook !== undefined && name !== undefined)
    return notebookSide(context, { notebook, name, revision });
  const [, environment, transform] = environmentText.exec(text) ?? [];
  if (environment !== undefined && transform !== undefined && !side.isFile)
    return environmentSide(context, environment, transform);

  const { workspace, store } = context.workbench;
  const { snapshots } = listSnapshots(workspace);
  const snapshot = snapshots.find(({ name }) => name === text);
  const hashes = hashText.test(text) ? store.tablesBeginning(text) : [];
  const meanings = [
    ...(side.isFile ? [`the file ${side.path}`] : []),
    ...(snapshot ? [`the snapshot ${text} (${snapshot.hash.slice(0, 12)})`] : []),
    ...hashes.map((hash) => `the output ${hash.slice(0, Math.max(12, text.length + 4))}`),
  ];
  if (meanings.length > 1) return ambiguous(text, meanings);
  if (side.isFile) return ok(null);
  if (snapshot) return snapshotSide(context, snapshot);
  const [hash] = hashes;
  if (hash !== undefined) return ok(outputSide(context.workbench, hash, snapshots));
  return unknown(context.workbench, side, snapshots);
}

async function snapshotSide(
  { workbench, signal }: Context,
  { name, identity }: SnapshotManifest,
): Promise<Result<StoredSide>> {
  const found = await evaluate(workbench, { kind: "snapshot", name }, undefined, { signal });
  if (!found.ok) return found;
  const { hash } = found.value.table;
  return ok({ hash, label: `snapshot ${name}`, positions: hash, key: identity, failed: 0 });
}

function outputSide(
  workbench: Workbench,
  hash: TableHash,
  snapshots: SnapshotManifest[],
): StoredSide {
  const snapshot = snapshots.find((one) => one.hash === hash);
  if (snapshot) {
    const { name, identity } = snapshot;
    return { hash, label: `snapshot ${name}`, positions: hash, key: identity, failed: 0 };
  }
  const label = `output ${hash.slice(0, 12)}`;
  const isOwn = workbench.store.tableInfo(hash)?.hasLineage === false;
  const positions = isOwn ? hash : inputOfOutput(workbench, hash);
  return { hash, label, positions, key: [], failed: 0 };
}

/** The snapshot a transform's output was made from, where a comparison somebody asked for says it. */
function inputOfOutput(workbench: Workbench, hash: TableHash): TableHash | null {
  const found = recentComparisons(workbench, 200).find(({ before, after }) =>
    [before.table.hash, after.table.hash].includes(hash),
  );
  return found?.snapshot.hash ?? null;
}

async function environmentSide(
  context: Context,
  name: string,
  transform: string,
): Promise<Result<StoredSide>> {
  const { workbench } = context;
  const side = await readSide(
    workbench,
    { kind: "environment", name },
    { notebook: "", transform },
  );
  if (!side.ok) return side;
  return ranSide(context, transform, {
    ...side.value,
    label: `${name}:${transform}${release(side.value)}`,
  });
}

/** `production (release 8c41d0)` says more than its name. */
function release({ label }: Side): string {
  const [found = ""] = / \(release .*\)$/.exec(label) ?? [];
  return found;
}

async function notebookSide(
  context: Context,
  { notebook, name, revision }: { notebook: string; name: string; revision: string | undefined },
): Promise<Result<StoredSide>> {
  const { workbench, signal, onProgress } = context;
  const found =
    revision === undefined
      ? workingText(workbench, notebook)
      : await revisionText(workbench, notebook, revision);
  if (!found.ok) return found;
  const file = notebookPath(notebook).replace(/^notebooks\//, "");
  const text = typeof found.value === "string" ? found.value : found.value.text;
  const at = typeof found.value === "string" ? "working copy" : found.value.label;
  const label = `${file}#${name}, ${at}`;
  onProgress({ step: `Building ${label}` });
  const bundle = await bundleNotebook(workbench, { notebook, text, transform: name });
  if (bundle.ok) {
    const version =
      revision === undefined ? { kind: "working" as const } : { kind: "git" as const, revision };
    const side = await sideOfBundle(workbench, version, label, bundle.value, signal);
    if (!side.ok) return side;
    return ranSide(context, name, side.value, codeFrom(bundle.value));
  }
  if (bundle.problem.code !== "no-transform") return fail(said(bundle.problem, label));
  // A table that is no transform is what a transform over it would read.
  const probe = `${text}\n// %%\nexport const ${probeName} = transform(${name}, (row) => row);\n`;
  const probed = await bundleNotebook(workbench, { notebook, text: probe, transform: probeName });
  if (!probed.ok) return fail(said(probed.problem, label));
  return tableSide(context, label, probed.value);
}

const probeName = "__side";

function said<P extends { message: string }>(problem: P, label: string): P {
  return { ...problem, message: `${label}: ${problem.message}` };
}

/** The table a bundle's transform reads. */
async function tableSide(
  context: Context,
  label: string,
  bundle: Bundle,
): Promise<Result<StoredSide>> {
  const { input, key } = bundle;
  const code = codeFrom(bundle);
  const table = await inputOf(context, label, input, code);
  if (!table.ok) return table;
  const positions =
    input.kind === "split" ? await inputOf(context, label, input.input, code) : table;
  if (!positions.ok) return positions;
  return ok({ hash: table.value, label, positions: positions.value, key, failed: 0 });
}

/** What a transform makes of the table it reads. */
async function ranSide(
  context: Context,
  transform: string,
  side: Side,
  codeOf?: CodeOf,
): Promise<Result<StoredSide>> {
  const input = await inputOf(context, side.label, side.input, codeOf);
  if (!input.ok) return input;
  const ran = await runSide(context.workbench, side, transform, input.value, context);
  if (!ran.ok) return ran;
  const { key, maxParts } = side.output;
  return ok({
    hash: ran.value.table.hash,
    label: side.label,
    positions: input.value,
    // Several rows of one record share its identity.
    key: maxParts > 1 ? [] : key,
    failed: ran.value.failed,
  });
}

async function inputOf(
  { workbench, signal, onProgress }: Context,
  label: string,
  expression: TableExpression,
  codeOf: CodeOf | undefined,
): Promise<Result<TableHash>> {
  const step = `Reading what ${label} reads`;
  const found = await evaluate(workbench, expression, codeOf, {
    signal,
    onProgress: (fraction) => onProgress({ step, fraction }),
  });
  return found.ok ? ok(found.value.table.hash) : found;
}

function ambiguous(text: string, meanings: string[]): Result<never> {
  const shown = meanings.slice(0, 6);
  const more = meanings.length > shown.length ? ` and ${meanings.length - shown.length} more` : "";
  return fail({
    code: "side-ambiguous",
    message: `${text} may mean ${shown.join(", ")}${more}.`,
    hint: "Write more digits of the hash, or ./NAME for a file.",
  });
}

async function unknown(
  workbench: Workbench,
  { text, path }: SideText,
  snapshots: SnapshotManifest[],
): Promise<Result<never>> {
  const { environments } = await listEnvironments(workbench.git);
  const running = environments.flatMap(({ name, pipelines }) =>
    Object.keys(pipelines).map((transform) => `${name}:${transform}`),
  );
  const notebooks = readdirSync(workbench.workspace.paths.notebooks, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".ts"));
  const there = [
    some(
      "Snapshots",
      snapshots.map(({ name }) => name),
    ),
    some("Notebooks", notebooks.toSorted()),
    some("Running", running),
  ].filter((line) => line !== "");
  return fail({
    code: "side-unknown",
    message: `${text} is no file (there is none at ${path}), no snapshot, no beginning of an output's hash, no notebook.ts#name[@REVISION] and no environment:transform.`,
    hint: `${there.join(" ")} Files end in ${fileEndings}.`.trim(),
  });
}

function some(what: string, names: string[]): string {
  if (names.length === 0) return "";
  const more = names.length > 8 ? ` and ${names.length - 8} more` : "";
  return `${what}: ${names.slice(0, 8).join(", ")}${more}.`;
}
