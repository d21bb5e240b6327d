import { randomBytes } from "node:crypto";
import { Client } from "cassandra-driver";
import {
  openCassandraSink,
  type CassandraSinkOptions,
} from "#promote/sync/cassandra/cassandra-sink.ts";
import { cassandraSchema, type CassandraConnection } from "#promote/sync/connections.ts";
import type { Sink } from "#promote/sync/ports.ts";
import { servers } from "./addresses.ts";

/** A keyspace of its own on the real Cassandra; the sinks' own `prepare` makes it. */
export type ScratchKeyspace = {
  connection: CassandraConnection;
  /** As a person at a prompt: no version, no mapping. */
  ask(query: string): Promise<Record<string, unknown>[]>;
  open(options?: Partial<CassandraSinkOptions>): Promise<Sink>;
  remove(): Promise<void>;
};

export function scratchTable(): string {
  return `t_${randomBytes(6).toString("hex")}`;
}

export async function scratchKeyspace(): Promise<ScratchKeyspace> {
  const connection = cassandraSchema.parse({
    contactPoints: [servers.cassandra],
    localDataCenter: "datacenter1",
    keyspace: `scratch_${randomBytes(6).toString("hex")}`,
    replicas: 1,
    consistency: "localOne",
  });
  const { contactPoints, localDataCenter, keyspace } = connection;
  const client = new Client({
    contactPoints,
    localDataCenter,
    socketOptions: { readTimeout: 60_000 },
  });
  await client.connect();
  return {
    connection,
    async ask(query) {
      const found = await client.execute(query.replaceAll("$keyspace", keyspace));
      // The driver has no rows for what is no question.
      return [...found].map((row) => ({ ...row }));
    },
    open: (options) =>
      openCassandraSink({
        name: "table",
        connection,
        surroundings: { root: ".", variables: {} },
        table: scratchTable(),
        owner: "testing:delays",
        ...options,
      }),
    async remove() {
      await client.execute(`drop keyspace if exists ${keyspace}`);
      await client.shutdown();
    },
  };
}
