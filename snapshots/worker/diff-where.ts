import type { Connection } from "@duckdb/node-bindings";
import { z } from "zod";
import type { Problem } from "../problem.ts";
import { quoteText } from "../types.ts";
import { queryTexts } from "./database.ts";
import { problemOf } from "./errors.ts";
import { functionsIn, refuseFunctions } from "./functions.ts";

/** Both sides are read more than once: what is drawn anew each time would be counted wrong. */
const drawn = /^(random|setseed|uuid|uuidv4|uuidv7|gen_random_uuid|nextval|currval)$/;

/** Why a text cannot be the predicate of a diff, by its look alone; undefined where it can. */
export async function refusePredicate(
  connection: Connection,
  where: string,
): Promise<Problem | undefined> {
  const sql = `SELECT (${where}\n)`;
  const [[text] = []] = await queryTexts(
    connection,
    `SELECT json_serialize_sql(${quoteText(sql)})::VARCHAR`,
  );
  const tree = JSON.parse(text ?? "null") as unknown;
  if (!singleExpression.safeParse(tree).success) {
    const failed = failure.safeParse(tree);
    return badPredicate(where, failed.data?.error_message ?? "it is not one expression");
  }
  const refused = await refuseFunctions(connection, sql, { clocks: false });
  if (refused !== undefined) return badPredicate(where, refused.message, refused.code);
  const random = functionsIn(tree).find((name) => drawn.test(name));
  if (random === undefined) return undefined;
  return badPredicate(where, `\`${random}\` gives another answer each time`, "query-function");
}

/** What goes wrong when the predicate is asked of a side's rows, said of the predicate. */
export function predicateFailed(where: string, error: unknown, side: string): Problem {
  const { code, message, hint } = problemOf(error);
  const problem = badPredicate(where, `${side}: ${message}`, code);
  return hint === undefined ? problem : { ...problem, hint };
}

function badPredicate(where: string, why: string, code = "bad-where"): Problem {
  return {
    code: code === "query-failed" ? "bad-where" : code,
    message: `The predicate \`${where}\` cannot be used: ${why.replace(/\.$/, "")}.`,
    hint: "A predicate is one SQL expression over the columns of the compared rows, e.g. origin = 'DEN'.",
  };
}

const failure = z.object({ error: z.literal(true), error_message: z.string().optional() });
const singleExpression = z.object({
  error: z.literal(false),
  statements: z.tuple([
    z.object({
      node: z.object({
        type: z.literal("SELECT_NODE"),
        select_list: z.tuple([z.unknown()]),
        from_table: z.object({ type: z.literal("EMPTY") }),
        where_clause: z.null(),
        group_expressions: z.tuple([]),
        having: z.null(),
        qualify: z.null(),
        sample: z.null(),
        modifiers: z.tuple([]),
      }),
    }),
  ]),
});
