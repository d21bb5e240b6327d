import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { TableHash, TableInfo } from "./table.ts";

/**
 * Bulk data by content: `tables/HASH.duckdb` with `HASH.json` beside it, `blobs/SHA256`, `entries/` (the evaluation
 * cache: a key's SHA-256 → text) and `temp/` (what is being made; a dead process's leavings are swept on open).
 * Everything arrives by rename, so that a reader sees all of it or nothing.
 */
export type ContentStore = {
  root: string;
  /** The DuckDB file of a table; read only. */
  tablePath(hash: TableHash): string;
  tableInfo(hash: TableHash): TableInfo | undefined;
  /** The tables whose hash begins so. */
  tablesBeginning(prefix: string): TableHash[];
  /** Takes a finished DuckDB file in under its hash. Where the table is there already, the file is dropped. */
  adoptTable(tempPath: string, info: TableInfo): TableInfo;
  putBlob(bytes: Uint8Array): string;
  getBlob(hash: string): Uint8Array | undefined;
  hasBlob(hash: string): boolean;
  /** Where a blob lies; read only. */
  blobPath(hash: string): string;
  getEntry(key: string): string | undefined;
  putEntry(key: string, value: string): void;
  /** A path for a file in the making, removed when its process is gone. */
  tempPath(extension?: string): string;
  /** Removes a file in the making and what DuckDB put beside it. */
  dropTemp(tempPath: string): void;
};

const infoSchema = z.object({
  hash: z.string(),
  columns: z.array(z.object({ name: z.string(), type: z.string(), nullable: z.boolean() })),
  rows: z.number(),
  sizeBytes: z.number(),
  hasLineage: z.boolean(),
});

/** Marks this process's temporary files; process ids alone come round again. */
const processToken = randomUUID().slice(0, 8);
const hashPattern = /^[0-9a-f]{64}$/;

export function openContentStore(root: string): ContentStore {
  const folder = (name: string) => join(root, name);
  for (const name of ["tables", "blobs", "entries", "temp"]) {
    mkdirSync(folder(name), { recursive: true });
  }
  sweep(folder("temp"));

  const tablePath = (hash: TableHash) => join(folder("tables"), `${checked(hash)}.duckdb`);
  const infoPath = (hash: TableHash) => join(folder("tables"), `${checked(hash)}.json`);
  const blobPath = (hash: string) => join(folder("blobs"), checked(hash));
  const entryPath = (key: string) => join(folder("entries"), sha256(key));
  const tempPath = (extension = "duckdb") =>
    join(folder("temp"), `${process.pid}-${processToken}-${randomUUID()}.${extension}`);
  const dropTemp = (path: string) => {
    for (const suffix of ["", ".wal", ".spill"])
      rmSync(path + suffix, { recursive: true, force: true });
  };
  const put = (path: string, bytes: Uint8Array) => {
    const temp = tempPath("part");
    writeDurably(temp, bytes);
    renameSync(temp, path);
  };
  const tableInfo = (hash: TableHash) => {
    const bytes = hashPattern.test(hash) ? read(infoPath(hash)) : undefined;
    if (bytes === undefined || !existsSync(tablePath(hash))) return undefined;
    return infoSchema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  };

  return {
    root,
    tablePath,
    tableInfo,
    tablesBeginning: (prefix) =>
      readdirSync(folder("tables"))
        .filter((name) => name.startsWith(prefix) && name.endsWith(".json"))
        .map((name) => name.slice(0, -".json".length))
        .filter((hash) => tableInfo(hash) !== undefined)
        .toSorted(),
    tempPath,
    dropTemp,
    adoptTable(temp, info) {
      const known = tableInfo(info.hash);
      if (known) {
        dropTemp(temp);
        return known;
      }
      const adopted = { ...info, sizeBytes: statSync(temp).size };
      renameSync(temp, tablePath(info.hash));
      dropTemp(temp);
      put(infoPath(info.hash), Buffer.from(JSON.stringify(adopted)));
      return adopted;
    },
    putBlob(bytes) {
      const hash = sha256(bytes);
      if (!existsSync(blobPath(hash))) put(blobPath(hash), bytes);
      return hash;
    },
    blobPath,
    hasBlob: (hash) => hashPattern.test(hash) && existsSync(blobPath(hash)),
    getBlob: (hash) => (hashPattern.test(hash) ? read(blobPath(hash)) : undefined),
    getEntry(key) {
      const bytes = read(entryPath(key));
      return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8");
    },
    putEntry: (key, value) => put(entryPath(key), Buffer.from(value)),
  };
}

/** A hash becomes part of a path: anything else is a bug of the caller's. */
function checked(hash: string): string {
  if (!hashPattern.test(hash)) throw new Error(`not a content hash: ${hash}`);
  return hash;
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function read(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function writeDurably(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "w");
  try {
    for (let at = 0; at < bytes.byteLength;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [pid, token] = name.split("-");
    const isOwn = Number(pid) === process.pid;
    const isLeft = isOwn ? token !== processToken : !isAlive(Number(pid));
    if (isLeft) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
