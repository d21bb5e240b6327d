import { availableParallelism, totalmem } from "node:os";
import { aligned } from "./arrow-ipc.ts";
import { openDiffQueries, type DiffQueries } from "./diff-queries.ts";
import { freezeQuery } from "./freeze-query.ts";
import { openPool } from "./pool.ts";
import { fail, ok, ProblemError, type Result } from "./problem.ts";
import type { ColumnProfile } from "./profile.ts";
import type { Limits, MadeTable, SqlInput, TableFile } from "./protocol.ts";
import { changedMeanwhile, fileHash, sourceFile } from "./source-file.ts";
import { readBatches, feedBatches, type Batch } from "./streams.ts";
import type { ContentStore } from "./store.ts";
import type { Column, TableHash, TableInfo } from "./table.ts";
import { hashMade } from "./table-hash.ts";
import type { Source } from "./workspace.ts";

export type Sample = { fraction: number; seed: number };
export type SourceFile = { path: string; sizeBytes: number; sha256: string };

/** Everything asked of DuckDB. Each request runs in a process that can be killed; what comes out is in the content store. */
export type Queries = DiffQueries & {
  /** A user's query over tables, by the names it calls them. Sealed from everything else; one thread; rows as the query orders them. */
  sql(request: {
    sql: string;
    inputs: Record<string, TableHash>;
    /** For a query of ours that keeps rows as they are: whose lineage it reads, by name, and what gives the lineage of its rows in their order. */
    lineage?: { inputs: Record<string, TableHash>; sql: string };
    signal?: AbortSignal;
    onProgress?: (fraction: number) => void;
    timeoutMs?: number;
  }): Promise<Result<TableInfo>>;
  /** Some rows and columns as one Arrow IPC stream; in row order unless asked otherwise. */
  window(request: {
    table: TableHash;
    offset: number;
    limit: number;
    columns?: string[];
    orderBy?: { column: string; descending: boolean };
    signal?: AbortSignal;
  }): Promise<Result<{ ipc: Uint8Array; rows: number; total: number }>>;
  /** A whole table in row order, each item an Arrow IPC stream of one record batch. Ending the loop ends the work. Throws `ProblemError`. */
  read(request: {
    table: TableHash;
    batchRows?: number;
    columns?: string[];
    signal?: AbortSignal;
  }): AsyncIterable<Uint8Array>;
  /** The lineage of a table that has one, in row order: columns position (BIGINT) and part (INTEGER). As `read` does. */
  readLineage(request: { table: TableHash; signal?: AbortSignal }): AsyncIterable<Uint8Array>;
  /** Arrow batches into a table. `position` and `part` of every row make it one with lineage. */
  write(request: {
    columns: Column[];
    batches: AsyncIterable<Batch>;
    signal?: AbortSignal;
  }): Promise<Result<TableInfo>>;
  profile(request: {
    table: TableHash;
    columns?: string[];
    signal?: AbortSignal;
  }): Promise<Result<ColumnProfile[]>>;
  /** A source's rows into a table; `query` is the SQL as run, with the path as the source gives it. */
  freeze(request: {
    source: Source;
    sample?: Sample;
    signal?: AbortSignal;
    onProgress?: (progress: { rows: number; fraction: number }) => void;
  }): Promise<Result<{ info: TableInfo; query: string; from: SourceFile }>>;
  close(): Promise<void>;
};

export type QueriesOptions = {
  store: ContentStore;
  workspaceRoot: string;
  workers?: number;
  /** DuckDB's own limit, e.g. `2GB`. */
  memoryLimit?: string;
};

const defaultBatchRows = 65_536;
const gigabyte = 2 ** 30;

export function openQueries({
  store,
  workspaceRoot,
  workers,
  memoryLimit,
}: QueriesOptions): Queries {
  const memoryBytes = memoryLimit === undefined ? defaultMemoryBytes() : parseBytes(memoryLimit);
  const spillFolder = store.tempPath("spill");
  const limits: Limits = {
    memoryLimit: `${Math.floor(memoryBytes / 2 ** 20)}MiB`,
    spillLimit: "8GiB",
    spillFolder,
    threads: availableParallelism(),
  };
  const pool = openPool({
    workers: workers ?? Math.max(2, Math.min(4, availableParallelism())),
    limits,
    residentLimitBytes: memoryBytes * 1.25 + gigabyte,
  });

  const tableFile = (hash: TableHash) => findTable(store, hash);

  /** Makes a table in a temporary file and takes it into the store; whatever happens, nothing is left behind. */
  async function make(
    signal: AbortSignal | undefined,
    work: (out: string) => Promise<Result<MadeTable>>,
  ): Promise<Result<TableInfo>> {
    const out = store.tempPath();
    try {
      const made = await work(out);
      if (!made.ok) return made;
      const hashed = await hashMade(pool, out, made.value, signal);
      return hashed.ok ? ok(store.adoptTable(out, { ...hashed.value, sizeBytes: 0 })) : hashed;
    } finally {
      store.dropTemp(out);
    }
  }

  return {
    sql({ sql, inputs, lineage, signal, onProgress, timeoutMs }) {
      return make(signal, async (out) => {
        const named = [
          ...Object.entries(inputs).map(([alias, hash]) => ({ alias, hash, of: "data" as const })),
          ...Object.entries(lineage?.inputs ?? {}).map(([alias, hash]) => ({
            alias,
            hash,
            of: "lineage" as const,
          })),
        ];
        const files: SqlInput[] = [];
        for (const { alias, hash, of } of named) {
          const table = tableFile(hash);
          if (!table.ok) return table;
          files.push({ alias, table: table.value, of });
        }
        return pool.call<"sql">(
          { kind: "sql", sql, inputs: files, out, ...(lineage ? { lineage: lineage.sql } : {}) },
          { signal, timeoutMs, onProgress },
        );
      });
    },

    async window({ table, signal, ...rest }) {
      const file = tableFile(table);
      if (!file.ok) return file;
      const found = await pool.call<"window">(
        { kind: "window", ...rest, table: file.value },
        { signal },
      );
      return found.ok ? ok({ ...found.value, ipc: aligned(found.value.ipc) }) : found;
    },

    read({ table, batchRows = defaultBatchRows, signal, ...rest }) {
      const file = tableFile(table);
      if (!file.ok) throw new ProblemError(file.problem);
      return readBatches(pool, { kind: "read", batchRows, ...rest, table: file.value }, signal);
    },

    readLineage({ table, signal }) {
      const file = tableFile(table);
      if (!file.ok) throw new ProblemError(file.problem);
      const request = { kind: "read", batchRows: defaultBatchRows, of: "lineage" } as const;
      return readBatches(pool, { ...request, table: file.value }, signal);
    },

    write({ columns, batches, signal }) {
      return make(signal, (out) =>
        feedBatches(pool, { kind: "write", columns, out }, batches, signal),
      );
    },

    async profile({ table, signal, ...rest }) {
      const file = tableFile(table);
      return file.ok
        ? pool.call<"profile">({ kind: "profile", ...rest, table: file.value }, { signal })
        : file;
    },

    ...openDiffQueries(pool, store, tableFile),

    async freeze({ source, sample, signal, onProgress }) {
      const file = sourceFile(workspaceRoot, source);
      if (!file.ok) return file;
      const query = (path: string) => freezeQuery({ ...source, path }, sample);
      const hashing = fileHash(file.value.path, signal);
      hashing.catch(() => undefined);
      const info = await make(signal, (out) =>
        pool.call<"freeze">(
          { kind: "freeze", sql: query(file.value.path), file: file.value.path, out },
          { signal, onProgress: (fraction, rows) => onProgress?.({ rows, fraction }) },
        ),
      );
      if (!info.ok) return fail({ ...info.problem, at: { file: `sources/${source.name}.yaml` } });
      const now = sourceFile(workspaceRoot, source);
      if (!now.ok) return now;
      if (
        now.value.sizeBytes !== file.value.sizeBytes ||
        now.value.changedAt !== file.value.changedAt
      )
        return fail(changedMeanwhile(source));
      const from = { path: source.path, sizeBytes: file.value.sizeBytes, sha256: await hashing };
      return ok({ info: info.value, query: query(source.path), from });
    },

    async close() {
      await pool.close();
      store.dropTemp(spillFolder);
    },
  };
}

function findTable(store: ContentStore, hash: TableHash): Result<TableFile> {
  const info = store.tableInfo(hash);
  if (info !== undefined) return ok({ path: store.tablePath(hash), info });
  return fail({
    code: "no-such-table",
    message: `The table ${hash.slice(0, 12)} is not in this workspace's store.`,
    hint: "Freeze its source again, or run the notebook that made it.",
  });
}

function defaultMemoryBytes(): number {
  return Math.min(8 * gigabyte, Math.max(gigabyte, totalmem() / 4));
}

function parseBytes(text: string): number {
  const found = /^(\d+(?:\.\d+)?)\s*([KMGT])?i?B$/i.exec(text.trim());
  if (found === null) throw new Error(`not an amount of memory: ${text}`);
  const power = " KMGT".indexOf((found[2] ?? " ").toUpperCase());
  return Number(found[1]) * 1024 ** power;
}
