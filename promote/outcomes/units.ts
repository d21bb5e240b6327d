import { decodeStream } from "#kernel/guest/runtime/decode.ts";
import { unwrap } from "#snapshots/problem.ts";
import type { Queries } from "#snapshots/queries.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { TableHash } from "#snapshots/table.ts";
import { parseType } from "#snapshots/types.ts";

type Tables = { store: ContentStore; queries: Queries; signal: AbortSignal };

/** Which record of the input each row was made from: its position there. Undefined for a table that keeps none. */
export async function positionsOf(
  { store, queries, signal }: Tables,
  table: TableHash,
): Promise<Int32Array | undefined> {
  const info = store.tableInfo(table);
  if (!info?.hasLineage) return undefined;
  const positions = new Int32Array(info.rows);
  const column = { name: "position", type: unwrap(parseType("BIGINT")) };
  let at = 0;
  for await (const ipc of queries.readLineage({ table, signal })) {
    const { columns } = decodeStream(ipc, [column]);
    for (const position of columns[0] ?? []) positions[at++] = Number(position);
  }
  return positions;
}

/** Values numbered in the order they are met, the same value alike wherever it is met. */
export type Numbering = { numberOf: (value: unknown) => number; values: (string | null)[] };

export function numbering(): Numbering {
  const numbers = new Map<string | null, number>();
  const values: (string | null)[] = [];
  return {
    values,
    numberOf(value) {
      const text = textOf(value);
      const known = numbers.get(text);
      if (known !== undefined) return known;
      numbers.set(text, values.length);
      values.push(text);
      return values.length - 1;
    },
  };
}

/** A column's values as numbers, row by row; undefined where the table has no such column. Dates and timestamps count by day. */
export async function numberedColumn(
  { store, queries, signal }: Tables,
  table: TableHash,
  name: string,
  { numberOf }: Numbering,
): Promise<Int32Array | undefined> {
  const info = store.tableInfo(table);
  const found = info?.columns.find((column) => column.name === name);
  const type = found && parseType(found.type);
  if (!info || !type?.ok) return undefined;
  const numbers = new Int32Array(info.rows);
  let at = 0;
  for await (const ipc of queries.read({ table, columns: [name], signal })) {
    const { columns } = decodeStream(ipc, [{ name, type: type.value }]);
    for (const value of columns[0] ?? []) numbers[at++] = numberOf(value);
  }
  return numbers;
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  const text: unknown = JSON.stringify(value, (_, item: unknown) =>
    typeof item === "bigint" ? item.toString() : item,
  );
  return String(text).replaceAll(/^"|"$/g, "");
}
