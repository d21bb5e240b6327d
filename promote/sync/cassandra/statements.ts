import { quoteCql, SYSTEM_COLUMNS } from "./column-names.ts";
import type { CassandraTable } from "./table-plan.ts";

/** The prepared statements of a table. */
export type Statements = { insert: string; remove: string; replace: string };

const { part, version, topic, partition, offset } = SYSTEM_COLUMNS;

/**
 * `insert`: the key's cells, part, version, topic, partition, offset, the columns' cells, the timestamp and, where rows expire, the time to live.
 * `remove`: the timestamp, the key's cells, part. `replace`: `remove`'s, then `insert`'s; a batch that is prepared as one statement costs
 * the driver half of one put together from two.
 */
export function statementsOf(table: CassandraTable, hasTtl: boolean): Statements {
  const keys = table.keys.flatMap((field) => field.physical);
  const columns = table.columns.flatMap((field) => field.physical);
  const names = [...keys, part, version, topic, partition, offset, ...columns];
  const where = [...keys, part].map((name) => `${quoteCql(name)} = ?`).join(" and ");
  const insert = `insert into ${table.name} (${names.map(quoteCql).join(", ")}) values (${names.map(() => "?").join(", ")}) using timestamp ?${hasTtl ? " and ttl ?" : ""}`;
  const remove = `delete from ${table.name} using timestamp ? where ${where}`;
  return { insert, remove, replace: `begin unlogged batch ${remove}; ${insert}; apply batch` };
}
