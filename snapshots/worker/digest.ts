import duckdb from "@duckdb/node-bindings";
import type { Connection, Result as QueryResult } from "@duckdb/node-bindings";
import { ok, unwrap, type Result } from "../problem.ts";
import type { ColumnDigest, Limits, WorkerRequest } from "../protocol.ts";
import { parseType, quoteName } from "../types.ts";
import { columnHasher, type ColumnHasher } from "./canonical-hash.ts";
import { attach, chunksOf } from "./database.ts";
import { readVector } from "./raw.ts";
import { rowsBetween } from "./table-file.ts";
import { openTables } from "./tables.ts";

/** One of DuckDB's row groups: small enough that memory is used again while it is warm. */
const sliceRows = 122_880;

type Request = Extract<WorkerRequest, { kind: "digest" }>;
let number = 0;

/** The digests of some columns of a finished table file. While one slice is hashed here, DuckDB's threads make the next. */
export async function runDigest(request: Request, limits: Limits): Promise<Result<ColumnDigest[]>> {
  const { open } = await openTables([], limits);
  number += 1;
  const name = quoteName(`made ${number}`);
  await attach(open.connection, request.path, `made ${number}`, "READ_ONLY");
  try {
    const hashers = request.columns.map(() => columnHasher());
    for (const table of ["data", "lineage"] as const) {
      await feed(open.connection, `${name}.main.${table}`, request, table, hashers);
    }
    return ok(
      hashers.map((hasher) => ({
        digest: hasher.digest().toString("hex"),
        hasNulls: hasher.nullCount() > 0,
      })),
    );
  } finally {
    await duckdb.query(open.connection, `DETACH ${name}`);
  }
}

async function feed(
  connection: Connection,
  from: string,
  { columns, rows, hasOwnRowId }: Request,
  table: "data" | "lineage",
  hashers: ColumnHasher[],
): Promise<void> {
  const wanted = columns.flatMap((column, index) => {
    const hasher = hashers[index];
    if (column.table !== table || hasher === undefined) return [];
    return [{ name: column.name, type: unwrap(parseType(column.type)), hasher }];
  });
  if (wanted.length === 0 || rows === 0) return;
  const select = wanted.map((column) => quoteName(column.name)).join(", ");
  const all = hasOwnRowId && table === "data" ? [{ name: "rowid" }] : [];
  const slice = (first: number) =>
    duckdb.query(connection, rowsBetween(select, from, all, first, sliceRows));
  let next: Promise<QueryResult> | undefined = slice(0);
  for (let first = 0; next !== undefined;) {
    const result: QueryResult = await next;
    first += sliceRows;
    next = first < rows ? slice(first) : undefined;
    next?.catch(() => undefined);
    for (const { chunk, rows: count } of chunksOf(result)) {
      wanted.forEach(({ type, hasher }, index) => {
        hasher.update(readVector(duckdb.data_chunk_get_vector(chunk, index), type, count));
      });
    }
  }
}
