import { quoteCql, SYSTEM_COLUMNS } from "./column-names.ts";
import type { CassandraTable } from "./table-plan.ts";

/** A table's prepared statements: to insert a row whole, to remove it, or to remove what an earlier version left and insert it. */
export type Statements = Record<"insert" | "remove" | "replace", string>;

const { part, source } = SYSTEM_COLUMNS;

/**
 * `insert`: the key's cells, part, source, the columns' cells, the timestamp and, where rows expire, the time to live.
 * `remove`: the timestamp, the key's cells, part. `replace`: `remove`'s, then `insert`'s. One
 * statement that is a batch costs the driver half of a batch put together from two.
 */
export function statementsOf(table: CassandraTable, hasTtl: boolean): Statements {
  const keys = table.keys.flatMap((field) => field.physical);
  const columns = table.columns.flatMap((field) => field.physical);
  const names = [...keys, part, source, ...columns];
  const where = [...keys, part].map((name) => `${quoteCql(name)} = ?`).join(" and ");
  const insert = `insert into ${table.name} (${names.map(quoteCql).join(", ")}) values (${names.map(() => "?").join(", ")}) using timestamp ?${hasTtl ? " and ttl ?" : ""}`;
  const remove = `delete from ${table.name} using timestamp ? where ${where}`;
  return { insert, remove, replace: `begin unlogged batch ${remove}; ${insert}; apply batch` };
}
