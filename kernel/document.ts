import type { Column, TableHash } from "#snapshots/table.ts";
import type { Problem } from "#snapshots/problem.ts";

/** Stable while the notebook is open; matched by text across reloads; never written to the file. */
export type CellId = string;

export type CellStatus = "idle" | "stale" | "queued" | "running" | "ok" | "error" | "disabled";

/** What a cell shows. Tables carry no rows: the page asks for the window it shows, by hash. */
export type Output =
  | {
      kind: "table";
      name: string;
      table: TableHash;
      columns: Column[];
      rows: number;
      /** Present for transforms: records the function returned null for. read = written + filtered. */
      filtered?: number;
      read?: number;
      hashOfBundle?: string;
      truncated?: string;
    }
  | { kind: "text"; stream: "stdout" | "stderr" | "value"; text: string; truncated?: string }
  | { kind: "markdown"; text: string }
  | { kind: "chart"; spec: unknown; rows: unknown[]; truncated?: string }
  | {
      kind: "metric";
      name: string;
      value: number | null;
      rows: number;
      better?: "higher" | "lower";
      /** What to know before believing it. */
      warnings?: string[];
    }
  | { kind: "problem"; problem: Problem };

export type CellState = {
  id: CellId;
  kind: "code" | "markdown";
  source: string;
  disabled: boolean;
  status: CellStatus;
  /** Names it defines and uses, from static analysis. */
  defines: string[];
  uses: string[];
  outputs: Output[];
  /** Wall time of the last run; 0 with `fromCache` true when nothing was executed. */
  durationMs?: number;
  fromCache?: boolean;
};

export type Variable = {
  name: string;
  cell: CellId;
  kind: "snapshot" | "sql" | "transform" | "split" | "metric" | "value" | "function" | "type";
  summary: string;
  table?: TableHash;
};

/** Everything a page needs to draw a notebook. */
export type NotebookDocument = {
  name: string;
  path: string;
  cells: CellState[];
  variables: Variable[];
  /** From definer to user, by cell id. */
  edges: { from: CellId; to: CellId; name: string }[];
  isDirty: boolean;
  /** Set when the file changed on disk under an unsaved document. */
  conflict?: Problem;
  running?: { cell: CellId; startedAt: number };
  sandbox: { isReduced: boolean; note?: string };
};

export type Diagnostic = {
  cell: CellId;
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
  severity: "error" | "warning";
  message: string;
};

/** What a page may ask of a session. Lines and columns count from 1. */
export type Operation =
  | { type: "edit"; cell: CellId; source: string }
  | { type: "insert"; after: CellId | null; kind: "code" | "markdown"; source?: string }
  | { type: "remove"; cell: CellId }
  | { type: "move"; cell: CellId; after: CellId | null }
  | { type: "setDisabled"; cell: CellId; disabled: boolean }
  | { type: "run"; cells: CellId[] }
  | { type: "runStale" }
  | { type: "runAll" }
  | { type: "interrupt" }
  | { type: "save" }
  | { type: "reload" };

/** What a session tells its pages. `document` is whole on connect and after structural change; `cell` patches one cell. */
export type SessionEvent =
  | { type: "document"; document: NotebookDocument }
  | {
      type: "cell";
      cell: CellState;
      variables: Variable[];
      isDirty: boolean;
      running: NotebookDocument["running"] | null;
    }
  | { type: "diagnostics"; diagnostics: Diagnostic[] }
  | { type: "saved"; path: string }
  | { type: "problem"; problem: Problem };
