import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import { jsonReader } from "../json-values.ts";
import { parseType, type SqlType } from "../types.ts";
import { columnBuilder } from "./arrow-batch.ts";
import { chunksOf } from "./database.ts";
import { readVector } from "./raw.ts";

/** A column of a query, and how its values are written in JSON. */
export type Field = { sql: string; type: SqlType };

/** Types that Penstock does not carry are shown as DuckDB's text. */
export function fieldOf(sql: string, type: string): Field {
  const parsed = parseType(type);
  return parsed.ok
    ? { sql, type: parsed.value }
    : { sql: `CAST(${sql} AS VARCHAR)`, type: { kind: "scalar", name: "VARCHAR" } };
}

/** Rows of a query as JSON carries them (docs/types.md); `from` is what follows the columns. */
export async function readJson(
  connection: Connection,
  fields: Field[],
  from: string,
): Promise<unknown[][]> {
  const result = await duckdb.query(
    connection,
    `SELECT ${fields.map(({ sql }) => sql).join(", ")} ${from}`,
  );
  const builders = fields.map(({ type }) => columnBuilder(type, 256));
  let rows = 0;
  for (const { chunk, rows: count } of chunksOf(result)) {
    fields.forEach(({ type }, i) =>
      builders[i]?.append(readVector(duckdb.data_chunk_get_vector(chunk, i), type, count)),
    );
    rows += count;
  }
  const readers = fields.map(({ type }, i) => {
    const builder = builders[i];
    if (builder === undefined) throw new Error("a field lacks its builder");
    return jsonReader(type, builder.finish());
  });
  return Array.from({ length: rows }, (_, row) => readers.map((read) => read(row)));
}
