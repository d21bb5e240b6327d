import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileModules, type Compiled } from "#kernel/compile.ts";
import { PLAIN_STREAM } from "#snapshots/stream-settings.ts";
import { unwrap, type Result } from "#snapshots/problem.ts";
import { openContentStore, type ContentStore } from "#snapshots/store.ts";
import type { Column } from "#snapshots/table.ts";
import type { Epoch, Stretch } from "./order/epochs.ts";
import type { PipelineSpec } from "./pipeline-spec.ts";
import type { StoredRow } from "./ports.ts";
import type { ReleaseSpec } from "./release-spec.ts";
import { FIRST_EPOCH } from "./order/version.ts";

/** What the tests, the kill test and the bench share: a place to run in, and flights with a transform made of real source. */
export type FixturePlace = {
  root: string;
  store: ContentStore;
  statePath: string;
  workspace: { root: string; paths: { topics: string; sinks: string } };
  topic(name: string): string;
  remove(): void;
};

export function freshPlace(root = mkdtempSync(join(tmpdir(), "penstock-sync-"))): FixturePlace {
  const paths = { topics: join(root, "topics"), sinks: join(root, "sinks") };
  return {
    root,
    store: openContentStore(join(root, "store")),
    statePath: join(root, "state.db"),
    workspace: { root, paths },
    topic: (name) => join(paths.topics, name),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

export const FLIGHT: Column[] = [
  { name: "id", type: "BIGINT", nullable: false },
  { name: "date", type: "TIMESTAMP", nullable: false },
  { name: "delay", type: "BIGINT", nullable: false },
  { name: "distance", type: "BIGINT", nullable: false },
  { name: "origin", type: "VARCHAR", nullable: false },
  { name: "destination", type: "VARCHAR", nullable: false },
];

/** As the demo's notebook: every flight, and whether it was late. */
export const DELAYS = "(f) => ({ ...f, late: f.delay > 15 })";
export const DELAYS_OUTPUT: Column[] = [
  ...FLIGHT,
  { name: "late", type: "BOOLEAN", nullable: false },
];

/** A release that changes nothing and is never run: for what stands before the transform. */
export const UNRUN_RELEASE: ReleaseSpec = {
  release: "r",
  transform: "t",
  bundle: "b",
  input: FLIGHT,
  output: FLIGHT,
  key: ["id"],
  maxParts: 1,
  lookups: {},
};

export type SpecOptions = Partial<Omit<PipelineSpec, "bundle">> & { apply?: string };

/** A release of one transform, bundled by the same compiler releases are. */
export async function specOf(
  place: FixturePlace,
  options: SpecOptions = {},
): Promise<PipelineSpec> {
  const { apply = DELAYS, ...rest } = options;
  const maxParts = rest.maxParts ?? 1;
  const spec = {
    where: { kind: "embedded" as const },
    sinks: ["table", "search"] as const,
    stream: PLAIN_STREAM,
    environment: "staging",
    name: "delays",
    release: "release-1",
    topic: "flights",
    transform: "delays",
    input: FLIGHT,
    output: DELAYS_OUTPUT,
    key: ["id"],
    maxParts,
    lookups: {},
    ...rest,
  };
  const { code, sourceMap } = unwrap(await bundleOf(place.root, apply, spec));
  return { ...spec, bundle: code, sourceMap };
}

async function bundleOf(
  root: string,
  apply: string,
  { maxParts, lookups }: Pick<PipelineSpec, "maxParts" | "lookups">,
): Promise<Result<Compiled>> {
  const tables = Object.entries(lookups).map(
    ([name, { by }]) =>
      `${name}: sql\`select 1\`.by(${by.map((column) => JSON.stringify(column)).join(", ")})`,
  );
  const notebook = `import { snapshot, sql, transform } from "penstock";
const flights = snapshot("flights@2001q1");
export const delays = transform(flights, { maxParts: ${maxParts}, lookup: { ${tables.join(", ")} } }, ${apply});`;
  const entry = `import { delays } from "penstock-memory:notebook";
export const slice = { transforms: { delays }, metrics: [] };`;
  return compileModules({ root, fileName: join(root, "delays.ts"), modules: { entry, notebook } });
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A row without what differs between two ways to the same state: nothing is left out but the tombstones of nothing. */
export function living(rows: readonly StoredRow[]): StoredRow[] {
  return rows.filter((row) => row.values !== null);
}

/** Waits for a condition, looking every few milliseconds; never for a time alone. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 120_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The epoch in which a stretch is read first. */
export function firstEpoch(stretch: Stretch, release = "r"): Epoch {
  return {
    ...stretch,
    epoch: FIRST_EPOCH,
    firstOffset: 0,
    release,
    reason: "start",
    openedAt: "",
    partitions: 1,
    ordering: "offset",
  };
}
