import type { DiffRules } from "./diff-rules.ts";
import type { TableHash } from "./table.ts";

export type DiffFileFormat = "parquet" | "csv" | "json" | "arrow" | "duckdb";

/** What is compared: a table of the store, or a file read where it lies. `json` is a JSON object a line; `duckdb` needs the `table`, as `schema.table`. */
export type DiffSide =
  | { kind: "table"; hash: TableHash }
  | { kind: "file"; path: string; format: DiffFileFormat; table?: string };

/**
 * Key columns; `"position"`: the hidden input position tables of the store carry, or a file's row number; null: no key, rows compare as a
 * multiset. Definitions of the counts are in docs/diff.md.
 */
export type DiffKey = string[] | "position" | null;

/** Which rows are compared with which, and how. The same pairing has the same differences. */
export type DiffPairing = {
  left: DiffSide;
  right: DiffSide;
  key: DiffKey;
  rules?: DiffRules;
  /** Columns left out of the comparison. */
  ignore?: string[];
  /** A SQL predicate both sides' rows must meet. It reads its own side's rows and nothing else. */
  where?: string;
};

export type DiffRequest = DiffPairing & {
  /** How many rows of each kind to show; none unless said. */
  samples?: number;
  /** Counting stops then, and says so. */
  budgetMs?: number;
  /** Counting stops at the first cut after so many differences, and says so. */
  stopAfter?: number;
  /** The snapshot both sides were made from, where it will be asked for what explains the differences: opened along, it is not opened anew. */
  input?: TableHash;
  signal?: AbortSignal;
  onProgress?: (fraction: number) => void;
};

/** `input`: the snapshot both sides were made from, whose columns may explain what differs (pairing by position only). */
export type CauseSearch = { input?: TableHash; budgetMs?: number };

export type DiffColumn = {
  name: string;
  status: "key" | "compared" | "added" | "removed" | "typeChanged" | "ignored";
  /** Null where the side has no such column. */
  leftType: string | null;
  rightType: string | null;
  /** As `--tolerance` writes it; null where values are compared exactly. */
  rule: string | null;
  /** Among the rows counted as changed. */
  changed: number;
  nullToValue: number;
  valueToNull: number;
  /** Of a column of numbers; text where a JSON number would round it. Absent where no two finite values differ. */
  largestDifference?: number | string;
};

export type DiffRowCounts = {
  left: number;
  right: number;
  equal: number;
  changed: number;
  added: number;
  removed: number;
  ambiguous: { keys: number; left: number; right: number };
};

/** left = equal + changed + removed + ambiguous.left; right = equal + changed + added + ambiguous.right. docs/diff-format.md describes it. */
export type DiffSummary = {
  identical: boolean;
  /** False where a budget or `stopAfter` cut the count short: then the figures cover what `note` says. */
  complete: boolean;
  /** Empty when rows were compared as a multiset, or by position. */
  keys: string[];
  /** Rows were paired by their hidden position. */
  byPosition?: true;
  rows: DiffRowCounts;
  columns: DiffColumn[];
  renameCandidates: RenameCandidate[];
  samples: Record<DiffKind, DiffSample[]>;
  /** Empty as counted: they are searched for by themselves (`CausesResult`). */
  causes: DiffCause[];
  elapsedMs: number;
  note?: string;
};

/** A column of one side and one of the other that are likely the same, by the values of `rows` rows that belong together. */
export type RenameCandidate = {
  left: string;
  right: string;
  type: string;
  equal: number;
  rows: number;
};

export type DiffKind = "changed" | "added" | "removed" | "ambiguous";
export const diffKinds: readonly DiffKind[] = ["changed", "added", "removed", "ambiguous"];

/** Values as JSON can carry them (docs/types.md). `key` in the order of the summary's `keys`; by position: the input row and the part. */
export type DiffSample = {
  key: unknown[];
  left: Record<string, unknown> | null;
  right: Record<string, unknown> | null;
  /** Those that changed. */
  columns: string[];
};

/** Values are DuckDB's text for them; null is NULL. */
export type CauseCondition =
  | { kind: "values"; column: string; values: (string | null)[] }
  | { kind: "range"; column: string; from: string; to: string };

export type CausePattern =
  | { kind: "shift"; column: string; by: string }
  | { kind: "factor"; column: string; by: string }
  | { kind: "rounding"; column: string; digits: number }
  | { kind: "becameNull" | "stoppedBeingNull" | "whitespace" | "case"; column: string };

/** Which differences a cause is about: all, those of a kind, or the rows in which a column changed. */
export type CauseScope =
  | { kind: "all" }
  | { kind: "changed"; column?: string }
  | { kind: "added" }
  | { kind: "removed" };

/**
 * What explains differences: a condition on a column says where they are, a pattern says how values moved. `from`: whether the condition's column is one
 * of the snapshot both sides were made from, or of the sides themselves.
 */
export type DiffCause = {
  /** For people, e.g. `origin = DEN`, `delay from 16 to 20`, `excess: +10`. */
  text: string;
  scope: CauseScope;
  why: CauseCondition | CausePattern;
  from: "input" | "sides";
  /** The scope's differences, and how many of them this covers. */
  differences: number;
  covered: number;
  /** Equal rows that meet the condition too; 0 for a pattern. */
  equal: number;
};

export type CausesResult = {
  causes: DiffCause[];
  /** How far the search went. */
  search: { columns: number; of: number; complete: boolean; elapsedMs: number; budgetMs: number };
};

/** A value both sides' columns are looked at for; text as DuckDB reads it. Without `side`, either may meet it. */
export type ValueFilter = {
  column: string;
  side?: "left" | "right";
  test: "equals" | "contains" | "atLeast" | "atMost";
  value: string | null;
};

/**
 * What tells a row from others in comparisons of other tables too: columns both sides have, the input's identity; or its position in that input, by which it
 * is known only where the input is the same. Rows paired by key are told apart by their key whatever this says.
 */
export type RowIdentity = { columns: string[] } | { input: TableHash };

/** Differences by name, a kept set of some comparison or a few; `by` says what their names know rows by. */
export type DifferenceSet = { by: RowIdentity } & (
  | { kind: "set"; hash: string }
  | { kind: "listed"; differences: string[] }
);

/**
 * Which differences, by those of sets taken together: `same`: it is among them; `notSame`; `otherwise`: it is not, but they say of its row that it
 * differs; `new`: they say nothing of its row.
 */
export type SetTest = "same" | "notSame" | "otherwise" | "new";

/** Which of the differences; every part holds. */
export type DifferenceFilter = {
  kind?: DiffKind;
  /** Only rows in which this column changed. */
  column?: string;
  values?: ValueFilter[];
  cause?: DiffCause;
  sets?: { of: DifferenceSet[]; test: SetTest }[];
};

/** A page of what differs, ordered by key. */
export type DiffRowsRequest = DiffPairing &
  DifferenceFilter & {
    /** The snapshot a cause's condition is about, where it is `from` the input. */
    input?: TableHash;
    /** The differences are named too, rows being known by this. */
    identity?: RowIdentity;
    offset: number;
    limit: number;
  };

/** The names of the differences a filter leaves, kept in the store as a blob of this hash. */
export type KeptDifferences = { hash: string; rows: number };

/** How a comparison's differences compare with those of sets. */
export type DifferenceCounts = {
  total: number;
  /** For each of `groups`: how many are among its sets' differences. */
  same: number[];
  /** With `since`; the first three add up to the total. `gone`: differences of it whose rows do not differ now. */
  since?: { new: number; otherwise: number; same: number; gone: number };
};

/** Values as JSON can carry them (docs/types.md). */
export type DiffRow = {
  kind: DiffKind;
  key: unknown[];
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  changed: string[];
  /** What differs, as one name: the same in every comparison in which this row differs in the same values. Absent unless asked for. */
  difference?: string;
};

/** `total`: how many rows the filters leave. */
export type DiffPage = { rows: DiffRow[]; total: number };
