import { createHash } from "node:crypto";
import { copyFileSync, createReadStream, realpathSync, rmSync, statSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join, relative, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import type {
  CausesResult,
  CauseSearch,
  DiffPage,
  DiffPairing,
  DiffRequest,
  DiffRowsRequest,
  DiffSide,
  DiffSummary,
} from "./diff.ts";
import type { ProfilePair } from "./diff-profile.ts";
import { aligned } from "./arrow-ipc.ts";
import { badFileName } from "./file-pattern.ts";
import { freezeQuery } from "./freeze-query.ts";
import { openPool } from "./pool.ts";
import { fail, ok, ProblemError, type Problem, type Result } from "./problem.ts";
import type { ColumnProfile } from "./profile.ts";
import type { Limits, MadeTable, SideInput, Sides, SqlInput, TableFile } from "./protocol.ts";
import { readBatches, feedBatches, type Batch } from "./streams.ts";
import type { ContentStore } from "./store.ts";
import type { Column, TableHash, TableInfo } from "./table.ts";
import { hashMade } from "./table-hash.ts";
import type { Source } from "./workspace.ts";

export type Sample = { fraction: number; seed: number };
export type SourceFile = { path: string; sizeBytes: number; sha256: string };

/** Everything asked of DuckDB. Each request runs in a process that can be killed; what comes out is in the content store. */
export type Queries = {
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
  /** Counts what differs between two sides, and shows some of it. */
  diff(request: DiffRequest): Promise<Result<DiffSummary>>;
  /** A page of what differs; the first one of a pairing finds the differences, the next ones look them up. */
  diffRows(request: DiffRowsRequest & { signal?: AbortSignal }): Promise<Result<DiffPage>>;
  /** Every differing row into a file, its folder being there; how many they are. */
  diffExport(
    request: DiffPairing & {
      /** As for the causes, so that nothing is found twice. */
      input?: TableHash;
      out: string;
      format: "parquet" | "csv";
      signal?: AbortSignal;
      onProgress?: (fraction: number) => void;
    },
  ): Promise<Result<{ rows: number }>>;
  /** What explains the differences. */
  diffCauses(
    request: DiffPairing & CauseSearch & { signal?: AbortSignal },
  ): Promise<Result<CausesResult>>;
  /** A column of both sides at a glance. */
  diffProfile(
    request: DiffPairing & { column: string; signal?: AbortSignal },
  ): Promise<Result<ProfilePair>>;
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

  function tableFile(hash: TableHash): Result<TableFile> {
    const info = store.tableInfo(hash);
    if (info !== undefined) return ok({ path: store.tablePath(hash), info });
    return fail({
      code: "no-such-table",
      message: `The table ${hash.slice(0, 12)} is not in this workspace's store.`,
      hint: "Freeze its source again, or run the notebook that made it.",
    });
  }

  function sideInput(side: DiffSide): Result<SideInput> {
    if (side.kind === "file") return fileSide(side);
    const table = tableFile(side.hash);
    return table.ok ? ok({ kind: "table", table: table.value }) : table;
  }

  function sidesOf(
    { left, right, ...pairing }: DiffPairing,
    input: TableHash | undefined,
  ): Result<Sides & { input?: TableFile }> {
    const [l, r] = [sideInput(left), sideInput(right)];
    if (!l.ok) return l;
    if (!r.ok) return r;
    const sides = { left: l.value, right: r.value, pairing };
    if (input === undefined) return ok(sides);
    const table = tableFile(input);
    return table.ok ? ok({ ...sides, input: table.value }) : table;
  }

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

    async diff({ signal, onProgress, samples, budgetMs, stopAfter, causes, ...pairing }) {
      const sides = sidesOf(pairing, causes?.input);
      if (!sides.ok) return sides;
      return pool.call<"diff">(
        { kind: "diff", ...sides.value, ...defined({ samples, budgetMs, stopAfter, causes }) },
        { signal, onProgress },
      );
    },

    async diffRows({ signal, kind, column, values, cause, input, offset, limit, ...pairing }) {
      const sides = sidesOf(pairing, input);
      if (!sides.ok) return sides;
      return pool.call<"diffRows">(
        {
          kind: "diffRows",
          ...sides.value,
          ...defined({ rows: kind, column, values, cause }),
          offset,
          limit,
        },
        { signal },
      );
    },

    async diffExport({ signal, onProgress, input, out, format, ...pairing }) {
      const sides = sidesOf(pairing, input);
      if (!sides.ok) return sides;
      const made = await pool.call<"diffExport">(
        { kind: "diffExport", ...sides.value, format },
        { signal, onProgress },
      );
      if (!made.ok) return made;
      try {
        copyFileSync(made.value.path, out);
        return ok({ rows: made.value.rows });
      } catch (error) {
        return fail(notWritten(out, error));
      } finally {
        rmSync(made.value.path, { force: true });
      }
    },

    async diffCauses({ signal, input, budgetMs, ...pairing }) {
      const sides = sidesOf(pairing, input);
      if (!sides.ok) return sides;
      return pool.call<"diffCauses">(
        { kind: "diffCauses", ...sides.value, ...defined({ budgetMs }) },
        { signal },
      );
    },

    async diffProfile({ signal, column, ...pairing }) {
      const sides = sidesOf(pairing, undefined);
      if (!sides.ok) return sides;
      return pool.call<"diffProfile">({ kind: "diffProfile", ...sides.value, column }, { signal });
    },

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

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function notWritten(out: string, error: unknown): Problem {
  return {
    code: "not-written",
    message: `${out} cannot be written (${error instanceof Error ? error.message : String(error)}).`,
    hint: "Name a file in a folder that is there and may be written to.",
  };
}

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}

/** A file as it is now: changed, it is another. */
function fileSide(side: Extract<DiffSide, { kind: "file" }>): Result<SideInput> {
  try {
    const path = realpathSync(side.path);
    const { size, changedAt, isFile } = describe(path);
    const isPattern = side.format !== "duckdb" && side.format !== "arrow";
    const bad = isPattern ? badFileName(path) : undefined;
    if (isFile) return bad ? fail(bad) : ok({ ...side, path, stamp: `${size} ${changedAt}` });
  } catch {
    // Said below: there is no such file.
  }
  return fail({
    code: "no-such-file",
    message: `${side.path} is not a file that can be read.`,
    hint: "Check the path; a folder of files cannot be compared.",
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

/** The source's file, which must lie in the workspace, links followed. */
function sourceFile(
  root: string,
  source: Source,
): Result<{ path: string; sizeBytes: number; changedAt: number }> {
  const at = { file: `sources/${source.name}.yaml` };
  const given = resolve(root, source.path);
  let path: string;
  try {
    path = realpathSync(given);
  } catch {
    return fail({
      code: "no-source-file",
      message: `The source ${source.name} reads ${source.path}, which does not exist.`,
      hint: `Put the file there, or correct \`path\` in ${at.file}.`,
      at,
    });
  }
  const inside = relative(realpathSync(root), path);
  if (inside.startsWith(`..${sep}`) || inside === ".." || inside === join(sep, inside)) {
    return fail({
      code: "source-outside",
      message: `The source ${source.name} reads ${source.path}, which lies outside the workspace.`,
      hint: "Copy the file into the workspace (its data/ folder is a good place).",
      at,
    });
  }
  const bad = badFileName(path);
  if (bad !== undefined) return fail({ ...bad, at });
  const { size, changedAt, isFile } = describe(path);
  if (isFile) return ok({ path, sizeBytes: size, changedAt });
  return fail({
    code: "no-source-file",
    message: `${source.path} is not a file.`,
    hint: `Correct \`path\` in ${at.file}.`,
    at,
  });
}

function describe(path: string): { size: number; changedAt: number; isFile: boolean } {
  const stat = statSync(path);
  return { size: stat.size, changedAt: stat.mtimeMs, isFile: stat.isFile() };
}

function changedMeanwhile({ name, path }: Source): Problem {
  return {
    code: "source-changed",
    message: `${path} was changed while the source ${name} was being frozen, so the rows may be of two versions.`,
    hint: "Freeze again when nothing writes to the file; or freeze a copy.",
    at: { file: `sources/${name}.yaml` },
  };
}

async function fileHash(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(
    createReadStream(path, { highWaterMark: 1 << 20 }),
    hash,
    signal ? { signal } : {},
  );
  return hash.digest("hex");
}
