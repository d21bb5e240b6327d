import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { DiffFileFormat, DiffSide } from "#snapshots/diff.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";

type FileSide = Extract<DiffSide, { kind: "file" }>;

const endings: [RegExp, Exclude<DiffFileFormat, "duckdb">][] = [
  [/\.(?:parquet|pq)$/i, "parquet"],
  [/\.(?:csv|tsv)(?:\.gz)?$/i, "csv"],
  [/\.(?:jsonl|ndjson|json)(?:\.gz)?$/i, "json"],
  [/\.(?:arrow|arrows|ipc|feather)$/i, "arrow"],
];
const duckdbFile = /^(.+\.(?:duckdb|ddb|db))(?:#(.*))?$/is;

/** What a file's name has to end in, for people. */
export const fileEndings = ".parquet, .csv, .tsv, .jsonl, .ndjson, .json, .arrow or .duckdb#TABLE";

/** The file a side's text names, relative to `from`; undefined where there is none. */
export function fileSide(text: string, from: string): Result<FileSide | undefined> {
  const found = readName(text, from);
  if (found && isFile(found.path)) return ok(found);
  const path = resolve(from, text);
  if (found || !isFile(path)) return ok(undefined);
  return fail({
    code: "unknown-format",
    message: `${text} is a file, but its name does not say what is in it.`,
    hint: `Give it a name that ends in ${fileEndings}.`,
  });
}

function readName(text: string, from: string): FileSide | undefined {
  const format = endings.find(([ending]) => ending.test(text))?.[1];
  if (format) return { kind: "file", path: resolve(from, text), format };
  const [, file, table] = duckdbFile.exec(text) ?? [];
  if (file === undefined) return undefined;
  const side = { kind: "file", path: resolve(from, file), format: "duckdb" } as const;
  return table === undefined ? side : { ...side, table };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
