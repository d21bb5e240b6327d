import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { expiryColumn } from "../values/expiry-column.ts";
import { typedColumns, type TypedColumn } from "../values/identity.ts";
import {
  RETRACTED,
  STALE,
  WRITTEN,
  type Outcome,
  type Sink,
  type SinkBatch,
  type SinkContract,
} from "../ports.ts";
import { scanRows } from "./sink-scan.ts";
import { openStaged, type Staged } from "./sink-staging.ts";
import {
  mergeStatements,
  planTables,
  stagingDefinition,
  type SinkTable,
  type TablePlan,
} from "./sink-tables.ts";

export type DuckdbSinkOptions = {
  name: string;
  path: string;
  /** A timestamp column of the contract: a row is gone for all who read once it has passed, and its values at the next `prepare`. */
  expiresAt?: string;
  memoryLimit?: string;
  threads?: number;
};

/**
 * A sink in one DuckDB file: a transaction per batch, durable when `write` resolves (DuckDB syncs its write-ahead log on commit).
 * The file belongs to this process while it is open.
 */
export async function openDuckdbSink(options: DuckdbSinkOptions): Promise<Sink> {
  mkdirSync(dirname(options.path), { recursive: true });
  const instance = await DuckDBInstance.create(options.path, {
    threads: String(options.threads ?? 1),
    memory_limit: options.memoryLimit ?? "384MB",
    wal_autocheckpoint: "64MB",
    preserve_insertion_order: "true",
  });
  const connection = await instance.connect();
  await connection.run("set TimeZone = 'UTC'");
  const reading = await instance.connect();
  let prepared:
    | { contract: string; table: SinkTable; key: TypedColumn[]; columns: TypedColumn[] }
    | undefined;

  async function planFor(
    contract: SinkContract,
  ): Promise<Result<TablePlan & { key: TypedColumn[]; columns: TypedColumn[] }>> {
    const key = typedColumns(contract.key);
    const columns = typedColumns(contract.columns);
    if (!key.ok) return key;
    if (!columns.ok) return columns;
    const expiresAt = expiryColumn(columns.value, options.expiresAt);
    if (!expiresAt.ok) return expiresAt;
    const planned = await planTables(connection, key.value, columns.value, expiresAt.value);
    if (!("mismatch" in planned)) return ok({ ...planned, key: key.value, columns: columns.value });
    return fail({
      code: "sink-key-changed",
      message: `The sink ${options.name} holds another identity: ${planned.mismatch}.`,
      hint: "Promote a release with the same identity, or give this one a pipeline name of its own.",
      at: { file: options.path },
    });
  }

  async function plan(contract: SinkContract): Promise<Result<string[]>> {
    const planned = await planFor(contract);
    return planned.ok ? ok(planned.value.statements) : planned;
  }

  async function prepare(contract: SinkContract): Promise<Problem | undefined> {
    const planned = await planFor(contract);
    if (!planned.ok) return planned.problem;
    const { statements, views, sweep, table, key, columns } = planned.value;
    await transaction(connection, async () => {
      for (const statement of [...statements, ...views, ...sweep]) await connection.run(statement);
    });
    await connection.run(stagingDefinition(table));
    prepared = {
      contract: JSON.stringify([contract.key, contract.columns]),
      table,
      key,
      columns,
    };
    return undefined;
  }

  async function write(batch: SinkBatch): Promise<Outcome[]> {
    if (prepared?.contract !== JSON.stringify([batch.contract.key, batch.contract.columns]))
      throw new Error("write before prepare");
    const { table } = prepared;
    const staged = openStaged(batch, prepared);
    try {
      return await merge(table, staged, batch, 0, batch.count);
    } catch (cause) {
      return Array.from({ length: batch.count }, () => outcomeOf(cause, options));
    }
  }

  /** A value that cannot be cast fails its statement: the batch is halved until the row is alone. */
  async function merge(
    table: SinkTable,
    staged: Staged,
    batch: SinkBatch,
    from: number,
    to: number,
  ): Promise<Outcome[]> {
    try {
      return await mergeRange(table, staged, batch, from, to);
    } catch (cause) {
      if (!isConversion(cause)) throw cause;
      if (to - from === 1) return [{ kind: "reject", reason: firstLine(cause) }];
      const middle = (from + to) >> 1;
      return [
        ...(await merge(table, staged, batch, from, middle)),
        ...(await merge(table, staged, batch, middle, to)),
      ];
    }
  }

  /** One transaction. Statements go together where nothing is to be known between them: each call costs JavaScript's thread a third of a millisecond. */
  async function mergeRange(
    table: SinkTable,
    staged: Staged,
    batch: SinkBatch,
    from: number,
    to: number,
  ): Promise<Outcome[]> {
    const outcomes = Array.from<Outcome>({ length: to - from }).fill(WRITTEN);
    if (to === from) return outcomes;
    const statements = mergeStatements(table, batch.places);
    try {
      await connection.run(`begin; ${stagingDefinition(table)}`);
      const appender = await connection.createAppender("staging");
      for (const chunk of staged(from, to)) appender.appendDataChunk(chunk);
      appender.closeSync();
      let meetsAny: unknown;
      for (const [operation, says] of (await connection.runAndReadAll(statements.meet)).getRows()) {
        if (operation === null) meetsAny = says;
        else outcomes[Number(operation) - from] = says === true ? STALE : RETRACTED;
      }
      await connection.run(`${meetsAny === true ? statements.replace : statements.insert}; commit`);
      return outcomes;
    } catch (cause) {
      await connection.run("rollback").catch(() => undefined);
      throw cause;
    }
  }

  return {
    name: options.name,
    plan,
    prepare,
    write,
    async count() {
      if (prepared === undefined) return 0;
      const found = await reading.runAndReadAll("select count(*) from kept where alive");
      return Number(found.getRows()[0]?.[0] ?? 0);
    },
    async *scan() {
      if (prepared === undefined) return;
      // A connection of its own: another query on it would end the stream early, without a word.
      const scanning = await instance.connect();
      try {
        await scanning.run("set TimeZone = 'UTC'");
        yield* scanRows(scanning, prepared.table);
      } finally {
        scanning.closeSync();
      }
    },
    async close() {
      connection.closeSync();
      reading.closeSync();
      instance.closeSync();
    },
  };
}

async function transaction<T>(connection: DuckDBConnection, body: () => Promise<T>): Promise<T> {
  await connection.run("begin");
  try {
    const value = await body();
    await connection.run("commit");
    return value;
  } catch (cause) {
    await connection.run("rollback").catch(() => undefined);
    throw cause;
  }
}

function firstLine(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.split("\n")[0] ?? message;
}

function isConversion(cause: unknown): boolean {
  return /^(Conversion|Invalid Input) Error/.test(firstLine(cause));
}

function outcomeOf(cause: unknown, options: DuckdbSinkOptions): Outcome {
  const message = firstLine(cause);
  const problem: Problem = {
    code: "sink-failed",
    message: `The sink ${options.name} could not be written: ${message}`,
    at: { file: options.path },
  };
  if (message.startsWith("TransactionContext Error")) {
    const hint = "It is tried again and again, and goes on by itself: free space if there is none.";
    return { kind: "retryAfter", afterMs: 100, problem: { ...problem, hint } };
  }
  return {
    kind: "halt",
    problem: { ...problem, hint: "Free space or repair the file, then resume the pipeline." },
  };
}
