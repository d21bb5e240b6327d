/** A column of a table. `type` is DuckDB's text for it, e.g. `BIGINT`, `DECIMAL(18,3)`, `TIMESTAMP`. */
export type Column = { name: string; type: string; nullable: boolean };

/** SHA-256 (64 hex digits) over a table's schema and canonical values in row order. */
export type TableHash = string;

/**
 * A table kept by content: a DuckDB file whose table `data` holds the user's columns, row order = rowid.
 * Tables made by a transform also hold `lineage(position BIGINT, part INTEGER)`, aligned with `data` row by row:
 * the input row each output row was made from. For every other table a row's position is its rowid.
 */
export type TableInfo = {
  hash: TableHash;
  columns: Column[];
  rows: number;
  sizeBytes: number;
  hasLineage: boolean;
};
