import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { guestRuntime } from "#kernel/guest/slice.ts";
import { readsClock } from "#kernel/expression.ts";
import { runtimeVersion } from "#kernel/runtime-version.ts";
import type { Bundle } from "#kernel/bundle.ts";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { readSnapshot } from "#snapshots/workspace.ts";
import { canonicalJson, hashOf } from "./canonical-json.ts";
import type { CompareProgress } from "./compare.ts";
import { sideOfBundle, type Side } from "./compare-side.ts";
import { listEnvironments } from "./environments.ts";
import { baselinesOf, gatherEvidence } from "./evidence.ts";
import { bundleNotebook, workingText } from "./notebook-bundle.ts";
import { notebookPath } from "./notebook-name.ts";
import { listReleases, readRelease, type Release } from "./release-files.ts";
import {
  evidenceHash,
  releaseFolder,
  releaseHash,
  type Fact,
  type ReleaseManifest,
} from "./release-format.ts";
import type { Workbench } from "./workbench.ts";

export type BuildRequest = {
  workbench: Workbench;
  notebook: string;
  transform: string;
  /** Why: the message of the commits this makes. */
  message: string;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: CompareProgress) => void) | undefined;
};

/**
 * Builds a release from the notebook as it lies in the working tree: commits the notebook if it differs from HEAD, bundles
 * its slice, gathers the evidence, and commits bundle, manifest and evidence. The same inputs give the same hash; a
 * release that is there already, on evidence that still stands, is returned as it is.
 */
export async function buildRelease(request: BuildRequest): Promise<Result<Release>> {
  const { workbench, transform } = request;
  const run = workbench.state.beginRun({ kind: "build", subject: transform, at: workbench.now() });
  const end = (status: "done" | "failed", details: unknown) =>
    workbench.state.endRun(run, { status, at: workbench.now(), details });
  try {
    const built = await build(request);
    if (built.ok) end("done", { release: built.value.hash });
    else end("failed", { problem: built.problem });
    return built;
  } catch (error) {
    end("failed", { reason: String(error) });
    throw error;
  }
}

async function build(request: BuildRequest): Promise<Result<Release>> {
  const { workbench, signal, onProgress } = request;
  const path = notebookPath(request.notebook);
  const text = workingText(workbench, request.notebook);
  if (!text.ok) return text;
  onProgress?.({ step: "Bundling" });
  const bundle = await bundleNotebook(workbench, { ...request, text: text.value });
  if (!bundle.ok) return bundle;
  const input = inputContract(workbench, bundle.value);
  if (!input.ok) return input;
  const passing = Object.entries(bundle.value.lookups).find(([, { table }]) => readsClock(table));
  if (passing) return fail(passingLookup(request.transform, passing[0]));
  onProgress?.({ step: "Evaluating lookups" });
  const version = { kind: "working" } as const;
  const side = await sideOfBundle(workbench, version, "this candidate", bundle.value, signal);
  if (!side.ok) return side;

  const commit = await commitNotebook(request, path, text.value);
  if (!commit.ok) return commit;
  const manifest = manifestOf(workbench, bundle.value, side.value, input.value, path, commit.value);
  const standing = await findStanding(workbench, manifest);
  if (standing) return ok(standing);

  const evidence = await gatherEvidence({
    workbench,
    notebook: path,
    text: text.value,
    bundle: bundle.value,
    side: side.value,
    input: input.value,
    signal,
    onProgress,
  });
  if (!evidence.ok) return evidence;
  if (signal?.aborted)
    return fail({ code: "cancelled", message: "Cancelled; no release was made." });
  const { facts, observations } = evidence.value;
  return writeRelease(request, manifest, bundle.value, facts, observations);
}

function passingLookup(transform: string, name: string): Problem {
  return {
    code: "lookup-reads-clock",
    message: `The lookup \`${name}\` of ${transform} comes from a query that reads a clock, so its rows differ from run to run.`,
    hint: "Put a fixed date in place of now() or current_date; then what was tried is what runs.",
  };
}

/** A pipeline reads a stream of the input's source, so the input has to be a snapshot of one. */
function inputContract(
  { workspace, store }: Workbench,
  { input, transform }: Bundle,
): Result<ReleaseManifest["input"]> {
  if (input.kind !== "snapshot") {
    const what =
      input.kind === "transform"
        ? `the output of ${input.name}`
        : input.kind === "split"
          ? "a part of a split"
          : "a query's result";
    return fail({
      code: "input-not-streamable",
      message: `${transform} reads ${what}, which does not arrive as a stream.`,
      hint: "Let the transform read a snapshot; bring what the query computes in as a lookup.",
    });
  }
  const snapshot = readSnapshot(workspace, input.name);
  if (!snapshot.ok) return snapshot;
  const { name, source, columns, identity, hash } = snapshot.value;
  if (store.tableInfo(hash)) return ok({ snapshot: name, source, columns, identity, hash });
  return fail({
    code: "snapshot-missing",
    message: `The data of ${name} is not in this workspace's store.`,
    hint: `Freeze ${source} again as ${name}.`,
  });
}

/** The notebook and the manifests of the snapshots it names are committed, if they are not yet; gives the notebook's commit. */
async function commitNotebook(
  { workbench, message, transform }: BuildRequest,
  path: string,
  text: string,
): Promise<Result<string>> {
  const { git, workspace } = workbench;
  const files: Record<string, string> = { [path]: text };
  for (const [, name = ""] of text.matchAll(/\bsnapshot\(\s*["'`]([^"'`]+)["'`]/g)) {
    const file = `snapshots/${name}.yaml`;
    if (!readSnapshot(workspace, name).ok) continue;
    files[file] = await readFile(join(workspace.root, file), "utf8");
  }
  const committed = await git.commitFiles({ files, message: message || `Change ${transform}` });
  if (!committed.ok) return committed;
  const last = await git.log({ path, limit: 1 });
  if (!last.ok) return last;
  return ok(last.value[0]?.id ?? committed.value.head);
}

function manifestOf(
  { store }: Workbench,
  bundle: Bundle,
  side: Side,
  input: ReleaseManifest["input"],
  notebook: string,
  commit: string,
): ReleaseManifest {
  const lookups = Object.entries(bundle.lookups).map(([name, { by, table: expression }]) => {
    const table = side.lookups[name]?.table ?? "";
    return [
      name,
      { by, table, columns: store.tableInfo(table)?.columns ?? [], expression },
    ] as const;
  });
  const { sha256, metrics } = bundle.metricsBundle ?? {};
  return {
    format: 1,
    transform: bundle.transform,
    notebook,
    commit,
    bundle: bundle.sha256,
    input,
    lookups: Object.fromEntries(lookups),
    output: side.output,
    metrics:
      sha256 !== undefined && metrics
        ? {
            bundle: sha256,
            metrics,
          }
        : null,
    guest: { ...guestRuntime(), runtime: runtimeVersion() },
  };
}

/** A release of the same manifest whose evidence still stands: every environment runs what it was held against, or it itself. */
async function findStanding(
  workbench: Workbench,
  manifest: ReleaseManifest,
): Promise<Release | undefined> {
  const { transform } = manifest;
  const { environments } = await listEnvironments(workbench.git);
  const now = baselinesOf(workbench, environments, transform).map(({ release }) => release.hash);
  for (const { hash, problem } of await listReleases(workbench, { transform })) {
    const release = problem ? undefined : readRelease(workbench, transform, hash);
    if (!release?.ok || hashOf(release.value.manifest) !== hashOf(manifest)) continue;
    const judged = release.value.evidence.facts.flatMap(({ details }) => baselineIn(details));
    if (now.every((running) => running === hash || judged.includes(running))) return release.value;
  }
  return undefined;
}

function baselineIn(details: unknown): string[] {
  if (typeof details !== "object" || details === null || !("release" in details)) return [];
  return typeof details.release === "string" ? [details.release] : [];
}

async function writeRelease(
  { workbench, message }: BuildRequest,
  manifest: ReleaseManifest,
  bundle: Bundle,
  facts: Fact[],
  observations: Record<string, unknown>,
): Promise<Result<Release>> {
  const { git, state, now, person } = workbench;
  const { transform } = manifest;
  const hash = releaseHash(manifest, facts);
  const folder = releaseFolder(transform, hash);
  const builtAt = now().toISOString();
  const evidence = { format: 1, hash: evidenceHash(facts), facts, observations };
  const committed = await git.commitFiles({
    files: {
      [`${folder}/bundle.js`]: bundle.code,
      [`${folder}/bundle.js.map`]: bundle.sourceMap,
      ...(bundle.metricsBundle ? { [`${folder}/metrics.js`]: bundle.metricsBundle.code } : {}),
      [`${folder}/manifest.json`]: canonicalJson({ ...manifest, hash, builtAt }),
      [`${folder}/evidence.json`]: canonicalJson(evidence),
    },
    message: [`Release ${transform} ${hash.slice(0, 6)}`, ...(message ? ["", message] : [])].join(
      "\n",
    ),
    at: now(),
  });
  if (!committed.ok) return committed;
  state.audit({
    at: now(),
    by: person,
    action: "build",
    environment: null,
    transform,
    release: hash,
    commit: committed.value.commit ?? null,
    details: { evidence: evidence.hash },
  });
  return readRelease(workbench, transform, hash);
}
