import { filePattern } from "./file-pattern.ts";
import { quoteName, quoteText } from "./types.ts";
import type { Source } from "./workspace.ts";

const hiddenNumber = "penstock row number";

/**
 * The SELECT that freezes a source, its rows in the file's order. Rows are numbered from 0 as they stand in the file, before `where`, so
 * that a row keeps its number whatever the predicate. A sample takes a row by a hash of its identity (else its number) and the seed:
 * the same rows for the same seed, whatever the number of threads.
 */
export function freezeQuery(
  source: Source,
  sample: { fraction: number; seed: number } | undefined,
): string {
  const isHidden =
    source.rowNumber === undefined && sample !== undefined && source.identity.length === 0;
  const number = isHidden ? hiddenNumber : source.rowNumber;
  const conditions: string[] = [];
  if (source.where !== undefined) conditions.push(`(${source.where}\n)`);
  if (sample !== undefined) {
    const key = source.identity.length > 0 ? source.identity : [number ?? hiddenNumber];
    // hash() gives 64 bits; the outer one lets no two seeds draw related samples.
    conditions.push(
      `hash(hash(${[...key.map(quoteName), String(sample.seed)].join(", ")})) < ${thresholdOf(sample.fraction)}`,
    );
  }
  const select = isHidden ? `* EXCLUDE (${quoteName(hiddenNumber)})` : "*";
  const where = conditions.length > 0 ? `\nWHERE ${conditions.join("\n  AND ")}` : "";
  return `SELECT ${select}\nFROM (${fileRows(source, number)})${where}`;
}

function fileRows(source: Source, number: string | undefined): string {
  const path = quoteText(filePattern(source.path));
  if (number === undefined) return `SELECT * FROM ${scanOf(source.format, path)}`;
  if (source.format === "parquet") {
    return `SELECT file_row_number AS ${quoteName(number)}, * EXCLUDE (file_row_number) FROM read_parquet(${path}, file_row_number = true)`;
  }
  return `SELECT row_number() OVER () - 1 AS ${quoteName(number)}, * FROM ${scanOf(source.format, path)}`;
}

/** Left to itself, DuckDB passes over the lines of a CSV file that do not fit the rest, or look like comments. No row vanishes here. */
function scanOf(format: Source["format"], path: string): string {
  if (format === "csv") return `read_csv(${path}, skip = 0, comment = '')`;
  return format === "json" ? `read_json_auto(${path})` : `read_parquet(${path})`;
}

/** The share of all 64-bit numbers, as one. */
function thresholdOf(fraction: number): string {
  const share = BigInt(Math.round(Math.min(1, Math.max(0, fraction)) * 2 ** 52)) << 12n;
  return `${share > 2n ** 64n - 1n ? 2n ** 64n - 1n : share}::UBIGINT`;
}
