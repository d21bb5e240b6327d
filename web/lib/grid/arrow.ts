import { tableFromIPC, type DataType } from "@uwdata/flechette";

/** Rows of some columns, as they came: random access by column name and row within the window. */
export type RowWindow = {
  rows: number;
  has(column: string): boolean;
  value(column: string, row: number): unknown;
  type(column: string): DataType | undefined;
};

/**
 * Decodes one Arrow IPC stream. 64-bit integers stay bigint, timestamps bigint in their unit, decimals scaled bigint: nothing is
 * rounded on its way to the screen. Values are read by column: table row objects would need generated code, which CSP forbids.
 */
export function decodeWindow(ipc: Uint8Array): RowWindow {
  const table = tableFromIPC(ipc, {
    useBigInt: true,
    useBigIntTimestamp: true,
    useDecimalInt: true,
    useMap: true,
  });
  const names = table.names.map(String);
  const columns = new Map(names.map((name, index) => [name, table.getChildAt(index)]));
  return {
    rows: table.numRows,
    has: (column) => columns.has(column),
    value: (column, row) => columns.get(column)?.at(row),
    type: (column) => columns.get(column)?.type,
  };
}
