import { PLAIN_STREAM, type StreamSettings } from "#snapshots/stream-settings.ts";
import type { TopicChoice } from "#snapshots/topic-choice.ts";
import type { DesiredPipeline, Environment } from "./environment-schema.ts";
import type { Release } from "./release-files.ts";
import type { ReleaseManifest } from "./release-format.ts";
import type { PipelineSpec, Where } from "./sync/pipeline-spec.ts";

/** What of a release runs. */
type Runnable = Pick<Release, "transform" | "hash" | "bundle" | "sourceMap"> & {
  manifest: {
    input: Pick<ReleaseManifest["input"], "columns" | "identity">;
    output: Pick<ReleaseManifest["output"], "columns" | "maxParts">;
    lookups: ReleaseManifest["lookups"];
  };
};

/** A release as the streaming runtime is told to run it: the bytes of the bundle, by the contracts they were judged on. */
export function pipelineSpec(
  environment: Environment,
  pipeline: DesiredPipeline,
  { transform, hash, bundle, sourceMap, manifest }: Runnable,
  stream: StreamSettings = PLAIN_STREAM,
): PipelineSpec {
  const { topic, sinks, start, deadLetters, latencyMs } = pipeline;
  const { expiresAt, routing, gcGraceSeconds, partitionsAdded } = pipeline;
  const { columns, maxParts } = manifest.output;
  const { identity } = manifest.input;
  const lookups = Object.entries(manifest.lookups).map(
    ([name, { by, table }]) => [name, { by, table }] as const,
  );
  return {
    environment: environment.name,
    name: transform,
    release: hash,
    topic,
    where: whereOf(environment),
    sinks,
    stream,
    ...(start === undefined ? {} : { start: startOf(start, topic) }),
    ...(partitionsAdded === undefined ? {} : { partitionsAdded }),
    ...(deadLetters === undefined ? {} : { deadLetterTopic: deadLetters }),
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(routing === undefined ? {} : { routing }),
    ...(gcGraceSeconds === undefined ? {} : { gcGraceSeconds }),
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

function whereOf(environment: Environment): Where {
  if (environment.kind === "embedded") return { kind: "embedded" };
  const { kafka, cassandra, elasticsearch, registry } = environment;
  return {
    kind: "servers",
    kafka,
    ...(cassandra === undefined ? {} : { cassandra }),
    ...(elasticsearch === undefined ? {} : { elasticsearch }),
    ...(registry === undefined ? {} : { registry }),
  };
}

function startOf(
  start: NonNullable<DesiredPipeline["start"]>,
  topic: TopicChoice,
): NonNullable<PipelineSpec["start"]> {
  if (typeof start === "string") return start;
  if ("at" in start) return { timestampMs: Date.parse(start.at) };
  const only = typeof topic === "string" ? topic : "";
  const offsets = Object.entries(start.offsets).map(([place, offset]) => {
    const [partition = "", of = only] = place.split("/").toReversed();
    return { topic: of, partition: Number(partition), offset };
  });
  return { offsets };
}
