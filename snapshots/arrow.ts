import { tableFromIPC } from "@uwdata/flechette";
import { aligned, encodeStream, sqlTypeOf } from "./arrow-ipc.ts";
import { columnFromValues } from "./arrow-rows-write.ts";
import { valueReader } from "./arrow-rows-read.ts";
import { unwrap } from "./problem.ts";
import type { Column } from "./table.ts";
import { parseType } from "./types.ts";

/**
 * Rows as one Arrow IPC stream of one record batch; values as docs/types.md gives them, a missing field is NULL. Throws a `ProblemError` naming
 * the row and column of a value that does not fit its type.
 */
export function rowsToArrow(columns: Column[], rows: Record<string, unknown>[]): Uint8Array {
  const typed = columns.map(({ name, type }) => ({ name, type: unwrap(parseType(type)) }));
  const batch = typed.map(({ name, type }) =>
    columnFromValues(
      name,
      type,
      rows.map((row) => row[name]),
    ),
  );
  return encodeStream(typed, batch);
}

/** The rows of an Arrow IPC stream as plain objects, the mapping of `rowsToArrow` backwards. Throws a `ProblemError` where a BIGINT or a date is out of JavaScript's reach. */
export function arrowToRows(ipc: Uint8Array): Record<string, unknown>[] {
  const table = tableFromIPC(aligned(ipc), { useBigInt: true });
  const rows: Record<string, unknown>[] = Array.from({ length: table.numRows }, () => ({}));
  table.schema.fields.forEach((field, index) => {
    const type = sqlTypeOf(field);
    const column = table.children[index];
    if (column === undefined) return;
    let first = 0;
    for (const batch of column.data) {
      const read = valueReader(field.name, type, batch);
      for (let i = 0; i < batch.length; i += 1) {
        const row = rows[first + i];
        if (row)
          Object.defineProperty(row, field.name, {
            value: read(i),
            enumerable: true,
            writable: true,
            configurable: true,
          });
      }
      first += batch.length;
    }
  });
  return rows;
}
