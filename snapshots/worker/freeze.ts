import duckdb from "@duckdb/node-bindings";
import { filePattern } from "../file-pattern.ts";
import { fail, type Result } from "../problem.ts";
import type { Limits, MadeTable, WorkerRequest } from "../protocol.ts";
import { quoteText } from "../types.ts";
import { attach, closeDatabase, closeLater, letGo, openDatabase, seal } from "./database.ts";
import type { Progress } from "./progress.ts";
import { refuseFunctions } from "./functions.ts";
import { createFromSelect } from "./sql.ts";
import { describeMade } from "./table-file.ts";

/** A source's rows into a new table file, in the file's order. The one file outside that can be read is the source's. */
export async function runFreeze(
  request: Extract<WorkerRequest, { kind: "freeze" }>,
  limits: Limits,
  progress: Progress,
): Promise<Result<MadeTable>> {
  const open = await openDatabase(limits, limits.threads);
  const { connection } = open;
  let close = closeDatabase;
  try {
    const allowed = [request.file, filePattern(request.file)];
    await attach(connection, request.out, "out", "READ_WRITE");
    await duckdb.query(connection, `SET allowed_paths = [${allowed.map(quoteText).join(", ")}]`);
    await seal(connection);
    const problem = await refuseFunctions(connection, request.sql, { clocks: true });
    if (problem !== undefined) return fail(problem);
    const made = await createFromSelect(connection, request.sql, progress);
    if (!made.ok) return made;
    const described = await describeMade(connection, "out", false);
    await letGo(connection, "out");
    close = closeLater;
    return described;
  } finally {
    close(open);
  }
}
