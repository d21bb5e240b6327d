import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { PipelineId } from "./order/epochs.ts";

const column = z.object({ name: z.string(), type: z.string(), nullable: z.boolean() });

const storedSchema = z.object({
  release: z.string().min(1),
  transform: z.string().min(1),
  input: z.array(column),
  output: z.array(column),
  key: z.array(z.string()),
  maxParts: z.number().int().min(1),
  /** Takes the places of errors back to the notebook. */
  sourceMap: z.string().exactOptional(),
  lookups: z.record(z.string(), z.object({ by: z.array(z.string()), table: z.string() })),
});

/** What a release runs with. Kept for as long as an epoch names it, because its records may be delivered again. */
export const releaseSchema = storedSchema.extend({ bundle: z.string().min(1) });
export type ReleaseSpec = z.infer<typeof releaseSchema>;

/** Keeps a release: its bundle in the content store, the rest beside the epochs. */
export function keepRelease(state: DatabaseSync, store: ContentStore, release: ReleaseSpec): void {
  const { bundle, ...rest } = release;
  const hash = store.putBlob(Buffer.from(bundle));
  state
    .prepare(
      "insert into sync_releases (release, spec, bundle) values (?, ?, ?) on conflict do nothing",
    )
    .run(release.release, JSON.stringify(storedSchema.parse(rest)), hash);
}

/**
 * The most parts that a release of a pipeline makes of a record. All of them write or clear as many, so that none of a record that made more stands
 * beside what a later one left.
 */
export function widestParts(state: DatabaseSync, { environment, name }: PipelineId): number {
  const found = state
    .prepare(
      `select coalesce(max(json_extract(spec, '$.maxParts')), 1) as parts from sync_releases
       where release in (select release from sync_epochs where environment = ? and name = ?)`,
    )
    .get(environment, name);
  return z.object({ parts: z.number() }).parse(found).parts;
}

export function readRelease(
  state: DatabaseSync,
  store: ContentStore,
  hash: string,
): Result<ReleaseSpec> {
  const row = state.prepare("select spec, bundle from sync_releases where release = ?").get(hash);
  const found = z.object({ spec: z.string(), bundle: z.string() }).optional().parse(row);
  const bundle = found === undefined ? undefined : store.getBlob(found.bundle);
  if (found === undefined || bundle === undefined) {
    return fail({
      code: "release-not-kept",
      message: `Release ${hash} handled an earlier part of this topic, and its bundle is no longer here.`,
      hint: "Restore the workspace's content store, or start the pipeline under another name.",
    });
  }
  return ok({
    ...storedSchema.parse(JSON.parse(found.spec)),
    bundle: Buffer.from(bundle).toString("utf8"),
  });
}
