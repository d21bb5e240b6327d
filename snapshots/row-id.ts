/** Whether DuckDB's `rowid` names a row's place in a table: a user's own column of that name hides it. */
export function hasRowId(columns: { name: string }[]): boolean {
  return !columns.some((column) => column.name.toLowerCase() === "rowid");
}
