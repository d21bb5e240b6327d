/** Longer names would fit, but nobody reads them; Cassandra stores names of 65,535 bytes as empty ones (5.0.9). */
const MAX_BYTES = 128;

/** Columns of every table, besides the key's and the contract's. */
export const SYSTEM_COLUMNS = {
  part: "penstock_part",
  /** Topic, partition and offset of the record the row was made from, in one cell; its `writetime` is the row's version. */
  source: "penstock_source",
} as const;

/**
 * The physical names of a contract column, one for each suffix: its own name where that can be one and is free, else the nearest name
 * that is. Which contract column a physical one holds stands in `penstock_fields`.
 */
export function physicalNames(
  name: string,
  suffixes: readonly string[],
  taken: ReadonlySet<string>,
): string[] {
  const base = isUsable(name) ? name : nearest(name);
  for (let n = 1; ; n++) {
    const stem = n === 1 ? base : `${base}_${n}`;
    const names = suffixes.map((suffix) => stem + suffix);
    if (names.every((candidate) => !taken.has(candidate))) return names;
  }
}

function isUsable(name: string): boolean {
  return (
    name !== "" &&
    name !== "__proto__" &&
    !/[\p{Cc}\p{Cs}]/u.test(name) &&
    Buffer.byteLength(name) <= MAX_BYTES
  );
}

function nearest(name: string): string {
  const plain = name.replaceAll(/[^\p{L}\p{N}_ ]/gu, "_").slice(0, MAX_BYTES / 4);
  return plain === "" || name === "__proto__" ? "column" : plain;
}

/** Cassandra's table names are ASCII letters, digits and underscores, 48 at most. */
export function tableName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]/g, "_").slice(0, 48);
  return plain === "" ? "table" : plain;
}

/** A name as CQL writes it, upper and lower case kept. */
export function quoteCql(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
