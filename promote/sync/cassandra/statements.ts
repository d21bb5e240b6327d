import { quoteCql, SYSTEM_COLUMNS } from "./column-names.ts";
import type { CassandraTable } from "./table-plan.ts";

/** What a request does to a row: inserts it whole, removes it, or removes what an earlier version left and inserts it. */
export type RequestKind = "insert" | "remove" | "replace";

/** The prepared statements of a table: of a number of rows at once, each with its own parameters, one after another. */
export type Statements = (kind: RequestKind, rows: number) => string;

const { part, version, topic, partition, offset } = SYSTEM_COLUMNS;

/**
 * `insert`: the key's cells, part, version, topic, partition, offset, the columns' cells, the timestamp and, where rows expire, the time to live.
 * `remove`: the timestamp, the key's cells, part. `replace`: `remove`'s, then `insert`'s. A batch that is prepared as one statement costs
 * the driver half of one put together from several.
 */
export function statementsOf(table: CassandraTable, hasTtl: boolean): Statements {
  const keys = table.keys.flatMap((field) => field.physical);
  const columns = table.columns.flatMap((field) => field.physical);
  const names = [...keys, part, version, topic, partition, offset, ...columns];
  const where = [...keys, part].map((name) => `${quoteCql(name)} = ?`).join(" and ");
  const insert = `insert into ${table.name} (${names.map(quoteCql).join(", ")}) values (${names.map(() => "?").join(", ")}) using timestamp ?${hasTtl ? " and ttl ?" : ""}`;
  const remove = `delete from ${table.name} using timestamp ? where ${where}`;
  const steps = { insert: [insert], remove: [remove], replace: [remove, insert] };
  const made = new Map<string, string>();
  return (kind, rows) => {
    const found = made.get(kind + rows);
    if (found !== undefined) return found;
    const all = Array.from({ length: rows }, () => steps[kind]).flat();
    const text =
      all.length === 1 ? all.join("") : `begin unlogged batch ${all.join("; ")}; apply batch`;
    made.set(kind + rows, text);
    return text;
  };
}
