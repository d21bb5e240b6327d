import type { TableHash } from "./table.ts";

/** How close two values of a column may be and still count as equal: |a−b| ≤ max(absolute, relative·max(|a|,|b|)). */
export type Tolerance = { absolute?: number; relative?: number };

/**
 * `key`: the columns that make two rows versions of one thing; `"position"`: the hidden input position both tables carry;
 * null: no key, rows compare as a multiset. Definitions of the counts are in docs/diff.md.
 */
export type DiffRequest = {
  before: TableHash;
  after: TableHash;
  key: string[] | "position" | null;
  tolerances?: Record<string, Tolerance>;
  signal?: AbortSignal;
};

export type DiffColumn = {
  name: string;
  status: "key" | "compared" | "added" | "removed" | "typeChanged";
  leftType?: string;
  rightType?: string;
  /** Among the rows counted as changed. */
  changed: number;
  nullToValue: number;
  valueToNull: number;
};

/** left = equal + changed + removed + ambiguous.left; right = equal + changed + added + ambiguous.right. */
export type DiffSummary = {
  identical: boolean;
  /** Empty when rows were compared as a multiset; `["position"]` never appears: `byPosition` says so. */
  keys: string[];
  byPosition: boolean;
  rows: {
    left: number;
    right: number;
    equal: number;
    changed: number;
    added: number;
    removed: number;
    ambiguous: { keys: number; left: number; right: number };
  };
  columns: DiffColumn[];
  tolerances: Record<string, Tolerance>;
  elapsedMs: number;
};

export type DiffKind = "changed" | "added" | "removed" | "ambiguous";

/** A page of what differs, ordered by key. */
export type DiffRowsRequest = {
  before: TableHash;
  after: TableHash;
  key: string[] | "position" | null;
  tolerances?: Record<string, Tolerance>;
  kind?: DiffKind;
  /** Only rows in which this column changed. */
  column?: string;
  offset: number;
  limit: number;
};

/** Values as JSON can carry them (docs/types.md). */
export type DiffRow = {
  kind: DiffKind;
  key: unknown[];
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  changed: string[];
};
