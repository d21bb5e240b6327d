import duckdb from "@duckdb/node-bindings";
import type { Connection, Database, DataChunk, Result as QueryResult } from "@duckdb/node-bindings";
import type { Limits } from "../protocol.ts";
import { quoteName, quoteText } from "../types.ts";
import { isValid, readVector } from "./raw.ts";

/** One DuckDB instance in memory with one connection. */
export type Open = { database: Database; connection: Connection };

let spare: { made: Promise<Open>; limits: string } | undefined;

/**
 * A fresh instance with nothing in it. Extensions are never fetched or loaded on their own; errors carry their place; what it
 * spills goes to `spillFolder`, up to `spillLimit`.
 */
export async function openDatabase(limits: Limits, threads: number): Promise<Open> {
  const ready = spare?.limits === JSON.stringify(limits) ? spare.made : undefined;
  spare = undefined;
  const open = await (ready ?? create(limits));
  if (threads !== limits.threads) {
    await duckdb.query(open.connection, `SET threads = ${threads}`);
  }
  return open;
}

/** Makes the next instance ahead of need: it takes longer than many a query. */
export function prepareSpare(limits: Limits): void {
  if (spare !== undefined) return;
  const made = create(limits);
  made.catch(() => undefined);
  spare = { made, limits: JSON.stringify(limits) };
}

async function create(limits: Limits): Promise<Open> {
  const config = duckdb.create_config();
  const settings: Record<string, string> = {
    threads: String(limits.threads),
    memory_limit: limits.memoryLimit,
    temp_directory: limits.spillFolder,
    max_temp_directory_size: limits.spillLimit,
    preserve_insertion_order: "true",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
    allow_persistent_secrets: "false",
    errors_as_json: "true",
    // What a query gave back is kept for the next: asking the system for it again costs a join a twentieth of its time.
    allocator_flush_threshold: "4GB",
    allocator_bulk_deallocation_flush_threshold: "8GB",
  };
  for (const [name, value] of Object.entries(settings)) duckdb.set_config(config, name, value);
  const database = await duckdb.open(":memory:", config);
  const connection = await duckdb.connect(database);
  await duckdb.query(
    connection,
    "SET TimeZone = 'UTC'; SET Calendar = 'gregorian'; SET enable_progress_bar = true; SET enable_progress_bar_print = false",
  );
  return { database, connection };
}

/** From here on this instance reads and writes nothing but what is attached, and no setting of it can be changed. */
export async function seal(connection: Connection): Promise<void> {
  await duckdb.query(
    connection,
    "SET enable_external_access = false; SET lock_configuration = true",
  );
}

/** When the answer is out and what follows on it has had the processor: freeing its memory takes as long as many a request. */
export function closeLater(open: Open): void {
  setTimeout(() => closeDatabase(open), 200).unref();
}

export function closeDatabase({ database, connection }: Open): void {
  duckdb.disconnect_sync(connection);
  duckdb.close_sync(database);
}

/**
 * DuckDB writes what its oldest readers know unless told otherwise. Since 1.3 one compression does for text what two compete for before: a
 * table is written in three quarters of the time, in as many bytes.
 */
const storageVersion = "STORAGE_VERSION 'v1.3.0'";

export async function attach(
  connection: Connection,
  path: string,
  name: string,
  access: "READ_ONLY" | "READ_WRITE",
): Promise<void> {
  const options = access === "READ_WRITE" ? `${access}, ${storageVersion}` : access;
  await duckdb.query(
    connection,
    `ATTACH ${quoteText(path)} AS ${quoteName(name)} (TYPE duckdb, ${options})`,
  );
}

/** Everything into the file itself: what is moved into the store is the file, without its write-ahead log. */
export async function letGo(connection: Connection, name: string): Promise<void> {
  await duckdb.query(connection, `CHECKPOINT ${quoteName(name)}`);
  await duckdb.query(connection, `DETACH ${quoteName(name)}`);
}

/** The chunks of a materialised result; each is valid until the next is asked for. */
export function* chunksOf(result: QueryResult): Generator<{ chunk: DataChunk; rows: number }> {
  const count = duckdb.result_chunk_count(result);
  for (let index = 0; index < count; index += 1) {
    const chunk = duckdb.result_get_chunk(result, index);
    const rows = duckdb.data_chunk_get_size(chunk);
    if (rows > 0) yield { chunk, rows };
  }
}

/** Rows of a query whose columns are all VARCHAR (cast them in the query). */
export async function queryTexts(
  connection: Connection,
  sql: string,
): Promise<(string | null)[][]> {
  const result = await duckdb.query(connection, sql);
  const columns = duckdb.column_count(result);
  const rows: (string | null)[][] = [];
  for (const { chunk, rows: count } of chunksOf(result)) {
    const texts = Array.from({ length: columns }, (_, column) => textsOf(chunk, column, count));
    for (let i = 0; i < count; i += 1) rows.push(texts.map((column) => column[i] ?? null));
  }
  return rows;
}

function textsOf(chunk: DataChunk, column: number, rows: number): (string | null)[] {
  const raw = readVector(
    duckdb.data_chunk_get_vector(chunk, column),
    { kind: "scalar", name: "VARCHAR" },
    rows,
  );
  if (raw.shape !== "text") return [];
  const view = new DataView(raw.views.buffer, raw.views.byteOffset, raw.views.byteLength);
  let longAt = 0;
  return Array.from({ length: rows }, (_, i) => {
    if (raw.nulls.bits !== null && !isValid(raw.nulls.bits, i)) return null;
    const length = view.getUint32(i * 16, true);
    if (length <= 12)
      return Buffer.from(raw.views.subarray(i * 16 + 4, i * 16 + 4 + length)).toString("utf8");
    longAt += length;
    return Buffer.from(raw.long.subarray(longAt - length, longAt)).toString("utf8");
  });
}
