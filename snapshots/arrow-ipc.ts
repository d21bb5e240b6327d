import { field, tableToIPC, type DataType, type Field, type Table } from "@uwdata/flechette";
import type { ArrowBuffers } from "./arrow-buffers.ts";
import { arrowType, sqlTypeFromArrow } from "./arrow-type.ts";
import { formatType, parseType, type SqlType } from "./types.ts";

/** Arrow's types say less than DuckDB's (HUGEINT and DECIMAL(38,0) travel alike), so a field's metadata holds DuckDB's text. */
const typeKey = "penstock:type";

/** One record batch as a complete Arrow IPC stream. */
export function encodeStream(
  columns: { name: string; type: SqlType }[],
  batch: ArrowBuffers[],
): Uint8Array {
  const fields = columns.map((column) =>
    field(column.name, arrowType(column.type), true, new Map([[typeKey, formatType(column.type)]])),
  );
  const children = fields.map((column, index) => {
    const buffers = batch[index];
    if (buffers === undefined) throw new Error(`no buffers for column ${column.name}`);
    return { type: column.type, data: [typed(column.type, buffers)] };
  });
  // flechette writes from the columns' types and buffers alone: the accessors of its Table class are not needed.
  const table = {
    schema: { version: 4, endianness: 0, fields, metadata: null },
    children,
  } as unknown as Table;
  const bytes = tableToIPC(table, { format: "stream" });
  if (bytes === null) throw new Error("flechette wrote to a sink that was not asked for");
  return bytes;
}

function typed(type: DataType, buffers: ArrowBuffers): ArrowBuffers & { type: DataType } {
  if (buffers.children === undefined) return { ...buffers, type };
  const fields: Field[] = "children" in type && Array.isArray(type.children) ? type.children : [];
  const children = buffers.children.map((child, index) => {
    const own = fields[index];
    return own === undefined ? child : typed(own.type, child);
  });
  return { ...buffers, type, children };
}

/** Arrow's readers view the bytes as 8-byte numbers; what comes through a pipe may start anywhere. */
export function aligned(ipc: Uint8Array): Uint8Array {
  return ipc.byteOffset % 8 === 0 ? ipc : ipc.slice();
}

/** The DuckDB type of a field: what its metadata says, else the one its Arrow type stands for. */
export function sqlTypeOf(column: Field): SqlType {
  const said = column.metadata?.get(typeKey);
  const parsed = said === undefined ? undefined : parseType(said);
  return parsed?.ok ? parsed.value : sqlTypeFromArrow(column.type);
}
