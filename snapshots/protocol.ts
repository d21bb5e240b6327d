import type {
  CausesResult,
  CauseSearch,
  DifferenceCounts,
  DifferenceFilter,
  DiffFileFormat,
  DiffKind,
  DiffPage,
  DiffPairing,
  DiffRequest,
  DiffRowsRequest,
  DiffSummary,
  RowIdentity,
  SetTest,
} from "./diff.ts";
import type { ProfilePair } from "./diff-profile.ts";
import type { Problem } from "./problem.ts";
import type { ColumnProfile } from "./profile.ts";
import type { Column, TableInfo } from "./table.ts";

/** What a worker may use. `spillFolder` is emptied by whoever asked. */
export type Limits = {
  memoryLimit: string;
  spillLimit: string;
  spillFolder: string;
  threads: number;
};

/** A table in the store, as a worker opens it. */
export type TableFile = { path: string; info: TableInfo };

/** A file as one side of a diff; `stamp` tells one state of it from another. */
export type FileSide = {
  kind: "file";
  path: string;
  format: DiffFileFormat;
  table?: string;
  stamp: string;
};

/** What a worker compares, and how. */
export type Sides = {
  left: SideInput;
  right: SideInput;
  pairing: Omit<DiffPairing, "left" | "right">;
};
export type SideInput = { kind: "table"; table: TableFile } | FileSide;

/** Differences by name, as a worker reads them. */
export type SetInput = { by: RowIdentity } & (
  | { kind: "set"; hash: string; path: string }
  | { kind: "listed"; differences: string[] }
);

/** Which of the differences a worker is asked for. */
export type FilterInput = Omit<DifferenceFilter, "kind" | "sets"> & {
  rows?: DiffKind;
  sets?: { of: SetInput[]; test: SetTest }[];
};

/** A table just made at `out`, not yet in the store. */
export type MadeTable = { data: NamedType[]; lineage: NamedType[]; rows: number };
export type NamedType = { name: string; type: string };
export type DigestColumn = NamedType & { table: "data" | "lineage" };
export type ColumnDigest = { digest: string; hasNulls: boolean };

/** A table that a query reads, or its lineage, by the name the query calls it. */
export type SqlInput = { alias: string; table: TableFile; of: "data" | "lineage" };

/** What the parent asks of a worker, one at a time. */
export type WorkerRequest =
  | {
      kind: "sql";
      sql: string;
      inputs: SqlInput[];
      /** The query that gives the lineage of the rows that `sql` makes, in their order. */
      lineage?: string;
      out: string;
    }
  | { kind: "freeze"; sql: string; file: string; out: string }
  | { kind: "digest"; path: string; columns: DigestColumn[]; rows: number; hasOwnRowId: boolean }
  | { kind: "write"; columns: Column[]; out: string }
  | {
      kind: "window";
      table: TableFile;
      offset: number;
      limit: number;
      columns?: string[];
      orderBy?: { column: string; descending: boolean };
    }
  | { kind: "read"; table: TableFile; batchRows: number; columns?: string[]; of?: "lineage" }
  | { kind: "profile"; table: TableFile; columns?: string[] }
  | ({ kind: "diff"; input?: TableFile } & Sides &
      Pick<DiffRequest, "samples" | "budgetMs" | "stopAfter">)
  | ({ kind: "diffRows"; input?: TableFile } & Sides &
      FilterInput &
      Pick<DiffRowsRequest, "identity" | "offset" | "limit">)
  | ({ kind: "diffSet"; input?: TableFile; identity: RowIdentity } & Sides & FilterInput)
  | ({
      kind: "diffSince";
      input?: TableFile;
      groups: SetInput[][];
      since?: SetInput;
    } & Sides)
  | ({ kind: "diffExport"; format: "parquet" | "csv"; input?: TableFile } & Sides)
  | ({ kind: "diffCauses"; input?: TableFile } & Sides & Pick<CauseSearch, "budgetMs">)
  | ({ kind: "diffProfile"; column: string } & Sides);

/** What a request ends with. */
export type WorkerValue = {
  sql: MadeTable;
  freeze: MadeTable;
  write: MadeTable;
  digest: ColumnDigest[];
  window: { ipc: Uint8Array; rows: number; total: number };
  read: { rows: number };
  profile: ColumnProfile[];
  diff: DiffSummary;
  diffRows: DiffPage;
  diffSet: { path: string; rows: number };
  diffSince: DifferenceCounts;
  diffExport: { path: string; rows: number };
  diffCauses: CausesResult;
  diffProfile: ProfilePair;
};

/** From parent to worker. `more` grants the reader another batch; `rows` and `end` feed a write. */
export type ToWorker =
  | { type: "request"; id: number; limits: Limits; request: WorkerRequest }
  | { type: "more"; id: number }
  | { type: "rows"; id: number; rows: Uint8Array; position?: BigInt64Array; part?: Int32Array }
  | { type: "end"; id: number };

/** From worker to parent. */
export type FromWorker =
  | { type: "ready" }
  | { type: "progress"; id: number; fraction: number; rows: number }
  | { type: "batch"; id: number; ipc: Uint8Array }
  | { type: "more"; id: number }
  | { type: "done"; id: number; value: unknown }
  | { type: "failed"; id: number; problem: Problem };
