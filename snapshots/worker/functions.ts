import type { Connection } from "@duckdb/node-bindings";
import { z } from "zod";
import type { Problem } from "../problem.ts";
import { quoteText } from "../types.ts";
import { queryTexts } from "./database.ts";
import { problemOf } from "./errors.ts";

/** Change the instance or the process it lives in; or run a text that nobody has looked through. */
const effects =
  /^((enable|disable|verify)_\w+|truncate_duckdb_logs|write_log|setseed|sleep_ms|(force_)?checkpoint|json_execute_serialized_sql|query|import_database|copy_database|add_parquet_key)$/;
/** Tell of this machine and this process: paths, settings, memory. */
const surroundings =
  /^(duckdb_(?!functions$|keywords$|types$)\w+|pragma_\w+|current_setting|current_(connection|query|transaction)_id|txid_current|which_secret|sql_auto_complete)$/;
/** Another answer at another time. `random()` is none: it is seeded by the query. */
const clocks =
  /^(now|today|get_current_time(stamp)?|current_(date|time|timestamp|localtime|localtimestamp)|localtime(stamp)?|transaction_timestamp|uuidv7)$/;
/** Names that DuckDB takes for a function where no column is called so. */
const bareClocks = /^(current_(date|time|timestamp)|localtime(stamp)?)$/;

type Use = { name: string; location: number };

/**
 * What keeps a query from being a function of its inputs, or undefined. DuckDB's own lock does not cover these: some table functions
 * change the instance all the same, and what they leave behind ends the process in the middle of somebody else's request.
 */
export async function refuseFunctions(
  connection: Connection,
  sql: string,
  allow: { clocks: boolean },
): Promise<Problem | undefined> {
  const [[text] = []] = await queryTexts(
    connection,
    `SELECT json_serialize_sql(${quoteText(sql)})::VARCHAR`,
  );
  const tree = JSON.parse(text ?? "null") as unknown;
  const failed = failure.safeParse(tree);
  // What cannot be parsed is said where it is run, with its place.
  if (failed.success) return failed.data.error_type === "parser" ? undefined : unreadable;
  for (const { name, location } of usesIn(tree)) {
    const reason = effects.test(name)
      ? "would change more than its own table"
      : surroundings.test(name)
        ? "tells of this machine, not of the query's tables"
        : !allow.clocks && clocks.test(name)
          ? "gives another answer at another time"
          : undefined;
    if (reason !== undefined) return refusal(sql, name, location, reason);
  }
  return undefined;
}

/** The names of all functions in a serialized statement, in lower case. */
export function functionsIn(tree: unknown): string[] {
  return [...usesIn(tree)].map(({ name }) => name);
}

/** Every function in a serialized statement. Goes through it level by level without calling itself: a query may be deep. */
function* usesIn(tree: unknown): Generator<Use> {
  const todo = [tree];
  while (todo.length > 0) {
    const node = todo.pop();
    if (node === null || typeof node !== "object") continue;
    const use = useOf(node as Record<string, unknown>);
    if (use) yield use;
    for (const child of Object.values(node)) todo.push(child);
  }
}

function useOf(node: Record<string, unknown>): Use | undefined {
  const location = Number(node["query_location"]);
  const called = node["function_name"];
  if (typeof called === "string") {
    const name = called.toLowerCase();
    // With one date, `age` counts from today.
    const isFromToday =
      name === "age" && Array.isArray(node["children"]) && node["children"].length === 1;
    return { name: isFromToday ? "now" : name, location };
  }
  const names = node["column_names"];
  if (node["class"] !== "COLUMN_REF" || !Array.isArray(names) || names.length !== 1)
    return undefined;
  const name = String(names[0]).toLowerCase();
  return bareClocks.test(name) ? { name, location } : undefined;
}

function refusal(sql: string, name: string, location: number, reason: string): Problem {
  const { at } = problemOf(
    new Error(
      JSON.stringify({
        exception_type: "Binder",
        exception_message: name,
        position: String(location),
      }),
    ),
    sql,
  );
  return {
    code: clocks.test(name) ? "query-clock" : "query-function",
    message: `\`${name}\` may not stand in a query: it ${reason}.`,
    hint: clocks.test(name)
      ? "The same query over the same tables must always give the same rows: write the date as a value."
      : "A query is made of its tables and of functions of their values.",
    ...(at === undefined ? {} : { at }),
  };
}

const failure = z.object({ error: z.literal(true), error_type: z.string().optional() });
const unreadable: Problem = {
  code: "query-not-select",
  message: "A query must be one SELECT statement.",
  hint: "Only reading is possible here: SELECT, WITH, FROM or VALUES.",
};
