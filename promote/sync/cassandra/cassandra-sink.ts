import type { Client } from "cassandra-driver";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { CassandraConnection, Surroundings } from "../connections.ts";
import { typedColumns, type TypedColumn } from "../identity.ts";
import type { Outcome, Sink, SinkBatch, SinkContract } from "../ports.ts";
import { readCatalog, type Place } from "./catalog.ts";
import { openClient, serialConsistencyOf } from "./client.ts";
import { tableName } from "./column-names.ts";
import { encodeBatch } from "./encode-batch.ts";
import { estimateCount, rememberedCount } from "./estimate-count.ts";
import { expiryColumn } from "./expiry.ts";
import { messageOf } from "./outcome-of.ts";
import { scanRows } from "./scan.ts";
import { sendBatch } from "./send.ts";
import { statementsOf, type Statements } from "./statements.ts";
import { mismatchOf, planTable, type CassandraTable, type TablePlan } from "./table-plan.ts";

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
  /** How long deletes are remembered at least: longer than anything older can still be delivered (docs/cassandra.md). */
  gcGraceSeconds?: number;
  /** Requests in flight. */
  lanes?: number;
  now?: () => number;
  log?: (level: "warning" | "error", message: string) => void;
};

const TEN_DAYS = 864_000;
const LANES = 256;
const ATTEMPTS = 5;

type Prepared = {
  contract: string;
  table: CassandraTable;
  statements: Statements;
  key: TypedColumn[];
  columns: TypedColumn[];
  expiresAt: number;
};
type Planned = TablePlan & Pick<Prepared, "key" | "columns" | "expiresAt">;

/**
 * A sink in one Cassandra table, written by version (`USING TIMESTAMP`) without reading: it is silent on what was stale, and on what a
 * clear took away. Connects when it is first asked to plan or prepare.
 */
export async function openCassandraSink(options: CassandraSinkOptions): Promise<Sink> {
  const { name, connection, surroundings, owner } = options;
  const now = options.now ?? Date.now;
  const place: Place = { keyspace: connection.keyspace, table: tableName(options.table) };
  const settings = {
    owner,
    dataCenter: connection.localDataCenter,
    replicas: connection.replicas,
    gcGraceSeconds: options.gcGraceSeconds ?? TEN_DAYS,
  };
  let opened: Client | undefined;
  let prepared: Prepared | undefined;

  async function connected(): Promise<Result<Client>> {
    if (opened !== undefined) return ok(opened);
    const client = openClient(connection, surroundings);
    if (!client.ok) return client;
    client.value.on("log", (level: string, _source: string, message: string) => {
      if (level === "warning" || level === "error") options.log?.(level, message);
    });
    try {
      await client.value.connect();
    } catch (cause) {
      await client.value.shutdown();
      return fail(unreachable(cause));
    }
    opened = client.value;
    return ok(opened);
  }

  async function planFor(client: Client, contract: SinkContract): Promise<Result<Planned>> {
    const key = typedColumns(contract.key);
    if (!key.ok) return key;
    const columns = typedColumns(contract.columns);
    if (!columns.ok) return columns;
    const expiresAt = expiryColumn(columns.value, options.expiresAt);
    if (!expiresAt.ok) return expiresAt;
    const catalog = await readCatalog(client, place, serialConsistencyOf(connection));
    const mismatch = mismatchOf(place, catalog, key.value, owner);
    if (mismatch !== undefined) return fail(mismatch);
    return ok({
      ...planTable(place, catalog, key.value, columns.value, settings),
      key: key.value,
      columns: columns.value,
      expiresAt: expiresAt.value,
    });
  }

  async function plan(contract: SinkContract): Promise<Result<string[]>> {
    const client = await connected();
    if (!client.ok) return client;
    try {
      const planned = await planFor(client.value, contract);
      return planned.ok ? ok(planned.value.statements) : planned;
    } catch (cause) {
      return fail(unplanned(cause));
    }
  }

  /** Plans and carries out until nothing is left to do: another worker of the same pipeline may be at it too. */
  async function prepare(contract: SinkContract): Promise<Problem | undefined> {
    const client = await connected();
    if (!client.ok) return client.problem;
    let trouble: unknown = "its schema keeps changing";
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        const planned = await planFor(client.value, contract);
        if (!planned.ok) return planned.problem;
        const { statements, table, key, columns, expiresAt } = planned.value;
        if (statements.length === 0) {
          prepared = {
            contract: signature(contract),
            table,
            statements: statementsOf(table, expiresAt >= 0),
            key,
            columns,
            expiresAt,
          };
          return undefined;
        }
        for (const statement of statements) {
          const result = await client.value.execute(statement, [], { prepare: false });
          if (!result.wasApplied()) break;
        }
      } catch (cause) {
        trouble = cause;
      }
    }
    return unplanned(trouble);
  }

  async function write(batch: SinkBatch, signal?: AbortSignal): Promise<Outcome[]> {
    if (opened === undefined || prepared?.contract !== signature(batch.contract))
      throw new Error("write before prepare");
    const client = opened;
    const requestsOf = encodeBatch(batch, { ...prepared, nowMs: now() });
    const probe = `select * from ${prepared.table.name} limit 1`;
    return sendBatch(batch, requestsOf, {
      client,
      sink: name,
      lanes: options.lanes ?? LANES,
      signal,
      whyUnprepared: () =>
        client.execute(probe, [], { prepare: false }).then(
          () => undefined,
          (cause: unknown) => cause,
        ),
    });
  }

  function unreachable(cause: unknown): Problem {
    return {
      code: "sink-unreachable",
      message: `The sink ${name} cannot reach Cassandra at ${connection.contactPoints.join(", ")}: ${messageOf(cause)}`,
      hint: "See that Cassandra runs there and that localDataCenter, username and password in environments/*.yaml are its own, then resume the pipeline.",
    };
  }

  function unplanned(cause: unknown): Problem {
    return {
      code: "sink-not-prepared",
      message: `The table ${place.keyspace}.${place.table} of the sink ${name} could not be made or extended: ${messageOf(cause)}`,
      hint: "Give the role of this connection CREATE, ALTER, SELECT and MODIFY on the keyspace, or have the planned statements run by somebody who may, then resume the pipeline.",
    };
  }

  return {
    name,
    plan,
    prepare,
    write,
    count: rememberedCount(
      async (budgetMs) =>
        opened === undefined || prepared === undefined
          ? 0
          : estimateCount(opened, prepared.table, budgetMs, now),
      now,
    ),
    async *scan() {
      if (opened !== undefined && prepared !== undefined) yield* scanRows(opened, prepared.table);
    },
    async close() {
      await opened?.shutdown();
      opened = undefined;
    },
  };
}

function signature(contract: SinkContract): string {
  return JSON.stringify([contract.key, contract.columns]);
}
