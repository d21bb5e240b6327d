import { types, type Client } from "cassandra-driver";
import { parseType, type SqlType } from "#snapshots/types.ts";
import { quoteCql } from "./column-names.ts";

/** A contract column and where it is stored: one physical column, or two (storage.ts). */
export type Field = {
  role: "key" | "column";
  name: string;
  type: SqlType;
  /** The type as the mapping writes it. */
  typeText: string;
  physical: string[];
};

/** What stands in Cassandra of one table. */
export type Catalog = {
  hasKeyspace: boolean;
  hasFields: boolean;
  owner: string | undefined;
  /** In the order they were made. */
  fields: Field[];
  table:
    | { columns: string[]; compaction: string; defaultTtl: number; gcGraceSeconds: number }
    | undefined;
};

/** The mapping of every Penstock table in a keyspace; people may read it, only `prepare` writes it. */
export const FIELDS = "penstock_fields";

export type Place = { keyspace: string; table: string };

/** Reads at `serial`, so that what another worker has just claimed is seen. */
export async function readCatalog(
  client: Client,
  { keyspace, table }: Place,
  serial: types.consistencies,
): Promise<Catalog> {
  // Each node has the schema tables whole: one is all there is to ask.
  const ask = async (query: string, params: string[], consistency = types.consistencies.one) =>
    (await client.execute(query, params, { prepare: false, consistency })).rows;
  const tables = await ask(
    "select table_name, compaction, default_time_to_live, gc_grace_seconds from system_schema.tables where keyspace_name = ?",
    [keyspace],
  );
  const keyspaces = await ask(
    "select keyspace_name from system_schema.keyspaces where keyspace_name = ?",
    [keyspace],
  );
  const hasFields = tables.some((row) => row["table_name"] === FIELDS);
  const mapping = hasFields
    ? await ask(
        `select owner, role, position, name, type, physical, rest from ${keyspace}.${FIELDS} where table_name = ?`,
        [table],
        serial,
      )
    : [];
  const found = tables.find((row) => row["table_name"] === table);
  const columns =
    found === undefined
      ? []
      : await ask(
          "select column_name from system_schema.columns where keyspace_name = ? and table_name = ?",
          [keyspace, table],
        );
  return {
    hasKeyspace: keyspaces.length > 0,
    hasFields,
    owner: mapping.flatMap((row) => text(row["owner"]) ?? [])[0],
    fields: mapping.flatMap(fieldOf).toSorted((a, b) => a.position - b.position),
    table:
      found === undefined
        ? undefined
        : {
            columns: columns.map((row) => String(row["column_name"])),
            compaction: text(Object(found["compaction"])["class"]) ?? "",
            defaultTtl: Number(found["default_time_to_live"] ?? 0),
            gcGraceSeconds: Number(found["gc_grace_seconds"]),
          },
  };
}

function fieldOf(row: types.Row): (Field & { position: number })[] {
  const [name, typeText, physical] = [text(row["name"]), text(row["type"]), text(row["physical"])];
  if (name === undefined || typeText === undefined || physical === undefined) return [];
  const type = parseType(typeText);
  if (!type.ok) return [];
  const rest = text(row["rest"]);
  return [
    {
      role: row["role"] === "key" ? "key" : "column",
      position: Number(row["position"]),
      name,
      type: type.value,
      typeText,
      physical: rest === undefined ? [physical] : [physical, rest],
    },
  ];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function fullName({ keyspace, table }: Place): string {
  return `${keyspace}.${quoteCql(table)}`;
}
