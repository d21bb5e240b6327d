import type { DuckDBConnection, Json } from "@duckdb/node-api";
import { formatType, parseType, quoteName, quoteText, type SqlType } from "#snapshots/types.ts";
import type { TypedColumn } from "../values/identity.ts";
import type { SinkBatch } from "../ports.ts";
import { stagingType } from "./duckdb-vectors.ts";

/**
 * A sink file holds `rows(k0…, part, version, source_partition, source_offset, topic, alive, retracted, c0…)` with physical names, so that no name of a
 * contract can collide; `fields` says which contract column each physical one is. The view `kept` has every row and tombstone with the newest
 * contract's columns as d0…, `data` the living rows under their own names. A row whose time has passed is a tombstone in both. A column that is no
 * longer in the contract stays, out of sight: nothing is dropped.
 */
export type SinkTable = { keys: PhysicalColumn[]; columns: PhysicalColumn[] };
export type PhysicalColumn = { physical: string; name: string; type: SqlType };

const SYSTEM =
  "part INTEGER, version BIGINT, topic VARCHAR, source_partition INTEGER, source_offset BIGINT, alive BOOLEAN, retracted BOOLEAN";

/**
 * What a contract asks of a sink file: the statements that make or extend its tables (none where all is there), its views, and what lets go of the
 * values of rows that have expired.
 */
export type TablePlan = {
  statements: string[];
  views: string[];
  sweep: string[];
  table: SinkTable;
};

/** A contract column of a new type gets a new physical column; `data` falls back to the old one. `expiresAt`: see `expiryColumn`. */
export async function planTables(
  connection: DuckDBConnection,
  key: readonly TypedColumn[],
  columns: readonly TypedColumn[],
  expiresAt: number,
): Promise<TablePlan | { mismatch: string }> {
  const known = await readFields(connection);
  const keys = known.filter((field) => field.role === "key");
  const wanted = key.map((column, i) => ({
    physical: `k${i}`,
    name: column.name,
    type: column.type,
  }));
  if (known.length > 0 && shape(keys) !== shape(wanted)) {
    return { mismatch: `it is keyed by ${shape(keys)}, the release by ${shape(wanted)}` };
  }
  const statements: string[] = [];
  if (known.length === 0) {
    statements.push(
      "create table if not exists fields (role VARCHAR, physical VARCHAR, name VARCHAR, type VARCHAR)",
      `create table rows (${wanted.map((field) => `${field.physical} ${formatType(field.type)}`).join(", ")}, ${SYSTEM})`,
      insertFields("key", wanted),
    );
  }
  const data = known.filter((field) => field.role === "column");
  const current = columns.map((column): PhysicalColumn => {
    const same = data.find(
      (field) => field.name === column.name && formatType(field.type) === formatType(column.type),
    );
    if (same !== undefined) return same;
    const field = { physical: `c${data.length}`, name: column.name, type: column.type };
    statements.push(
      `alter table rows add column ${field.physical} ${formatType(field.type)}`,
      insertFields("column", [field]),
    );
    data.push({ ...field, role: "column" });
    return field;
  });
  const system = [
    ...wanted.map((field) => field.physical),
    "part",
    "version",
    "topic",
    "source_partition",
    "source_offset",
  ];
  const expiry = current[expiresAt];
  const isAlive =
    expiry === undefined ? "alive" : `alive and not ${hasPassed(shown(expiry, data), expiry.type)}`;
  const views = [
    `create or replace view kept as select ${[...system, `(${isAlive}) as alive`, ...current.map((field, i) => `${shown(field, data)} as d${i}`)].join(", ")} from rows`,
    `create or replace view data as select ${current.map((field, i) => `d${i} as ${quoteName(field.name)}`).join(", ")} from kept where alive`,
  ];
  const emptied = data.map((field) => `${field.physical} = null`).join(", ");
  const sweep =
    expiry === undefined
      ? []
      : [`update rows set alive = false, ${emptied} where alive and not (${isAlive})`];
  return { statements, views, sweep, table: { keys: wanted, columns: current } };
}

/** A timestamp without a zone is one of UTC, whatever the reader's zone. NULL never passes. */
function hasPassed(moment: string, type: SqlType): string {
  const now =
    formatType(type) === "TIMESTAMP WITH TIME ZONE" ? "now()" : "make_timestamp(epoch_us(now()))";
  return `coalesce(${moment} <= ${now}, false)`;
}

/** The value; where the row was written while the column had another type, what that value is in this one. */
function shown(field: PhysicalColumn, all: readonly PhysicalColumn[]): string {
  const older = all.filter(
    (other) => other.name === field.name && other.physical !== field.physical,
  );
  const casts = older
    .toReversed()
    .map((other) => `try_cast(${other.physical} as ${formatType(field.type)})`);
  return casts.length === 0 ? field.physical : `coalesce(${[field.physical, ...casts].join(", ")})`;
}

function shape(fields: readonly { name: string; type: SqlType }[]): string {
  return fields.map((field) => `${field.name} ${formatType(field.type)}`).join(", ");
}

async function readFields(
  connection: DuckDBConnection,
): Promise<(PhysicalColumn & { role: string })[]> {
  const there = await connection.runAndReadAll(
    "select 1 from duckdb_tables() where table_name = 'fields' and not temporary",
  );
  if (there.currentRowCount === 0) return [];
  const reader = await connection.runAndReadAll(
    "select role, physical, name, type from fields order by rowid",
  );
  return reader.getRowsJson().flatMap((row) => {
    const [role = "", physical = "", name = "", type = ""] = row.map(text);
    const parsed = parseType(type);
    return parsed.ok ? [{ role, physical, name, type: parsed.value }] : [];
  });
}

function text(value: Json): string {
  return typeof value === "string" ? value : "";
}

function insertFields(role: string, fields: readonly PhysicalColumn[]): string {
  const rows = fields.map((field) =>
    [role, field.physical, field.name, formatType(field.type)].map(quoteText).join(", "),
  );
  return `insert into fields values ${rows.map((row) => `(${row})`).join(", ")}`;
}

/** Temporary table that a batch's operations are appended to. */
export function stagingDefinition(table: SinkTable): string {
  const keys = table.keys.map(
    (field) => `${field.physical} ${formatType(stagingType(field.type))}`,
  );
  const columns = table.columns.map(
    (field) => `${field.physical} ${formatType(stagingType(field.type))}`,
  );
  return `create or replace temp table staging (${[...keys, "operation INTEGER", "part INTEGER", "version BIGINT", "source_offset BIGINT", "place INTEGER", "alive BOOLEAN", ...columns].join(", ")})`;
}

/**
 * The statements that bring a staged batch into `rows`. `meet` says whether it meets any (operation null), and which operations are stale or take a row
 * away; then comes `replace`, or `insert` where it meets none. Row ids of rows not yet committed are no positions: `operation` counts them.
 * Without an index and by delete and insert, 730,000 rows a second; `on conflict` over a primary key 255,000, `merge into` 620,000
 * (DuckDB 1.5.6, batches of 16,384, a twentieth of them updates).
 */
export function mergeStatements(
  table: SinkTable,
  places: SinkBatch["places"],
): { meet: string; insert: string; replace: string } {
  const on = table.keys.map((field) => `r.${field.physical} = ${cast(field)}`).join(" and ");
  const keys = table.keys.map((field) => field.physical);
  const columns = table.columns.map((field) => field.physical);
  const target = `rows (${[...keys, "part, version, topic, source_partition, source_offset, alive, retracted", ...columns].join(", ")})`;
  // A list is numbered from one.
  const ofPlace = (values: string[]): string =>
    values.length === 1 ? values.join("") : `[${values.join(", ")}][s.place + 1]`;
  const topic = ofPlace(places.map((place) => quoteText(place.topic)));
  const partition = ofPlace(places.map((place) => String(place.partition)));
  const select = (retracted: string) =>
    `select ${[...table.keys.map(cast), "s.part, s.version", topic, partition, "s.source_offset, s.alive", retracted, ...table.columns.map(cast)].join(", ")} from staging s`;
  return {
    meet: `create or replace temp table meeting as
      select s.operation, r.rowid as stored, r.version > s.version as is_stale,
        not s.alive and (r.alive or (r.version = s.version and r.retracted)) as is_retracting
      from staging s join rows r on ${on} and r.part = s.part;
      select null, count(*) > 0 from meeting
      union all select operation, is_stale from meeting where is_stale or is_retracting`,
    insert: `insert into ${target} ${select("false")}`,
    replace: `delete from rows where rowid in (select stored from meeting where not is_stale);
      insert into ${target} ${select("coalesce(m.is_retracting, false)")}
      left join meeting m on m.operation = s.operation where m.is_stale is distinct from true`,
  };
}

function cast(field: PhysicalColumn): string {
  const type = formatType(field.type);
  return type === formatType(stagingType(field.type))
    ? `s.${field.physical}`
    : `cast(s.${field.physical} as ${type})`;
}
