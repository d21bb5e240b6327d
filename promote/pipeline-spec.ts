import type { DesiredPipeline } from "./environments.ts";
import type { Release } from "./release-files.ts";
import type { PipelineSpec } from "./sync/sync.ts";

/** A release as the streaming runtime is told to run it: the bytes of the bundle, by the contracts they were judged on. */
export function pipelineSpec(
  environment: string,
  { topic, sinks }: DesiredPipeline,
  { transform, hash, bundle, sourceMap, manifest }: Release,
): PipelineSpec {
  const { columns, maxParts } = manifest.output;
  const { identity } = manifest.input;
  const lookups = Object.entries(manifest.lookups).map(
    ([name, { by, table }]) => [name, { by, table }] as const,
  );
  return {
    environment,
    name: transform,
    release: hash,
    topic,
    where: { kind: "embedded" },
    sinks,
    bundle,
    transform,
    input: manifest.input.columns,
    output: columns,
    key: identity,
    maxParts,
    ...(sourceMap === undefined ? {} : { sourceMap }),
    lookups: Object.fromEntries(lookups),
  };
}
