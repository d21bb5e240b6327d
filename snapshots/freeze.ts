import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { fail, ok, type Problem, type Result } from "./problem.ts";
import type { Queries, Sample } from "./queries.ts";
import type { ContentStore } from "./store.ts";
import {
  manifestPath,
  nameSchema,
  readSnapshot,
  readSource,
  type SnapshotManifest,
  type Source,
  type Workspace,
} from "./workspace.ts";

export type FreezeRequest = {
  workspace: Workspace;
  store: ContentStore;
  queries: Queries;
  source: string;
  /** The snapshot is named `source@label`. */
  label: string;
  sample?: Sample;
  signal?: AbortSignal;
  onProgress?: (progress: { rows: number; fraction: number }) => void;
  now: () => Date;
};

/**
 * Freezes a source: its rows into the content store, and a manifest into `snapshots/`. The same rows again give the same hash and one copy,
 * and leave the manifest as it was (`reused`). A name that already means other rows is refused: frozen is frozen. Cancelled, it leaves nothing.
 */
export async function freeze(
  request: FreezeRequest,
): Promise<Result<{ snapshot: SnapshotManifest; reused: boolean }>> {
  const { workspace, queries, label, sample, now } = request;
  const source = readSource(workspace, request.source);
  if (!source.ok) return source;
  const bad = badLabel(label) ?? badSample(sample);
  if (bad) return bad;
  const name = `${source.value.name}@${label}`;
  const frozen = await queries.freeze({
    source: source.value,
    ...(sample ? { sample } : {}),
    ...(request.signal ? { signal: request.signal } : {}),
    ...(request.onProgress ? { onProgress: request.onProgress } : {}),
  });
  if (!frozen.ok) return frozen;
  const { info, query, from } = frozen.value;
  const unidentified = badIdentity(source.value, info.columns);
  if (unidentified) return fail(unidentified);
  const existing = readSnapshot(workspace, name);
  // A manifest that cannot be read still says what is frozen: it is not written over.
  if (!existing.ok && existsSync(manifestPath(workspace, name))) return existing;
  if (existing.ok && existing.value.hash === info.hash)
    return ok({ snapshot: existing.value, reused: true });
  if (existing.ok) {
    return fail({
      code: "snapshot-exists",
      message: `${name} is frozen already, with other rows (${existing.value.rows} rows, ${existing.value.hash.slice(0, 12)}).`,
      hint: "Choose another label, or delete the old snapshot first.",
      at: { file: `snapshots/${name}.yaml` },
    });
  }
  const snapshot: SnapshotManifest = {
    name,
    source: source.value.name,
    query,
    ...(sample ? { sample } : {}),
    columns: info.columns,
    rows: info.rows,
    hash: info.hash,
    sizeBytes: info.sizeBytes,
    identity: source.value.identity,
    frozenAt: now().toISOString(),
    from,
  };
  writeManifest(workspace, snapshot);
  return ok({ snapshot, reused: false });
}

/** Removes a snapshot's manifest. Its rows stay in the content store, where other names may mean them too. */
export function removeSnapshot(workspace: Workspace, name: string): Result<SnapshotManifest> {
  const snapshot = readSnapshot(workspace, name);
  if (snapshot.ok) rmSync(manifestPath(workspace, name));
  return snapshot;
}

function writeManifest(workspace: Workspace, snapshot: SnapshotManifest): void {
  mkdirSync(workspace.paths.snapshots, { recursive: true });
  const path = manifestPath(workspace, snapshot.name);
  writeFileSync(`${path}.part`, stringify(snapshot, { lineWidth: 0 }));
  renameSync(`${path}.part`, path);
}

/** Why the rows cannot be told apart as the source says. */
function badIdentity(
  { name, identity, rowNumber }: Source,
  columns: SnapshotManifest["columns"],
): Problem | undefined {
  const at = { file: `sources/${name}.yaml` };
  // DuckDB calls the second of two columns of one name `name_1`.
  const second = `${rowNumber}_1`.toLowerCase();
  if (rowNumber !== undefined && columns.some((column) => column.name.toLowerCase() === second)) {
    return {
      code: "row-number-taken",
      message: `The source ${name} wants its row numbers as \`${rowNumber}\`, but has a column \`${rowNumber}\` or \`${rowNumber}_1\` of its own.`,
      hint: `Choose another name for \`rowNumber\` in ${at.file}.`,
      at,
    };
  }
  const missing = identity.filter((key) => !columns.some((column) => column.name === key));
  if (missing.length > 0) {
    return {
      code: "no-identity-column",
      message: `The source ${name} names \`${missing.join("`, `")}\` as its identity, but has no such column.`,
      hint: `It has: ${columns.map((column) => column.name).join(", ")}. Correct \`identity\` in ${at.file}.`,
      at,
    };
  }
  const empty = identity.find((key) =>
    columns.some((column) => column.name === key && column.nullable),
  );
  if (empty === undefined) return undefined;
  return {
    code: "identity-null",
    message: `The source ${name} names \`${empty}\` as its identity, but some of its rows have none (NULL).`,
    hint: `Leave those rows out (\`where: ${empty} is not null\` in ${at.file}), or name another identity.`,
    at,
  };
}

function badLabel(label: string) {
  const checked = nameSchema.safeParse(label);
  if (checked.success) return undefined;
  return fail({
    code: "bad-label",
    message: `\`${label}\` cannot be a snapshot's label: ${checked.error.issues[0]?.message ?? "not a name"}.`,
    hint: "For example `2001q1`.",
  });
}

function badSample(sample: Sample | undefined) {
  if (sample === undefined) return undefined;
  if (sample.fraction > 0 && sample.fraction <= 1 && Number.isSafeInteger(sample.seed))
    return undefined;
  return fail({
    code: "bad-sample",
    message: `A sample is a fraction above 0 and up to 1, and a whole seed; got ${sample.fraction} and ${sample.seed}.`,
    hint: "For example 0.1 for a tenth, with seed 1.",
  });
}
