import { z } from "zod";
import { ProblemError, type Problem } from "../problem.ts";

const duckdbError = z.object({
  exception_type: z.string(),
  exception_message: z.string(),
  position: z.string().optional(),
});

const hints: Record<string, string> = {
  Permission:
    "A query reads the tables it is given and nothing else: no files, no network, no other databases.",
  "Out of Memory": "Filter or aggregate earlier, or select fewer columns.",
};

/**
 * What DuckDB (with `errors_as_json`) says, as a Problem. `sql` is the user's text and `prefixBytes` how much of ours stood before it,
 * so that the place is the user's.
 */
export function problemOf(error: unknown, sql?: string, prefixBytes = 0): Problem {
  if (error instanceof ProblemError) return error.problem;
  const text = error instanceof Error ? error.message : String(error);
  const parsed = parse(text);
  if (parsed === undefined) return { code: "query-failed", message: firstLines(text) };
  const type = parsed.exception_type;
  const [message = "", ...rest] = parsed.exception_message.split("\n");
  const hint = hints[type] ?? (rest.join(" ").trim() || undefined);
  const at = place(sql, parsed.position, prefixBytes);
  return {
    code:
      type === "Permission"
        ? "query-outside"
        : type === "Out of Memory"
          ? "query-memory"
          : "query-failed",
    message: message.replace(
      / - file system operations are disabled by configuration$/,
      ": a query may not touch files",
    ),
    ...(hint === undefined ? {} : { hint }),
    ...(at === undefined ? {} : { at }),
  };
}

function parse(text: string): z.infer<typeof duckdbError> | undefined {
  const start = text.indexOf("{");
  if (start === -1) return undefined;
  try {
    return duckdbError.parse(JSON.parse(text.slice(start)));
  } catch {
    return undefined;
  }
}

function place(
  sql: string | undefined,
  position: string | undefined,
  prefixBytes: number,
): Problem["at"] {
  if (sql === undefined || position === undefined) return undefined;
  const bytes = Buffer.from(sql);
  const offset = Number(position) - prefixBytes;
  if (!(offset >= 0 && offset <= bytes.length)) return undefined;
  const before = bytes.subarray(0, offset).toString("utf8");
  const line = before.split("\n").length;
  return {
    line,
    column: before.length - (before.lastIndexOf("\n") + 1) + 1,
    offset: before.length,
  };
}

function firstLines(text: string): string {
  return text.split("\n").slice(0, 3).join(" ");
}
