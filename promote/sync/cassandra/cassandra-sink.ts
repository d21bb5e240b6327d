import type { Client } from "cassandra-driver";
import { ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { CassandraConnection, Surroundings } from "../connections.ts";
import type { Outcome, Sink, SinkBatch, SinkContract } from "../ports.ts";
import { BATCHES_AT_ONCE } from "../tuning.ts";
import { GIVEN_UP, STOPPED, unlessStopped } from "../unless-stopped.ts";
import { within } from "../within.ts";
import type { Place } from "./catalog.ts";
import { connectClient, type Log } from "./client.ts";
import { tableName } from "./column-names.ts";
import { encodeBatch } from "./encode-batch.ts";
import { countRange, rememberedCount } from "./estimate-count.ts";
import { planFor, prepareTable, type PlannedTable, type TableRequest } from "./prepare-table.ts";
import { scanRows } from "./scan.ts";
import { sendBatch } from "./send.ts";
import { statementsOf, type Statements } from "./statements.ts";

export type CassandraSinkOptions = {
  name: string;
  connection: CassandraConnection;
  surroundings: Surroundings;
  /** The table's name; what Cassandra allows in none becomes an underscore. */
  table: string;
  /** Who the table belongs to, `environment:pipeline`. Another owner is refused. */
  owner: string;
  /** A timestamp column of the contract: when its row expires. */
  expiresAt?: string;
  /** How long deletes are remembered at least: longer than anything older can still be delivered (docs/cassandra.md). Absent: what the table has, ten days for a new one. */
  gcGraceSeconds?: number;
  /** Requests in flight of one batch; each brings a record. */
  lanes?: number;
  now?: () => number;
  log?: Log;
};

const LANES = 512;
const CLOSE_MS = 1000;

/**
 * A sink in one Cassandra table, written by version (`USING TIMESTAMP`) without reading: it is silent on what was stale, and on what a
 * clear took away. Connects when it is first asked to plan or prepare.
 */
export async function openCassandraSink(options: CassandraSinkOptions): Promise<Sink> {
  const { name, connection, surroundings } = options;
  const now = options.now ?? Date.now;
  const place: Place = { keyspace: connection.keyspace, table: tableName(options.table) };
  let connecting: Promise<Result<Client>> | undefined;
  let prepared: (PlannedTable & { client: Client; contract: string; sql: Statements }) | undefined;

  async function request(contract: SinkContract): Promise<Result<TableRequest>> {
    connecting ??= connectClient(name, connection, surroundings, options.log);
    const client = await connecting;
    if (!client.ok) {
      connecting = undefined;
      return client;
    }
    const settings = {
      owner: options.owner,
      dataCenter: connection.localDataCenter,
      replicas: connection.replicas,
      gcGraceSeconds: options.gcGraceSeconds,
    };
    const { expiresAt } = options;
    return ok({ client: client.value, connection, place, settings, contract, expiresAt });
  }

  async function plan(contract: SinkContract): Promise<Result<string[]>> {
    const asked = await request(contract);
    if (!asked.ok) return asked;
    const planned = await planFor(asked.value);
    return planned.ok ? ok(planned.value.statements) : planned;
  }

  async function prepareNow(contract: SinkContract): Promise<Problem | undefined> {
    const asked = await request(contract);
    if (!asked.ok) return asked.problem;
    const done = await prepareTable(asked.value);
    if (!done.ok) return done.problem;
    prepared = {
      ...done.value,
      client: asked.value.client,
      contract: signature(contract),
      sql: statementsOf(done.value.table, done.value.expiresAt >= 0),
    };
    return undefined;
  }

  async function writeNow(batch: SinkBatch, signal?: AbortSignal): Promise<Outcome[]> {
    if (prepared?.contract !== signature(batch.contract)) throw new Error("write before prepare");
    const { client, table, sql } = prepared;
    const probe = `select * from ${table.name} limit 1`;
    return sendBatch(batch, encodeBatch(batch, { ...prepared, nowMs: now() }), {
      client,
      sink: name,
      statements: sql,
      lanes: options.lanes ?? LANES,
      signal,
      whyUnprepared: () =>
        client.execute(probe, [], { prepare: false }).then(
          () => undefined,
          (cause: unknown) => cause,
        ),
    });
  }

  return {
    name,
    // A batch is over with its slowest request: meanwhile others go on.
    writesAtOnce: BATCHES_AT_ONCE,
    plan,
    prepare: (contract, signal) => unlessStopped(prepareNow(contract), signal, STOPPED),
    write(batch, signal) {
      const all = Array.from({ length: batch.count }, () => GIVEN_UP);
      return unlessStopped(writeNow(batch, signal), signal, all);
    },
    count: rememberedCount(() => prepared && countRange(prepared.client, prepared.table), now),
    async *scan() {
      if (prepared !== undefined) yield* scanRows(prepared.client, prepared.table);
    },
    async close() {
      const closing = connecting?.then((client) =>
        client.ok ? client.value.shutdown() : undefined,
      );
      connecting = undefined;
      prepared = undefined;
      // The driver waits for a silent Cassandra, and cannot be called off while it connects: it ends by itself.
      await within(CLOSE_MS, Promise.resolve(closing));
    },
  };
}

function signature(contract: SinkContract): string {
  return JSON.stringify([contract.key, contract.columns]);
}
