import duckdb from "@duckdb/node-bindings";
import type { Connection } from "@duckdb/node-bindings";
import type { FileSide } from "../protocol.ts";
import { filePattern } from "../file-pattern.ts";
import { fail, ok, type Problem, type Result } from "../problem.ts";
import { parseType, quoteName, quoteText, type SqlType } from "../types.ts";
import { attach, queryTexts } from "./database.ts";
import { loadArrow } from "./diff-arrow.ts";

/**
 * A side's rows before any of them is left out. `columns` with the names the file itself gives them, `sqlNames` as DuckDB reads them (it tells two
 * names that differ in case only apart by a suffix), `number` the SQL of a row's number among the rows of `from`.
 */
export type Rows = {
  columns: { name: string; type: string }[];
  sqlNames: string[];
  from: string;
  number: string;
};

/** Loads what can only be read from beginning to end into the worker's own memory, which spills; the rest is read where it lies. */
export function openFile(
  connection: Connection,
  file: FileSide,
  name: "left" | "right",
): Promise<Result<Rows>> {
  switch (file.format) {
    case "parquet":
      return openParquet(connection, file);
    case "csv":
      return openCsv(connection, file, name);
    case "json":
      return openJson(connection, file, name);
    case "arrow":
      return openArrow(connection, file, name);
    case "duckdb":
      return openDuckDB(connection, file, name);
  }
}

function pathSql(path: string): string {
  return quoteText(filePattern(path));
}

async function openParquet(connection: Connection, { path }: FileSide): Promise<Result<Rows>> {
  const scan = (more: string) => `read_parquet(${pathSql(path)}, hive_partitioning = false${more})`;
  const described = await describe(connection, scan(""));
  const names = described.some(({ name }) => mayBeRenamed.test(name))
    ? await parquetNames(connection, path)
    : [];
  const columns = described.map(({ name, type }, i) => ({ name: names[i] ?? name, type }));
  const sqlNames = described.map(({ name }) => name);
  const isNumbered = !sqlNames.some((name) => name.toLowerCase() === "file_row_number");
  return ok({
    columns: distinctNames(columns, sqlNames),
    sqlNames,
    from: scan(isNumbered ? ", file_row_number = true" : ""),
    number: isNumbered ? "file_row_number" : "row_number() OVER () - 1",
  });
}

/** What DuckDB calls a column whose name another has taken, or that has none. */
const mayBeRenamed = /_\d+$|^$/;

/** The names of a Parquet file's columns; its schema lists their children behind each. */
async function parquetNames(connection: Connection, path: string): Promise<string[]> {
  const nodes = await queryTexts(
    connection,
    `SELECT name, coalesce(num_children, 0)::VARCHAR FROM parquet_schema(${pathSql(path)})`,
  );
  const names: string[] = [];
  for (let at = 1; at < nodes.length; at = afterNode(nodes, at)) names.push(nodes[at]?.[0] ?? "");
  return names;
}

function afterNode(nodes: (string | null)[][], at: number): number {
  let open = 1;
  let next = at;
  for (; open > 0 && next < nodes.length; next += 1) open += Number(nodes[next]?.[1]) - 1;
  return next;
}

async function openCsv(
  connection: Connection,
  { path }: FileSide,
  name: string,
): Promise<Result<Rows>> {
  // Left to itself, DuckDB passes over lines that do not fit the rest, or look like comments. No row vanishes here.
  const options = "skip = 0, comment = '', hive_partitioning = false";
  const scan = (more: string) => `read_csv(${pathSql(path)}, ${options}${more})`;
  const described = await describe(connection, scan(""));
  const names = await csvNames(connection, path);
  const columns = described.map(({ name, type }, i) => ({ name: names[i] ?? name, type }));
  const loaded = await load(connection, scan(""), name, described.length).catch(() =>
    // A value far down that is of no type guessed from the first lines: all of them are looked at then.
    load(connection, scan(", sample_size = -1"), name, described.length),
  );
  const typed = columns.map((column, i) => ({ ...column, type: loaded.types[i] ?? column.type }));
  return ok({ ...loaded.rows, columns: distinctNames(typed, loaded.rows.sqlNames) });
}

/** The cells of a CSV file's header, where it has one. */
async function csvNames(connection: Connection, path: string): Promise<(string | undefined)[]> {
  const [[delimiter = ",", hasHeader] = []] = await queryTexts(
    connection,
    `SELECT Delimiter, HasHeader::VARCHAR FROM sniff_csv(${pathSql(path)}, skip = 0, comment = '')`,
  );
  if (hasHeader !== "true") return [];
  const [header = []] = await queryTexts(
    connection,
    `SELECT * FROM read_csv(${pathSql(path)}, header = false, all_varchar = true, null_padding = true, skip = 0, comment = '', hive_partitioning = false, delim = ${quoteText(delimiter ?? ",")}) LIMIT 1`,
  );
  return header.map((cell) => cell ?? undefined);
}

async function openJson(
  connection: Connection,
  { path }: FileSide,
  name: string,
): Promise<Result<Rows>> {
  // A key that first comes late would not be read, had not all lines been looked at.
  const scan = `read_json(${pathSql(path)}, sample_size = -1, map_inference_threshold = -1, hive_partitioning = false)`;
  const described = await describe(connection, scan);
  const names = await jsonNames(
    connection,
    path,
    described.map((column) => column.name),
  );
  const columns = described.map(({ name, type }, i) => ({ name: names[i] ?? name, type }));
  const rounded = await roundedColumn(connection, path, columns);
  if (rounded !== undefined) return fail(rounded);
  const { rows } = await load(connection, scan, name, described.length);
  return ok({ ...rows, columns: distinctNames(columns, rows.sqlNames) });
}

/** Integers that DuckDB reads from JSON as DOUBLE, and so rounds: two that differ would be equal. */
async function roundedColumn(
  connection: Connection,
  path: string,
  columns: { name: string; type: string }[],
): Promise<Problem | undefined> {
  const places = columns.flatMap(({ name, type }) => {
    if (!/\bDOUBLE\b/.test(type)) return [];
    const parsed = parseType(type);
    const own = parsed.ok ? doublesIn(parsed.value, placeIn("$", name), false) : undefined;
    return (own ?? [everyNumber]).map((numbers) => ({ name, numbers }));
  });
  if (places.length === 0) return undefined;
  const isRounded = places.map(
    ({ numbers }) =>
      `coalesce(bool_or(len(list_filter(${numbers}, lambda x: ${isRoundedSql("x")})) > 0), false)::VARCHAR`,
  );
  const [row = []] = await queryTexts(
    connection,
    `SELECT ${isRounded.join(", ")} FROM read_json_objects(${pathSql(path)}, hive_partitioning = false)`,
  );
  const found = places.find((_, i) => row[i] === "true");
  if (found === undefined) return undefined;
  return {
    code: "numbers-rounded",
    message: `${path} holds integers in \`${found.name}\` that would be rounded: some of its numbers are too large, or have fractions.`,
    hint: "Write them as texts, or all as integers of up to 64 bits.",
  };
}

/** SQL for the texts of the numbers that are read as DOUBLE, a list for each place of one; undefined where a place cannot be written as a JSON path. */
function doublesIn(
  type: SqlType,
  place: string | undefined,
  isMany: boolean,
): string[] | undefined {
  if (place === undefined) return undefined;
  if (type.kind === "struct") {
    const inFields = type.fields.map((field) =>
      doublesIn(field.type, placeIn(place, field.name), isMany),
    );
    const known = inFields.filter((own) => own !== undefined);
    return known.length < inFields.length ? undefined : known.flat();
  }
  if (type.kind === "list") return doublesIn(type.item, `${place}[*]`, true);
  if (type.kind !== "scalar") return undefined;
  if (type.name !== "DOUBLE") return [];
  const numbers = `json_extract_string(json, ${quoteText(place)})`;
  return [isMany ? numbers : `[${numbers}]`];
}

/** A path has no words for a key that is empty, and takes `*` for all of them. */
function placeIn(place: string, key: string): string | undefined {
  if (key === "" || key === "*") return undefined;
  return `${place}."${key.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** All numbers of a line; texts are passed over as wholes, whatever digits they hold. */
const everyNumber = `regexp_extract_all(json::VARCHAR, '"(?:[^"\\\\]|\\\\.)*"|[-+.0-9eE]+')`;

/** Whether the text of a number is an integer that is no DOUBLE; one beyond 128 bits is not looked at closely. */
function isRoundedSql(text: string): string {
  const integer = `TRY_CAST(${text} AS HUGEINT)`;
  return `regexp_full_match(${text}, '-?[0-9]{16,}') AND ${integer} IS DISTINCT FROM TRY_CAST(${integer}::DOUBLE AS HUGEINT) OR regexp_full_match(${text}, '-?[0-9]{39,}')`;
}

/** DuckDB calls the second of two keys that differ in case only by the second's name and a number. */
async function jsonNames(
  connection: Connection,
  path: string,
  read: string[],
): Promise<(string | undefined)[]> {
  if (!read.some((name) => /_\d+$/.test(name))) return [];
  const keys = await queryTexts(
    connection,
    `SELECT DISTINCT unnest(json_keys(json)) FROM read_json_objects(${pathSql(path)}, hive_partitioning = false)`,
  );
  const all = new Set(keys.map(([key]) => key ?? ""));
  return read.map((name) => {
    const own = name.replace(/_\d+$/, "");
    return !all.has(name) && all.has(own) ? own : undefined;
  });
}

async function openArrow(
  connection: Connection,
  { path }: FileSide,
  name: string,
): Promise<Result<Rows>> {
  const columns = await loadArrow(connection, path, name);
  if (!columns.ok) return columns;
  const sqlNames = columns.value.map((_, i) => `v${i}`);
  return ok({
    columns: distinctNames(columns.value, sqlNames),
    sqlNames,
    from: tableOf(name),
    number: "rowid",
  });
}

async function openDuckDB(
  connection: Connection,
  { path, table = "" }: FileSide,
  name: string,
): Promise<Result<Rows>> {
  await attach(connection, path, `${name} file`, "READ_ONLY");
  const tables = await queryTexts(
    connection,
    `SELECT schema_name, table_name, sql FROM duckdb_tables() WHERE database_name = ${quoteText(`${name} file`)} ORDER BY schema_name <> 'main', schema_name, table_name`,
  );
  const found = tables.find(
    ([schema, own]) => table === `${schema}.${own}` || (schema === "main" && table === own),
  );
  if (found === undefined) {
    const all = tables.map(([schema, own]) => `${schema}.${own}`).join(", ");
    return fail({
      code: "no-such-table",
      message:
        table === ""
          ? `${path} is a DuckDB file; which of its tables?`
          : `${path} has no table \`${table}\`.`,
      hint: all === "" ? "It has no tables." : `Name one as ${path}#TABLE; it has: ${all}.`,
    });
  }
  const [schema, own, sql] = found;
  const from = [`${name} file`, schema, own].map((part) => quoteName(part ?? "")).join(".");
  const described = await describe(connection, from);
  const sqlNames = described.map((column) => column.name);
  const texts = sqlNames.filter((_, i) => described[i]?.type === "VARCHAR");
  if (texts.length > 0 && /\bCOLLATE\b/i.test(sql ?? "")) {
    // Texts are compared by code points, whatever the table says of its own comparisons.
    const plain = texts.map((text) => `${quoteName(text)} COLLATE "binary" AS ${quoteName(text)}`);
    return ok({
      columns: described,
      sqlNames,
      from: `(SELECT * REPLACE (${plain.join(", ")}) FROM ${from})`,
      number: "row_number() OVER () - 1",
    });
  }
  const hasRowId = !sqlNames.some((own) => own.toLowerCase() === "rowid");
  return ok({
    columns: described,
    sqlNames,
    from,
    number: hasRowId ? "rowid" : "row_number() OVER () - 1",
  });
}

async function describe(
  connection: Connection,
  from: string,
): Promise<{ name: string; type: string }[]> {
  const described = await queryTexts(connection, `DESCRIBE SELECT * FROM ${from}`);
  return described.map(([name, type]) => ({ name: name ?? "", type: type ?? "" }));
}

async function load(
  connection: Connection,
  scan: string,
  name: string,
  count: number,
): Promise<{ rows: Omit<Rows, "columns">; types: string[] }> {
  const described = await describe(connection, scan);
  const sqlNames = described.map((column) => column.name);
  if (sqlNames.length !== count)
    throw new Error(`${scan} has ${sqlNames.length} columns, not ${count}`);
  await duckdb.query(
    connection,
    `CREATE OR REPLACE TABLE ${tableOf(name)} AS SELECT * FROM ${scan}`,
  );
  const hasRowId = !sqlNames.some((own) => own.toLowerCase() === "rowid");
  const number = hasRowId ? "rowid" : "row_number() OVER () - 1";
  return {
    rows: { sqlNames, from: tableOf(name), number },
    types: described.map(({ type }) => type),
  };
}

function tableOf(name: string): string {
  return `memory.main.${quoteName(`${name} rows`)}`;
}

/** Where a file gives two columns one and the same name, the later ones keep the one DuckDB reads them by. */
function distinctNames(
  columns: { name: string; type: string }[],
  sqlNames: string[],
): { name: string; type: string }[] {
  const taken = new Set<string>();
  return columns.map(({ name, type }, i) => {
    const own = taken.has(name) ? (sqlNames[i] ?? name) : name;
    taken.add(own);
    return { name: own, type };
  });
}
