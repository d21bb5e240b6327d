import type {
  CassandraConnection,
  ElasticsearchConnection,
  KafkaConnection,
  RegistryConnection,
} from "./connections.ts";
import type { StreamSettings } from "#snapshots/stream-settings.ts";
import type { TopicChoice } from "#snapshots/topic-choice.ts";
import type { ReleaseSpec } from "./release-spec.ts";

/** Where a pipeline runs: beside its workspace's files, or on servers. */
export type Where =
  | { kind: "embedded" }
  | {
      kind: "servers";
      kafka: KafkaConnection;
      cassandra?: CassandraConnection;
      elasticsearch?: ElasticsearchConnection;
      registry?: RegistryConnection;
    };

/** `table`: a DuckDB file or a Cassandra table. `search`: a DuckDB file or an Elasticsearch index. Or a topic derived from this one. */
export type SinkChoice = "table" | "search" | { topic: string };

/** A release to run in an environment, over a topic. */
export type PipelineSpec = ReleaseSpec & {
  environment: string;
  name: string;
  /** What it reads. An identity's records are in one topic: nothing orders those of two. */
  topic: TopicChoice;
  where: Where;
  sinks: readonly SinkChoice[];
  /** How the topic's records are written, and what is expected of them. */
  stream: StreamSettings;
  /** Where reading starts when nothing was ever committed. */
  start?:
    | "earliest"
    | "latest"
    | { timestampMs: number }
    | { offsets: readonly { topic: string; partition: number; offset: number }[] };
  /** Whether the topic's partitions were increased before the pipeline first reads it; its keys tell when absent. */
  partitionsAdded?: boolean;
  /** A topic that dead letters go to as well. */
  deadLetterTopic?: string;
  /** How old records may grow while others gather for their batch and it is handled, where nothing is in the way; 250 when absent. */
  latencyMs?: number;
  /** A timestamp column of the output: rows are gone from the sinks after it. */
  expiresAt?: string;
  /** A column of the identity whose value places a document of the search index on its shard. */
  routing?: string;
  /** How long the Cassandra table remembers deletes at least. */
  gcGraceSeconds?: number;
};

export function sinkName(choice: SinkChoice): string {
  return typeof choice === "string" ? choice : choice.topic;
}

/** Equal for two specs that read from and write to the same places. */
export function placesOf(spec: PipelineSpec): string {
  const { topic, where, sinks, start, deadLetterTopic, latencyMs, stream } = spec;
  const { expiresAt, routing, gcGraceSeconds, partitionsAdded } = spec;
  return JSON.stringify([
    topic,
    where,
    sinks.map(sinkName),
    start,
    partitionsAdded,
    deadLetterTopic,
    latencyMs,
    expiresAt,
    routing,
    gcGraceSeconds,
    stream,
  ]);
}
