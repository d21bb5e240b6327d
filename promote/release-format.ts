import { z } from "zod";
import { bundleDescription, tableExpression } from "#kernel/guest/slice-protocol.ts";
import { hashOf } from "./canonical-json.ts";

const sha = z.string().regex(/^[0-9a-f]{64}$/);
const columns = z.array(
  z.strictObject({ name: z.string(), type: z.string(), nullable: z.boolean() }),
);

/** What a release is made of. Everything here is hashed; when it was built is not. */
export const manifestSchema = z.strictObject({
  format: z.literal(1),
  transform: z.string().regex(/^[A-Za-z_$][\w$]*$/),
  /** Path of the notebook in the workspace, and the last commit that changed it. */
  notebook: z.string(),
  commit: z.string(),
  /** SHA-256 of bundle.js: the bytes that run everywhere. */
  bundle: sha,
  input: z.strictObject({
    snapshot: z.string(),
    source: z.string(),
    columns,
    /** What makes two records versions of one thing; empty for a stream of events. */
    identity: z.array(z.string()),
    hash: sha,
  }),
  lookups: z.record(
    z.string(),
    z.strictObject({ by: z.array(z.string()), table: sha, columns, expression: tableExpression }),
  ),
  output: z.strictObject({ columns, key: z.array(z.string()), maxParts: z.int().min(1) }),
  /** SHA-256 of metrics.js and what it measures; null when the notebook claims no number about this transform. */
  metrics: z
    .strictObject({
      bundle: sha,
      metrics: z.array(
        bundleDescription.shape.metrics.element.extend({
          warnings: z.array(z.string()).optional(),
        }),
      ),
    })
    .nullable(),
  /** The runtime it was judged in; `runtime` covers Deno's version and the guest's own code. */
  guest: z.strictObject({ deno: z.string(), flags: z.array(z.string()), runtime: sha }),
});

export type ReleaseManifest = z.infer<typeof manifestSchema>;

/** manifest.json: the manifest, the release's hash, and when it was built (the one thing not hashed). */
export const manifestFileSchema = z.strictObject({
  ...manifestSchema.shape,
  hash: sha,
  builtAt: z.string(),
});

/**
 * One checked claim. A `finding` waits for a person's judgement and is named in the approval; a `fail` keeps the
 * release out of every environment. `summary` is a sentence with its numbers.
 */
export const factSchema = z.strictObject({
  id: z.string(),
  title: z.string(),
  status: z.enum(["pass", "finding", "fail"]),
  summary: z.string(),
  details: z.unknown(),
});

export type Fact = z.infer<typeof factSchema>;

/** evidence.json. Facts are hashed; observations (timings of one machine) are not. */
export const evidenceSchema = z.strictObject({
  format: z.literal(1),
  hash: sha,
  facts: z.array(factSchema),
  observations: z.record(z.string(), z.unknown()),
});

export type Evidence = z.infer<typeof evidenceSchema>;

export function evidenceHash(facts: Fact[]): string {
  return hashOf({ format: 1, facts });
}

/** The release's name: a hash over its manifest and its facts. */
export function releaseHash(manifest: ReleaseManifest, facts: Fact[]): string {
  return hashOf({ manifest, facts });
}

/** Folder of a release in the workspace. */
export function releaseFolder(transform: string, hash: string): string {
  return `releases/${transform}/${hash.slice(0, 12)}`;
}
