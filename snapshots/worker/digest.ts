import duckdb from "@duckdb/node-bindings";
import type { DataChunk } from "@duckdb/node-bindings";
import { ok, unwrap, type Result } from "../problem.ts";
import type { ColumnDigest, Limits, WorkerRequest } from "../protocol.ts";
import { parseType, quoteName } from "../types.ts";
import { columnHasher, type ColumnHasher } from "./canonical-hash.ts";
import { attach } from "./database.ts";
import { readVector } from "./raw.ts";
import { openScanner, type Scanner } from "./scan.ts";

type Request = Extract<WorkerRequest, { kind: "digest" }>;
let number = 0;

/** The digests of some columns of a finished table file, hashed as they are read: of a table of any size, a chunk is in memory. */
export async function runDigest(request: Request, limits: Limits): Promise<Result<ColumnDigest[]>> {
  const scanner = await openScanner(limits);
  number += 1;
  const name = quoteName(`made ${number}`);
  await attach(scanner.connection, request.path, `made ${number}`, "READ_ONLY");
  try {
    const hashers = request.columns.map(() => columnHasher());
    for (const table of ["data", "lineage"] as const) {
      await feed(scanner, `${name}.main.${table}`, request, table, hashers);
    }
    return ok(
      hashers.map((hasher) => ({
        digest: hasher.digest().toString("hex"),
        hasNulls: hasher.nullCount() > 0,
      })),
    );
  } finally {
    await duckdb.query(scanner.connection, `DETACH ${name}`);
  }
}

async function feed(
  scanner: Scanner,
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
  if (wanted.length === 0) return;
  const isNumbered = table === "lineage" || !hasOwnRowId;
  const names = wanted.map((column) => quoteName(column.name));
  let row = 0;
  await scanner.scan(from, isNumbered ? [...names, "rowid"] : names, (chunk, count) => {
    if (isNumbered && firstInteger(chunk, names.length) !== BigInt(row)) {
      throw new Error(`the rows of ${from} came out of order at row ${row}`);
    }
    wanted.forEach(({ type, hasher }, index) => {
      hasher.update(readVector(duckdb.data_chunk_get_vector(chunk, index), type, count));
    });
    row += count;
  });
  if (row !== rows) throw new Error(`${from} has ${rows} rows, of which ${row} were read`);
}

function firstInteger(chunk: DataChunk, column: number): bigint {
  const bytes = duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, column), 8);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true);
}
