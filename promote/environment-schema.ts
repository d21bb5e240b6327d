import { z } from "zod";
import { topicChoice, topicName } from "#snapshots/topic-schema.ts";
import {
  cassandraSchema,
  elasticsearchSchema,
  kafkaSchema,
  registrySchema,
} from "./sync/connections.ts";

/** Twenty years, as for a time to live. */
const MAX_GC_GRACE_SECONDS = 630_720_000;

const pipelineSchema = z.strictObject({
  release: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "a release is named by its whole hash, 64 hex digits"),
  topic: topicChoice,
  sinks: z
    .array(z.union([z.enum(["table", "search"]), z.strictObject({ topic: topicName })]))
    .min(1),
  /** Where reading starts when nothing was ever committed; the beginning when absent. */
  start: z
    .union([
      z.enum(["earliest", "latest"]),
      z.strictObject({ at: z.iso.datetime() }),
      z.strictObject({
        offsets: z.record(
          z.string().regex(/^([\w.-]+\/)?\d+$/, "a partition is a number, or TOPIC/NUMBER"),
          z.int().min(0),
        ),
      }),
    ])
    .exactOptional(),
  /** Whether the topic's partitions were increased before the pipeline first reads it; its keys tell when absent. */
  partitionsAdded: z.boolean().exactOptional(),
  /** A topic that dead letters are sent to as well. */
  deadLetters: topicName.exactOptional(),
  /** Records gather for about this long, so that a batch is worth its cost. */
  latencyMs: z.int().min(10).max(60_000).exactOptional(),
  /** A timestamp column of the output; the sinks let go of a row when it has passed. */
  expiresAt: z.string().min(1).exactOptional(),
  /** A column of the identity whose value places a document of the search index on its shard. */
  routing: z.string().min(1).exactOptional(),
  /** How long the Cassandra table remembers deletes at least (docs/cassandra.md). */
  gcGraceSeconds: z.int().min(1).max(MAX_GC_GRACE_SECONDS).exactOptional(),
});

const common = {
  description: z.string().optional(),
  approvals: z.int().min(0).default(0),
  fourEyes: z.boolean().default(false),
  pipelines: z
    .record(z.string(), pipelineSchema)
    .nullish()
    .transform((pipelines) => pipelines ?? {}),
};

export const environmentSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("embedded"), ...common }),
  z.strictObject({
    kind: z.literal("servers"),
    /** `separate`: only workers started with `penstock sync --environment NAME` run the pipelines. */
    workers: z.enum(["server", "separate"]).default("server"),
    kafka: kafkaSchema,
    cassandra: cassandraSchema.exactOptional(),
    elasticsearch: elasticsearchSchema.exactOptional(),
    registry: registrySchema.exactOptional(),
    ...common,
  }),
]);

/** What a pipeline shall run: one release, over its topics. */
export type DesiredPipeline = z.infer<typeof pipelineSchema>;

/** Desired state, as its file in Git says. `fourEyes`: who made a release may not approve it. */
export type Environment = { name: string } & z.infer<typeof environmentSchema>;

/** The servers an environment's pipelines run on. */
export type Servers = Pick<
  Extract<Environment, { kind: "servers" }>,
  "kafka" | "cassandra" | "elasticsearch" | "registry"
>;
