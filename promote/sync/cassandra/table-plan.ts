import { formatType, quoteText } from "#snapshots/types.ts";
import type { TypedColumn } from "../values/identity.ts";
import { FIELDS, fullName, type Catalog, type Field, type Place } from "./catalog.ts";
import { physicalNames, quoteCql, SYSTEM_COLUMNS } from "./column-names.ts";
import { cellsOf, isStoredAlike } from "./storage.ts";

/** Where a contract's values are stored. */
export type CassandraTable = {
  name: string;
  keys: Field[];
  columns: Field[];
  /** The table has columns this contract does not write: an earlier version's value there has to be taken away. */
  hasOthers: boolean;
};

export type TablePlan = { statements: string[]; table: CassandraTable };

/** What a table is made with; `gcGraceSeconds`, where it is said, one that is there is given as well. */
export type TableSettings = {
  owner: string;
  dataCenter: string;
  replicas: number;
  gcGraceSeconds: number | undefined;
};

const TEN_DAYS = 864_000;

const SOURCE: [name: string, cql: string] = [
  SYSTEM_COLUMNS.source,
  "frozen<tuple<text, int, bigint>>",
];

/**
 * The statements that make or extend a table for a contract. Names are recorded before the columns are made, each only if nobody has
 * taken it (`if not exists`): what a crash or another worker leaves half done, the next plan completes. A column of a new type gets a new
 * physical column; nothing is dropped.
 */
export function planTable(
  place: Place,
  catalog: Catalog,
  key: readonly TypedColumn[],
  columns: readonly TypedColumn[],
  settings: TableSettings,
): TablePlan {
  const { keyspace } = place;
  const known = catalog.fields;
  const taken = new Set([
    ...Object.values(SYSTEM_COLUMNS),
    ...(catalog.table?.columns ?? []),
    ...known.flatMap((field) => field.physical),
  ]);
  const added: Field[] = [];
  const find = (role: Field["role"], column: TypedColumn): Field => {
    const typeText = formatType(column.type);
    const same = [...known, ...added].find(
      (field) =>
        field.role === role &&
        field.name === column.name &&
        isStoredAlike(field.typeText, typeText),
    );
    if (same !== undefined) return { ...same, type: column.type };
    const suffixes = cellsOf(column.type).map((cell) => cell.suffix);
    const physical = physicalNames(column.name, suffixes, taken);
    for (const name of physical) taken.add(name);
    const field: Field = { role, name: column.name, type: column.type, typeText, physical };
    added.push(field);
    return field;
  };
  const keys = key.map((column) => find("key", column));
  const stored = columns.map((column) => find("column", column));
  const all = [...known, ...added];

  const statements: string[] = [];
  if (!catalog.hasKeyspace)
    statements.push(
      `create keyspace if not exists ${keyspace} with replication = {'class': 'NetworkTopologyStrategy', ${quoteText(settings.dataCenter)}: ${settings.replicas}}`,
    );
  if (!catalog.hasFields)
    statements.push(
      `create table if not exists ${keyspace}.${FIELDS} (table_name text, owner text static, physical text, rest text, role text, position int, name text, type text, primary key (table_name, physical))`,
    );
  if (catalog.owner === undefined)
    statements.push(
      `update ${keyspace}.${FIELDS} set owner = ${quoteText(settings.owner)} where table_name = ${quoteText(place.table)} if owner = null`,
    );
  added.forEach((field, i) => statements.push(recordField(place, field, known.length + i)));
  if (catalog.table === undefined) statements.push(createTable(place, all, settings));
  else {
    const there = new Set(catalog.table.columns);
    for (const [name, cql] of [
      SOURCE,
      ...definitions(all.filter((field) => field.role === "column")),
    ])
      if (!there.has(name))
        statements.push(`alter table ${fullName(place)} add ${quoteCql(name)} ${cql}`);
    const { gcGraceSeconds = catalog.table.gcGraceSeconds } = settings;
    if (gcGraceSeconds !== catalog.table.gcGraceSeconds)
      statements.push(`alter table ${fullName(place)} with gc_grace_seconds = ${gcGraceSeconds}`);
  }
  const written = new Set([...keys, ...stored].flatMap((field) => field.physical));
  for (const name of Object.values(SYSTEM_COLUMNS)) written.add(name);
  return {
    statements,
    table: {
      name: fullName(place),
      keys,
      columns: stored,
      hasOthers: [...taken].some((name) => !written.has(name)),
    },
  };
}

function recordField({ keyspace, table }: Place, field: Field, position: number): string {
  const [physical = "", rest] = field.physical;
  const texts = [table, physical, field.role, field.name, field.typeText].map(quoteText).join(", ");
  return `insert into ${keyspace}.${FIELDS} (table_name, physical, role, name, type, rest, position) values (${texts}, ${rest === undefined ? "null" : quoteText(rest)}, ${position}) if not exists`;
}

function createTable(place: Place, fields: readonly Field[], settings: TableSettings): string {
  const keys = fields.filter((field) => field.role === "key");
  const columns = fields.filter((field) => field.role === "column");
  const definition = [
    ...definitions(keys),
    [SYSTEM_COLUMNS.part, "int"] as const,
    SOURCE,
    ...definitions(columns),
  ].map(([name, cql]) => `${quoteCql(name)} ${cql}`);
  const partition = keys.flatMap((field) => field.physical).map(quoteCql);
  return `create table if not exists ${fullName(place)} (${definition.join(", ")}, primary key ((${partition.join(", ")}), ${SYSTEM_COLUMNS.part})) with gc_grace_seconds = ${settings.gcGraceSeconds ?? TEN_DAYS}`;
}

function definitions(fields: readonly Field[]): [name: string, cql: string][] {
  return fields.flatMap((field) =>
    cellsOf(field.type).map((cell, i): [string, string] => [field.physical[i] ?? "", cell.cql]),
  );
}

/** Why a table cannot be this contract's. */
export function mismatchOf(
  place: Place,
  catalog: Catalog,
  key: readonly TypedColumn[],
  owner: string,
): { code: string; message: string; hint: string } | undefined {
  const shown = `The Cassandra table ${place.keyspace}.${place.table}`;
  if (catalog.owner !== undefined && catalog.owner !== owner)
    return {
      code: "sink-owned",
      message: `${shown} belongs to the pipeline ${catalog.owner}; one pipeline owns a table.`,
      hint: `Give this pipeline a table of its own in environments/*.yaml, or stop ${catalog.owner} for good and delete its rows from ${place.keyspace}.${FIELDS} and the table.`,
    };
  if (catalog.owner === undefined && catalog.table !== undefined)
    return {
      code: "sink-owned",
      message: `${shown} is there already, and no pipeline made it.`,
      hint: "Give the pipeline a table of its own in environments/*.yaml, or drop this one.",
    };
  if (catalog.table !== undefined && catalog.table.compaction.includes("TimeWindow"))
    return {
      code: "sink-compaction",
      message: `${shown} uses TimeWindowCompactionStrategy. The pipeline's write timestamps are versions, not times, so its windows would never close and deleted rows could come back.`,
      hint: `Run: alter table ${fullName(place)} with compaction = {'class': 'UnifiedCompactionStrategy'}`,
    };
  if (catalog.table !== undefined && catalog.table.defaultTtl > 0)
    return {
      code: "sink-default-ttl",
      message: `${shown} has default_time_to_live = ${catalog.table.defaultTtl}: rows would vanish, and a replay would start their time again.`,
      hint: `Run: alter table ${fullName(place)} with default_time_to_live = 0, and give the pipeline an expiresAt column instead.`,
    };
  const keys = catalog.fields.filter((field) => field.role === "key");
  // Of a table that is yet to be made, the key may be recorded in part.
  const recorded = catalog.table === undefined ? key.slice(0, keys.length) : key;
  if (keys.length === 0 || shape(keys) === shape(recorded)) return undefined;
  return {
    code: "sink-key-changed",
    message: `${shown} holds another identity: it is keyed by ${shape(keys)}, the release by ${shape(key)}.`,
    hint: "Promote a release with the same identity, or give this one a table of its own in environments/*.yaml.",
  };
}

function shape(fields: readonly Pick<TypedColumn, "name" | "type">[]): string {
  return fields.map((field) => `${field.name} ${formatType(field.type)}`).join(", ");
}
