import { types, type Client } from "cassandra-driver";
import { ProblemError } from "#snapshots/problem.ts";
import type { StoredRow } from "../ports.ts";
import { quoteCql, SYSTEM_COLUMNS } from "./column-names.ts";
import { jsonColumn } from "./decode.ts";
import { openPaging } from "../paging.ts";
import type { Field } from "./catalog.ts";
import { messageOf } from "./outcome-of.ts";
import type { CassandraTable } from "./table-plan.ts";
import { tokenRanges } from "./token-ranges.ts";

const RANGES = 16;

/**
 * Every row, in pages through the token ring. A row without a version was not written by the pipeline: it is shown with version 0
 * and partition and offset −1.
 */
export async function* scanRows(client: Client, table: CassandraTable): AsyncGenerator<StoredRow> {
  const fields = [...table.keys, ...table.columns];
  const { part, source } = SYSTEM_COLUMNS;
  const names = [part, source, ...fields.flatMap((f) => f.physical)].map(quoteCql);
  const cells = [`writetime(${source})`, ...names];
  const selected = cells.map((cell, i) => `${cell} as c${i}`).join(", ");
  const token = `token(${table.keys.flatMap((f) => f.physical.map(quoteCql)).join(", ")})`;
  const query = `select ${selected} from ${table.name} where ${token} > ? and ${token} <= ?`;
  const paging = openPaging();
  for (const { after, to } of tokenRanges(RANGES)) {
    let pageState: string | undefined;
    do {
      const at = { fetchSize: paging.rows(), ...(pageState === undefined ? {} : { pageState }) };
      const asked = client.execute(query, [after, to], { prepare: true, ...at });
      const page = await asked.catch((cause: unknown) => notRead(table, cause));
      const columns = cells.map((_, i) => page.rows.map((row): unknown => row[`c${i}`]));
      paging.came(columns, page.rows.length);
      yield* storedRows(table, fields, columns, page.rows.length);
      pageState = page.pageState ?? undefined;
    } while (pageState !== undefined);
  }
}

function notRead(table: CassandraTable, cause: unknown): never {
  throw new ProblemError({
    code: "sink-not-read",
    message: `The Cassandra table ${table.name} could not be read: ${messageOf(cause)}`,
    hint: "Nothing was changed. Mend what the message names, or wait until Cassandra answers, then try again.",
  });
}

function* storedRows(
  table: CassandraTable,
  fields: readonly Field[],
  columns: readonly unknown[][],
  count: number,
): Generator<StoredRow> {
  const [versions = [], parts = [], sources = []] = columns;
  let at = 3;
  const json = fields.map((field) => {
    const cells = columns.slice(at, at + field.physical.length);
    at += field.physical.length;
    return jsonColumn(field.type, cells);
  });
  const keys = json.slice(0, table.keys.length);
  const values = json.slice(table.keys.length);
  for (let row = 0; row < count; row++) {
    const version = versions[row];
    yield {
      key: keys.map((key) => key[row]),
      part: Number(parts[row]),
      version: typeof version === "bigint" ? version : 0n,
      ...placeOf(sources[row]),
      values: Object.fromEntries(
        table.columns.map((field, i) => [field.name, values[i]?.[row] ?? null]),
      ),
    };
  }
}

function placeOf(source: unknown): Pick<StoredRow, "topic" | "partition" | "offset"> {
  if (!(source instanceof types.Tuple)) return { topic: "", partition: -1, offset: -1 };
  const [topic, partition, offset] = source.values();
  return { topic: String(topic), partition: Number(partition), offset: Number(offset) };
}
