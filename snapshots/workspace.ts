import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { fail, ok, type Problem, type Result } from "./problem.ts";
import { streamSchema } from "./stream-settings.ts";
import { topicChoice } from "./topic-schema.ts";
import { parseYaml, readYaml } from "./yaml-file.ts";

/** A user's Git repository: text files that are reviewed, and `.penstock/` that Git ignores. */
export type Workspace = {
  root: string;
  name: string;
  policies: { environments: Record<string, { approvals: number }> };
  paths: {
    sources: string;
    snapshots: string;
    notebooks: string;
    releases: string;
    environments: string;
    penstock: string;
    store: string;
    state: string;
    topics: string;
    /** `.penstock/environments`: what the embedded environments' sinks hold. */
    sinks: string;
    sessions: string;
    types: string;
    server: string;
    data: string;
  };
};

const workspaceFile = z.strictObject({
  name: z.string().min(1),
  policies: z
    .strictObject({
      environments: z
        .record(z.string(), z.strictObject({ approvals: z.int().min(0).default(0) }))
        .default({}),
    })
    .default({ environments: {} }),
});

/** A name of a source or label: safe as part of a file name everywhere. */
export const nameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, "use letters, digits, dot, dash and underscore only")
  .max(100);

const sourceFile = z.strictObject({
  description: z.string().optional(),
  format: z.enum(["parquet", "csv", "json"]),
  /** Relative to the workspace. */
  path: z.string().min(1),
  /** Adds a BIGINT column of this name, first: the row's number in the file, from 0. */
  rowNumber: z.string().min(1).optional(),
  /** SQL predicate over the file's columns. */
  where: z.string().min(1).optional(),
  /** What makes two records versions of one thing. Without one a record is an event of its own. */
  identity: z.array(z.string().min(1)).default([]),
  order: z.string().optional(),
  topic: topicChoice.exactOptional(),
  /** What flows through the topic, where it is not JSON or more is expected of it than the contract says. */
  stream: streamSchema.exactOptional(),
});
export type Source = z.infer<typeof sourceFile> & { name: string };

export const manifestSchema = z.strictObject({
  name: z.string(),
  source: z.string(),
  query: z.string(),
  sample: z.strictObject({ fraction: z.number(), seed: z.int() }).optional(),
  columns: z.array(z.strictObject({ name: z.string(), type: z.string(), nullable: z.boolean() })),
  rows: z.int(),
  hash: z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits"),
  sizeBytes: z.int(),
  identity: z.array(z.string()),
  frozenAt: z.string(),
  from: z.strictObject({ path: z.string(), sizeBytes: z.int(), sha256: z.string() }),
});
/** What `snapshots/NAME@LABEL.yaml` says; the values are in the content store under `hash`. */
export type SnapshotManifest = z.infer<typeof manifestSchema>;

/** Opens the workspace whose root is `dir`. A folder without `penstock.yaml` is a Problem. */
export function openWorkspace(dir: string): Result<Workspace> {
  const given = resolve(dir);
  if (!existsSync(given) || !statSync(given).isDirectory()) {
    return fail({
      code: "no-workspace",
      message: `${given} is not a folder.`,
      hint: "Make a workspace with `penstock init DIR` (`--demo` for the demo).",
    });
  }
  const root = realpathSync(given);
  const file = readYaml(join(root, "penstock.yaml"), "penstock.yaml", workspaceFile);
  if (!file.ok && file.problem.code === "not-found") {
    return fail({
      code: "no-workspace",
      message: `${root} is not a Penstock workspace: it has no penstock.yaml.`,
      hint: "Make one with `penstock init DIR` (`--demo` for the demo), or name the workspace's folder.",
    });
  }
  if (!file.ok) return file;
  const penstock = join(root, ".penstock");
  return ok({
    root,
    ...file.value,
    paths: {
      sources: join(root, "sources"),
      snapshots: join(root, "snapshots"),
      notebooks: join(root, "notebooks"),
      releases: join(root, "releases"),
      environments: join(root, "environments"),
      penstock,
      store: join(penstock, "store"),
      state: join(penstock, "state.db"),
      topics: join(penstock, "topics"),
      sinks: join(penstock, "environments"),
      sessions: join(penstock, "sessions"),
      types: join(penstock, "types"),
      server: join(penstock, "server.json"),
      data: join(penstock, "data"),
    },
  });
}

/** Every source that can be read, by name, and what is wrong with the others. */
export function listSources(workspace: Workspace): { sources: Source[]; problems: Problem[] } {
  const read = namesIn(workspace.paths.sources).map((name) => readSource(workspace, name));
  return { sources: read.flatMap(valueOf), problems: read.flatMap(problemOf) };
}

export function readSource(workspace: Workspace, name: string): Result<Source> {
  const known = () => namesIn(workspace.paths.sources);
  if (!nameSchema.safeParse(name).success) return absent("source", name, known());
  const file = readYaml(
    join(workspace.paths.sources, `${name}.yaml`),
    `sources/${name}.yaml`,
    sourceFile,
  );
  if (file.ok) return ok({ ...file.value, name });
  return file.problem.code === "not-found" ? absent("source", name, known()) : file;
}

/** A source from its file's text, as some commit has it. */
export function parseSource(name: string, text: string): Result<Source> {
  const file = parseYaml(text, `sources/${name}.yaml`, sourceFile);
  return file.ok ? ok({ ...file.value, name }) : file;
}

/** Every snapshot whose manifest can be read, by name, and what is wrong with the others. */
export function listSnapshots(workspace: Workspace): {
  snapshots: SnapshotManifest[];
  problems: Problem[];
} {
  const read = namesIn(workspace.paths.snapshots).map((name) => readSnapshot(workspace, name));
  return { snapshots: read.flatMap(valueOf), problems: read.flatMap(problemOf) };
}

/** `name` is the full name, `flights@2001q1`. */
export function readSnapshot(workspace: Workspace, name: string): Result<SnapshotManifest> {
  const known = () => namesIn(workspace.paths.snapshots);
  if (!isSnapshotName(name)) return absent("snapshot", name, known());
  const file = `snapshots/${name}.yaml`;
  const manifest = readYaml(manifestPath(workspace, name), file, manifestSchema);
  if (!manifest.ok) {
    return manifest.problem.code === "not-found" ? absent("snapshot", name, known()) : manifest;
  }
  if (manifest.value.name === name) return manifest;
  return fail({
    code: "bad-file",
    message: `${file} says its name is ${manifest.value.name}.`,
    hint: `Rename the file to ${manifest.value.name}.yaml, or correct \`name\`.`,
    at: { file, line: 1 },
  });
}

export function manifestPath(workspace: Workspace, name: string): string {
  return join(workspace.paths.snapshots, `${name}.yaml`);
}

function isSnapshotName(name: string): boolean {
  const parts = name.split("@");
  return parts.length === 2 && parts.every((part) => nameSchema.safeParse(part).success);
}

function namesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -".yaml".length))
    .toSorted();
}

function absent(kind: "source" | "snapshot", name: string, known: string[]): Result<never> {
  return fail({
    code: `no-such-${kind}`,
    message: `There is no ${kind} named ${name}.`,
    hint:
      known.length > 0
        ? `There are: ${known.join(", ")}.`
        : kind === "source"
          ? "Describe one in sources/NAME.yaml."
          : "Freeze a source first: `penstock freeze SOURCE --label LABEL`.",
  });
}

function valueOf<T>(result: Result<T>): T[] {
  return result.ok ? [result.value] : [];
}

function problemOf<T>(result: Result<T>): Problem[] {
  return result.ok ? [] : [result.problem];
}
