import duckdb from "@duckdb/node-bindings";
import type { Connection, DataChunk } from "@duckdb/node-bindings";
import type { Limits } from "../protocol.ts";
import { openDatabase } from "./database.ts";

/** What is done with rows as they are read; the chunk is valid until it returns. What it throws ends the scan with an error. */
type Take = (chunk: DataChunk, rows: number) => void;

/** A connection in which only our own queries run, kept from one request to the next. */
export type Scanner = {
  connection: Connection;
  /** Hands the rows of `from` to `take` in row order, a chunk at a time. `columns` is SQL, an expression each. */
  scan(from: string, columns: string[], take: Take): Promise<void>;
};

let scanner: Promise<Scanner> | undefined;

export function openScanner(limits: Limits): Promise<Scanner> {
  scanner ??= create(limits);
  return scanner;
}

/**
 * The rows come as the arguments of a function that the scan calls: a result would be copied twice, and kept whole, before its first row is
 * seen. One thread, so that they come in row order; special handling and volatile, so that NULLs come too and no chunk is left out for
 * being all the same.
 */
async function create(limits: Limits): Promise<Scanner> {
  const { connection } = await openDatabase(limits, 1);
  let current: Take | undefined;
  const fn = duckdb.create_scalar_function();
  duckdb.scalar_function_set_name(fn, "penstock_take");
  duckdb.scalar_function_set_varargs(fn, duckdb.create_logical_type(duckdb.Type.ANY));
  duckdb.scalar_function_set_return_type(fn, duckdb.create_logical_type(duckdb.Type.TINYINT));
  duckdb.scalar_function_set_special_handling(fn);
  duckdb.scalar_function_set_volatile(fn);
  duckdb.scalar_function_set_function(fn, (_, chunk) =>
    current?.(chunk, duckdb.data_chunk_get_size(chunk)),
  );
  duckdb.register_scalar_function(connection, fn);
  duckdb.destroy_scalar_function_sync(fn);
  return {
    connection,
    async scan(from, columns, take) {
      current = take;
      // What the function gives is of no interest; an aggregate over it has every row go through it.
      await duckdb.query(
        connection,
        `SELECT max(penstock_take(${columns.join(", ")})) FROM ${from}`,
      );
    },
  };
}
