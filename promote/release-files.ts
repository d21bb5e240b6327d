import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { approvalFault, approvalSchema, type CheckedApproval } from "./approval.ts";
import { sha256 } from "./canonical-json.ts";
import { listEnvironments } from "./environments.ts";
import {
  evidenceHash,
  evidenceSchema,
  manifestFileSchema,
  releaseFolder,
  releaseHash,
  type Evidence,
  type ReleaseManifest,
} from "./release-format.ts";
import type { Workbench } from "./workbench.ts";

/** A release as its folder says it, every byte checked against its hash. */
export type Release = {
  transform: string;
  hash: string;
  /** In the workspace: `releases/delays/3f9a1c…`. */
  folder: string;
  builtAt: string;
  manifest: ReleaseManifest;
  evidence: Evidence;
  bundle: string;
  /** Says where in the notebook an error stands. Apart from the hashes: it changes nothing that runs. */
  sourceMap?: string;
  metricsBundle?: string;
  /** Ids of the facts that wait for a person's judgement. */
  findings: string[];
  approvals: CheckedApproval[];
};

/** A line of the list; `problem` when the folder does not hold what its hash names. */
export type ReleaseSummary = {
  transform: string;
  hash: string;
  builtAt: string;
  notebook: string;
  commit: string;
  snapshot: string;
  findings: number;
  failures: number;
  approvedBy: string[];
  /** Environments whose desired state is this release. */
  runsIn: string[];
  problem?: Problem;
};

/** Reads a release by its hash or the first digits of it, and refuses it when a byte differs from what was hashed. */
export function readRelease(
  { workspace }: Pick<Workbench, "workspace">,
  transform: string,
  prefix: string,
): Result<Release> {
  const found = findFolder(workspace.root, transform, prefix);
  if (!found.ok) return found;
  return readFolder(workspace.root, transform, found.value);
}

/** Every release, newest first; broken ones carry their problem. */
export async function listReleases(
  workbench: Pick<Workbench, "workspace" | "git">,
  only?: { transform?: string },
): Promise<ReleaseSummary[]> {
  const { root, paths } = workbench.workspace;
  const { environments } = await listEnvironments(workbench.git);
  const summaries: ReleaseSummary[] = [];
  for (const transform of foldersIn(paths.releases)) {
    if (only?.transform !== undefined && only.transform !== transform) continue;
    for (const name of foldersIn(join(paths.releases, transform))) {
      const release = readFolder(root, transform, name);
      const runsIn = environments
        .filter(({ pipelines }) => pipelines[transform]?.release.startsWith(name))
        .map((environment) => environment.name);
      summaries.push(
        release.ok
          ? summary(release.value, runsIn)
          : broken(transform, name, runsIn, release.problem),
      );
    }
  }
  return summaries.toSorted((a, b) => (a.builtAt < b.builtAt ? 1 : -1));
}

function findFolder(root: string, transform: string, prefix: string): Result<string> {
  const names = /^[\w$]+$/.test(transform) ? foldersIn(join(root, "releases", transform)) : [];
  const short = prefix.slice(0, 12);
  const matches = short.length < 4 ? [] : names.filter((name) => name.startsWith(short));
  const [match] = matches;
  if (match !== undefined && matches.length === 1) return ok(match);
  if (matches.length > 1) {
    return fail({
      code: "release-ambiguous",
      message: `${matches.length} releases of ${transform} begin with ${prefix}.`,
      hint: `Name more digits: ${matches.join(", ")}.`,
    });
  }
  return fail({
    code: "release-unknown",
    message: `There is no release ${prefix} of ${transform} in this workspace.`,
    hint:
      names.length > 0
        ? `Its releases are ${names.join(", ")}.`
        : "Build one from its notebook first, and give at least four digits of its hash.",
  });
}

function readFolder(root: string, transform: string, name: string): Result<Release> {
  const folder = `releases/${transform}/${name}`;
  const at = (file: string) => join(root, folder, file);
  const manifestFile = readJson(at("manifest.json"), manifestFileSchema);
  if (!manifestFile.ok) return tampered(folder, "manifest.json", manifestFile.problem.message);
  const evidenceFile = readJson(at("evidence.json"), evidenceSchema);
  if (!evidenceFile.ok) return tampered(folder, "evidence.json", evidenceFile.problem.message);
  const { hash, builtAt, ...manifest } = manifestFile.value;
  const evidence = evidenceFile.value;

  if (evidenceHash(evidence.facts) !== evidence.hash) {
    return tampered(folder, "evidence.json", "its facts do not have the hash they were given");
  }
  if (releaseHash(manifest, evidence.facts) !== hash || releaseFolder(transform, hash) !== folder) {
    return tampered(
      folder,
      "manifest.json",
      "manifest and evidence do not give the release's hash",
    );
  }
  const bundle = readHashed(at("bundle.js"), manifest.bundle);
  if (!bundle.ok) return tampered(folder, "bundle.js", bundle.problem.message);
  const metricsBundle = manifest.metrics && readHashed(at("metrics.js"), manifest.metrics.bundle);
  if (metricsBundle && !metricsBundle.ok) {
    return tampered(folder, "metrics.js", metricsBundle.problem.message);
  }
  const findings = evidence.facts.filter(({ status }) => status === "finding").map(({ id }) => id);
  return ok({
    transform,
    hash,
    folder,
    builtAt,
    manifest,
    evidence,
    findings,
    bundle: bundle.value,
    ...(existsSync(at("bundle.js.map"))
      ? { sourceMap: readFileSync(at("bundle.js.map"), "utf8") }
      : {}),
    ...(metricsBundle ? { metricsBundle: metricsBundle.value } : {}),
    approvals: readApprovals(root, folder, {
      hash,
      evidence: evidence.hash,
      findings,
    }),
  });
}

function readApprovals(
  root: string,
  folder: string,
  release: { hash: string; evidence: string; findings: string[] },
): CheckedApproval[] {
  const publicKeysOf = (path: string) =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined;
  const names = existsSync(join(root, folder, "approvals"))
    ? readdirSync(join(root, folder, "approvals")).filter((name) => name.endsWith(".json"))
    : [];
  return names.toSorted().flatMap((name): CheckedApproval[] => {
    const file = `${folder}/approvals/${name}`;
    const read = readJson(join(root, file), approvalSchema);
    if (!read.ok) return [];
    const reason = approvalFault(read.value, release, publicKeysOf);
    const approval = read.value;
    return [
      reason ? { approval, file, isValid: false, reason } : { approval, file, isValid: true },
    ];
  });
}

function tampered(folder: string, file: string, what: string): { ok: false; problem: Problem } {
  return fail({
    code: "release-tampered",
    message: `${folder}/${file} is not what was released: ${what}.`,
    hint: `Restore it with \`git checkout HEAD -- ${folder}\`, or build the release again.`,
    at: { file: `${folder}/${file}` },
  });
}

function readHashed(file: string, expected: string): Result<string> {
  if (!existsSync(file)) return fail({ code: "file-missing", message: "it is missing" });
  const bytes = readFileSync(file);
  const actual = sha256(bytes);
  if (actual === expected) return ok(bytes.toString("utf8"));
  const message = `its SHA-256 is ${actual.slice(0, 12)}, the manifest says ${expected.slice(0, 12)}`;
  return fail({ code: "hash-differs", message });
}

type Schema<T> = {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: { issues: { message: string }[] } };
};

function readJson<T>(file: string, schema: Schema<T>): Result<T> {
  if (!existsSync(file)) return fail({ code: "file-missing", message: "it is missing" });
  try {
    const parsed = schema.safeParse(JSON.parse(readFileSync(file, "utf8")));
    if (parsed.success) return ok(parsed.data);
    return fail({
      code: "file-invalid",
      message: parsed.error.issues[0]?.message ?? "not understood",
    });
  } catch {
    return fail({ code: "file-invalid", message: "it is not JSON" });
  }
}

function summary(release: Release, runsIn: string[]): ReleaseSummary {
  const { transform, hash, builtAt, manifest, evidence, findings, approvals } = release;
  return {
    transform,
    hash,
    builtAt,
    runsIn,
    notebook: manifest.notebook,
    commit: manifest.commit,
    snapshot: manifest.input.snapshot,
    findings: findings.length,
    failures: evidence.facts.filter(({ status }) => status === "fail").length,
    approvedBy: approvals.filter(({ isValid }) => isValid).map(({ approval }) => approval.by),
  };
}

function broken(
  transform: string,
  hash: string,
  runsIn: string[],
  problem: Problem,
): ReleaseSummary {
  const unknown = { builtAt: "", notebook: "", commit: "", snapshot: "" };
  return { transform, hash, ...unknown, findings: 0, failures: 0, approvedBy: [], runsIn, problem };
}

function foldersIn(path: string): string[] {
  if (!existsSync(path)) return [];
  const entries = readdirSync(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
