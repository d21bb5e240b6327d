import { setTimeout as delay } from "node:timers/promises";
import { errors, type Client } from "cassandra-driver";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { CassandraConnection } from "../connections.ts";
import { expiryColumn } from "../values/expiry-column.ts";
import { typedColumns, type TypedColumn } from "../values/identity.ts";
import type { SinkContract } from "../ports.ts";
import { readCatalog, type Place } from "./catalog.ts";
import { serialConsistencyOf } from "./client.ts";
import { isForbidden, messageOf, outcomeOf } from "./outcome-of.ts";
import { mismatchOf, planTable, type TablePlan, type TableSettings } from "./table-plan.ts";

export type TableRequest = {
  client: Client;
  connection: CassandraConnection;
  place: Place;
  settings: TableSettings;
  contract: SinkContract;
  expiresAt: string | undefined;
};

/** A table's plan for a contract. `expiresAt`: see `expiryColumn`. */
export type PlannedTable = TablePlan & {
  key: TypedColumn[];
  columns: TypedColumn[];
  expiresAt: number;
};

export async function planFor(request: TableRequest): Promise<Result<PlannedTable>> {
  try {
    return await planned(request);
  } catch (cause) {
    return fail(notPrepared(request.place, cause));
  }
}

const ATTEMPTS = 8;
const PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

/**
 * Plans and carries out until nothing is left to do. Another worker of the same pipeline may be at it too: a statement that was not applied,
 * or came too late, is a reason to plan again, a little later: a table stands in the schema before it can be asked.
 */
export async function prepareTable(
  request: TableRequest,
  pause = (ms: number): Promise<void> => delay(ms),
): Promise<Result<PlannedTable>> {
  let trouble: unknown = "its schema keeps changing";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const plan = await planned(request);
      if (!plan.ok || plan.value.statements.length === 0) return plan;
      if (await carryOut(request.client, plan.value.statements)) continue;
    } catch (cause) {
      trouble = cause;
      if (isForbidden(cause) || isSilent(cause)) break;
    }
    await pause(Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** attempt));
  }
  return fail(notPrepared(request.place, trouble));
}

/** No answer at all: how long to wait for one is the caller's to say, who can be stopped and tells of it. */
function isSilent(cause: unknown): boolean {
  return (
    cause instanceof errors.OperationTimedOutError || cause instanceof errors.NoHostAvailableError
  );
}

async function planned(request: TableRequest): Promise<Result<PlannedTable>> {
  const { client, connection, place, settings, contract } = request;
  const key = typedColumns(contract.key);
  if (!key.ok) return key;
  const columns = typedColumns(contract.columns);
  if (!columns.ok) return columns;
  const expiresAt = expiryColumn(columns.value, request.expiresAt);
  if (!expiresAt.ok) return expiresAt;
  const catalog = await readCatalog(client, place, serialConsistencyOf(connection));
  const mismatch = mismatchOf(place, catalog, key.value, settings.owner);
  if (mismatch !== undefined) return fail(mismatch);
  const plan = planTable(place, catalog, key.value, columns.value, settings);
  return ok({ ...plan, key: key.value, columns: columns.value, expiresAt: expiresAt.value });
}

/** False: somebody else was first. */
async function carryOut(client: Client, statements: readonly string[]): Promise<boolean> {
  for (const statement of statements) {
    const result = await client.execute(statement, [], { prepare: false });
    if (!result.wasApplied()) return false;
  }
  return true;
}

function notPrepared({ keyspace, table }: Place, cause: unknown): Problem {
  if (outcomeOf(cause, table).kind === "retryAfter")
    return {
      code: "sink-unreachable",
      message: `Cassandra did not answer when the table ${keyspace}.${table} was to be made or extended: ${messageOf(cause)}`,
      hint: "It is tried again and goes on by itself once Cassandra answers.",
    };
  return {
    code: "sink-not-prepared",
    message: `The Cassandra table ${keyspace}.${table} could not be made or extended: ${messageOf(cause)}`,
    hint: "Give the role of this connection CREATE, ALTER, SELECT and MODIFY on the keyspace, or have the planned statements run by somebody who may, then resume the pipeline.",
  };
}
