import { createHash } from "node:crypto";
import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import { fail, ok, type Problem, type Result } from "../problem.ts";
import type { Limits, MadeTable, WorkerRequest } from "../protocol.ts";
import { quoteName } from "../types.ts";
import { attach, closeDatabase, letGo, openDatabase, seal } from "./database.ts";
import { problemOf } from "./errors.ts";
import { refuseFunctions } from "./functions.ts";
import { watchProgress, type Progress } from "./progress.ts";
import { describeMade } from "./table-file.ts";

/**
 * A user's query into a new table file. It runs in an instance made for it alone, sealed before the first word of the query is read: it sees
 * its inputs as views, and nothing else. One thread and a fixed seed, so that the same query over the same tables gives the same rows.
 */
export async function runSql(
  request: Extract<WorkerRequest, { kind: "sql" }>,
  limits: Limits,
  progress: Progress,
): Promise<Result<MadeTable>> {
  const open = await openDatabase(limits, 1);
  const { connection } = open;
  try {
    await attach(connection, request.out, "out", "READ_WRITE");
    let number = 0;
    for (const { alias, table, of } of request.inputs) {
      number += 1;
      await attach(connection, table.path, `input ${number}`, "READ_ONLY");
      await duckdb.query(
        connection,
        `CREATE VIEW ${quoteName(alias)} AS SELECT * FROM ${quoteName(`input ${number}`)}.main.${of}`,
      );
    }
    await duckdb.query(connection, `SELECT setseed(${seedOf(request.sql)})`);
    await seal(connection);
    const problem = await refuseAllButOneSelect(connection, request.sql);
    if (problem !== undefined) return fail(problem);
    const made = await createFromSelect(connection, request.sql, progress);
    if (!made.ok) return made;
    const { lineage } = request;
    if (lineage !== undefined)
      await duckdb.query(connection, `CREATE TABLE out.main.lineage AS ${lineage}`);
    const described = await describeMade(connection, "out", lineage !== undefined);
    await letGo(connection, "out");
    return described;
  } finally {
    closeDatabase(open);
  }
}

const prefix = "CREATE TABLE out.main.data AS\n";

/** Runs `sql` into `out.main.data`. Together with our words it must be one statement, so that `sql` can be nothing but a query. */
export async function createFromSelect(
  connection: Connection,
  sql: string,
  progress: Progress,
): Promise<Result<true>> {
  const stop = watchProgress(connection, progress);
  try {
    const { extracted_statements, statement_count } = await duckdb.extract_statements(
      connection,
      prefix + sql,
    );
    if (statement_count > 1) return fail(onlySelect);
    if (statement_count === 0) {
      return fail(
        problemOf(
          new Error(duckdb.extract_statements_error(extracted_statements)),
          sql,
          prefix.length,
        ),
      );
    }
    const prepared = await duckdb.prepare_extracted_statement(connection, extracted_statements, 0);
    if (duckdb.prepared_statement_type(prepared) !== duckdb.StatementType.CREATE)
      return fail(onlySelect);
    await duckdb.execute_prepared(prepared);
    duckdb.destroy_prepare_sync(prepared);
    return ok(true);
  } catch (error) {
    return fail(problemOf(error, sql, prefix.length));
  } finally {
    stop();
  }
}

const onlySelect: Problem = {
  code: "query-not-select",
  message: "A query must be one SELECT statement.",
  hint: "Only reading is possible here: SELECT, WITH, FROM or VALUES. A PIVOT needs its values listed: `ON column IN (…)`.",
};

async function refuseAllButOneSelect(
  connection: Connection,
  sql: string,
): Promise<Problem | undefined> {
  if (sql.trim() === "") return { ...onlySelect, message: "The query is empty." };
  try {
    const { extracted_statements, statement_count } = await duckdb.extract_statements(
      connection,
      sql,
    );
    if (statement_count === 0) {
      return problemOf(new Error(duckdb.extract_statements_error(extracted_statements)), sql);
    }
    if (statement_count > 1) {
      return {
        ...onlySelect,
        message: `A query must be one SELECT statement; this is ${statement_count}.`,
      };
    }
    // Before anything is bound: some functions act as they are.
    const refused = await refuseFunctions(connection, sql, { clocks: false });
    if (refused !== undefined) return refused;
    const prepared = await duckdb.prepare_extracted_statement(connection, extracted_statements, 0);
    if (duckdb.prepared_statement_type(prepared) !== duckdb.StatementType.SELECT) return onlySelect;
    if (duckdb.nparams(prepared) > 0) {
      return {
        code: "query-parameters",
        message: "The query has parameters ($1, ?).",
        hint: "Write values as ${value} in the sql`…` template.",
      };
    }
    return undefined;
  } catch (error) {
    const problem = problemOf(error, sql);
    return problem.message === "Error in native callback"
      ? { ...onlySelect, message: "The query is empty." }
      : problem;
  }
}

/** `random()` starts from the query's own text: the same query draws the same numbers. */
function seedOf(sql: string): number {
  return createHash("sha256").update(sql).digest().readUInt32LE(0) / 2 ** 32;
}
