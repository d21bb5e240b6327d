import type { Bundle, MetricsBundle } from "#kernel/bundle.ts";
import { evaluate } from "#kernel/evaluate.ts";
import type { TableExpression } from "#kernel/guest/slice.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { TableHash } from "#snapshots/table.ts";
import type { OutputContract } from "./compatibility.ts";
import { readEnvironment } from "./environments.ts";
import { bundleNotebook, workingText } from "./notebook-bundle.ts";
import { notebookPath } from "./notebook-name.ts";
import { readRelease, type Release } from "./release-files.ts";
import type { Workbench } from "./workbench.ts";

/** A version of a transform somebody can name. `working` takes the text given, else the file. */
export type Version =
  | { kind: "working"; text?: string | undefined }
  | { kind: "git"; revision: string }
  | { kind: "environment"; name: string }
  | { kind: "release"; hash: string };

/** A version made runnable: the bytes, what they promise, and the frozen tables they read. */
export type Side = {
  version: Version;
  label: string;
  bundle: string;
  sha256: string;
  output: OutputContract;
  input: TableExpression;
  lookups: Record<string, { by: string[]; table: TableHash }>;
  metrics?: Pick<MetricsBundle, "code" | "sha256" | "metrics">;
  sourceMap?: string;
};

type Request = { notebook: string; transform: string; signal?: AbortSignal | undefined };

/** Finds a version's bundle: built from a notebook's text, or read from a release. */
export async function readSide(
  workbench: Workbench,
  version: Version,
  request: Request,
): Promise<Result<Side>> {
  switch (version.kind) {
    case "working": {
      const text =
        version.text === undefined ? workingText(workbench, request.notebook) : ok(version.text);
      if (!text.ok) return text;
      return sideOfText(workbench, version, "working copy", text.value, request);
    }
    case "git":
      return sideOfRevision(workbench, version, request);
    case "environment": {
      const environment = await readEnvironment(workbench.git, version.name);
      if (!environment.ok) return environment;
      const running = environment.value.pipelines[request.transform];
      if (!running) return fail(nothingRuns(version.name, request.transform));
      const release = readRelease(workbench, request.transform, running.release);
      if (!release.ok) return release;
      const label = `${version.name} (release ${running.release.slice(0, 6)})`;
      return ok(sideOfRelease(version, label, release.value));
    }
    default: {
      const release = readRelease(workbench, request.transform, version.hash);
      if (!release.ok) return release;
      return ok(sideOfRelease(version, `release ${release.value.hash.slice(0, 6)}`, release.value));
    }
  }
}

export function sideOfRelease(version: Version, label: string, release: Release): Side {
  const { manifest, bundle, metricsBundle } = release;
  const lookups = Object.entries(manifest.lookups).map(
    ([name, { by, table }]) => [name, { by, table }] as const,
  );
  return {
    version,
    label,
    bundle,
    sha256: manifest.bundle,
    output: manifest.output,
    input: {
      kind: "snapshot",
      name: manifest.input.snapshot,
    },
    lookups: Object.fromEntries(lookups),
    ...(manifest.metrics && metricsBundle !== undefined
      ? {
          metrics: {
            code: metricsBundle,
            sha256: manifest.metrics.bundle,
            metrics: manifest.metrics.metrics,
          },
        }
      : {}),
  };
}

/** A fresh bundle as a side: its lookups are evaluated to tables. */
export async function sideOfBundle(
  workbench: Workbench,
  version: Version,
  label: string,
  bundle: Bundle,
  signal?: AbortSignal,
): Promise<Result<Side>> {
  const { workspace, store, queries } = workbench;
  const lookups: Side["lookups"] = {};
  // A bundle holds every transform its lookups read.
  const codeOf = async () => ok(bundle);
  for (const [name, { by, table }] of Object.entries(bundle.lookups)) {
    const evaluated = await evaluate({ workspace, store, queries }, table, codeOf, { signal });
    if (!evaluated.ok) return evaluated;
    lookups[name] = { by, table: evaluated.value.table.hash };
  }
  const { output: columns, key, maxParts } = bundle;
  return ok({
    version,
    label,
    bundle: bundle.code,
    sha256: bundle.sha256,
    input: bundle.input,
    lookups,
    output: {
      columns,
      key,
      maxParts,
    },
    sourceMap: bundle.sourceMap,
    ...(bundle.metricsBundle ? { metrics: bundle.metricsBundle } : {}),
  });
}

async function sideOfText(
  workbench: Workbench,
  version: Version,
  label: string,
  text: string,
  request: Request,
): Promise<Result<Side>> {
  const { notebook, transform, signal } = request;
  const bundle = await bundleNotebook(workbench, { notebook, text, transform });
  if (!bundle.ok) {
    const { problem } = bundle;
    return fail({ ...problem, message: `${label}: ${problem.message}` });
  }
  return sideOfBundle(workbench, version, label, bundle.value, signal);
}

async function sideOfRevision(
  workbench: Workbench,
  version: Extract<Version, { kind: "git" }>,
  request: Request,
): Promise<Result<Side>> {
  const found = await revisionText(workbench, request.notebook, version.revision);
  if (!found.ok) return found;
  return sideOfText(workbench, version, found.value.label, found.value.text, request);
}

/** A notebook's text as a revision has it, and what to call that. */
export async function revisionText(
  { git }: Pick<Workbench, "git">,
  notebook: string,
  revision: string,
): Promise<Result<{ text: string; label: string }>> {
  const commit = await git.resolve(revision);
  if (!commit.ok) return commit;
  const path = notebookPath(notebook);
  const text = await git.show(commit.value, path);
  if (!text.ok) return text;
  const short = commit.value.slice(0, 7);
  if (text.value === undefined) {
    return fail({
      code: "notebook-not-in-commit",
      message: `Commit ${short} holds no ${path}.`,
      hint: "Choose a commit in which the notebook exists, or commit it first.",
    });
  }
  const name = revision === "HEAD" ? "last commit" : revision.slice(0, 40);
  const label = commit.value.startsWith(revision) ? `commit ${short}` : `${name} (${short})`;
  return ok({ text: text.value, label });
}

function nothingRuns(environment: string, transform: string) {
  return {
    code: "nothing-runs",
    message: `No release of ${transform} runs in ${environment} yet, so there is nothing to compare with.`,
    hint: "Compare with Git's last commit, or promote a release first.",
  };
}
