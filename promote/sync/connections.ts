import { z } from "zod";
import { fail, ok, type Result } from "#snapshots/problem.ts";

/** A secret never stands in a workspace's files: they name the environment variable that holds it. */
const secret = z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/) });
export type Secret = z.infer<typeof secret>;

/** `true`: the system's certificate authorities. Paths are relative to the workspace. */
const tls = z.union([
  z.boolean(),
  z.strictObject({
    ca: z.string().min(1).exactOptional(),
    certificate: z.string().min(1).exactOptional(),
    key: z.string().min(1).exactOptional(),
  }),
]);

export const kafkaSchema = z.strictObject({
  brokers: z.array(z.string().regex(/^[^:/\s]+:\d+$/, "a broker is host:port")).min(1),
  tls: tls.default(false),
  sasl: z
    .strictObject({
      mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
      username: z.string().min(1),
      password: secret,
    })
    .exactOptional(),
  /** How long a worker that fell silent keeps its partitions, before the pipeline's other workers take them over. */
  sessionTimeoutMs: z.int().min(1000).exactOptional(),
});

export const cassandraSchema = z.strictObject({
  contactPoints: z.array(z.string().min(1)).min(1),
  localDataCenter: z.string().min(1),
  /** Names are as Cassandra writes them unquoted: lower case. */
  keyspace: z.string().regex(/^[a-z][a-z0-9_]{0,47}$/),
  /** Replication of a keyspace that is yet to be made. */
  replicas: z.int().min(1).default(3),
  consistency: z
    .enum(["one", "two", "quorum", "localOne", "localQuorum", "eachQuorum", "all"])
    .default("localQuorum"),
  username: z.string().min(1).exactOptional(),
  password: secret.exactOptional(),
  tls: tls.default(false),
});

export const elasticsearchSchema = z.strictObject({
  nodes: z.array(z.url()).min(1),
  /** Before the names of all indices, so that several environments can share a cluster. */
  prefix: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_.-]*$/)
    .default("penstock-"),
  replicas: z.int().min(0).default(1),
  /** Requests gzipped: worth its processor time between data centres, not within one. */
  compression: z.boolean().exactOptional(),
  username: z.string().min(1).exactOptional(),
  password: secret.exactOptional(),
  apiKey: secret.exactOptional(),
  tls: tls.default(false),
});

export const registrySchema = z.strictObject({
  /** The Confluent-compatible root, without a trailing slash. */
  url: z.url(),
  username: z.string().min(1).exactOptional(),
  password: secret.exactOptional(),
});

export type KafkaConnection = z.infer<typeof kafkaSchema>;
export type CassandraConnection = z.infer<typeof cassandraSchema>;
export type ElasticsearchConnection = z.infer<typeof elasticsearchSchema>;
export type RegistryConnection = z.infer<typeof registrySchema>;

/** Where a workspace's files and secrets are found; `variables` is `process.env` at the edge. */
export type Surroundings = {
  root: string;
  variables: Readonly<Record<string, string | undefined>>;
};

export function readSecret({ env }: Secret, { variables }: Surroundings): Result<string> {
  const value = variables[env];
  if (value !== undefined && value !== "") return ok(value);
  return fail({
    code: "secret-missing",
    message: `The environment variable ${env}, which an environment's file names for a password or key, is not set.`,
    hint: `Set ${env} where Penstock or its worker is started, then start it again.`,
  });
}
