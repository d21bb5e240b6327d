import { readFileSync } from "node:fs";
import { isMap, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { fail, ok, type Result } from "./problem.ts";

/**
 * Reads one of the workspace's YAML files through its schema. `file` is the path shown in problems.
 * What is wrong in the file is a Problem with its line and column; the file's being absent is `not-found`.
 */
export function readYaml<Schema extends z.ZodType>(
  path: string,
  file: string,
  schema: Schema,
): Result<z.infer<Schema>> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return reason === "ENOENT"
      ? fail({ code: "not-found", message: `There is no ${file}.`, at: { file } })
      : fail({ code: "unreadable", message: `${file} cannot be read (${reason}).`, at: { file } });
  }
  return parseYaml(text, file, schema);
}

/** As `readYaml`, for a text at hand. */
export function parseYaml<Schema extends z.ZodType>(
  text: string,
  file: string,
  schema: Schema,
): Result<z.infer<Schema>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: "error" });
  const [syntax] = document.errors;
  if (syntax) {
    const { line, col } = lines.linePos(syntax.pos[0]);
    return fail({
      code: "yaml-syntax",
      message: `${file} is not valid YAML: ${syntax.message.split("\n")[0] ?? ""}`,
      at: { file, line, column: col },
    });
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Aliases that lead nowhere, or that blow a short file up without measure.
    return fail({
      code: "yaml-syntax",
      message: `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
      hint: "Write out what its aliases (*name) stand for.",
      at: { file, line: 1 },
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).filter((step) => typeof step !== "symbol");
  const { line, col } = lines.linePos(offsetOf(document, path));
  return fail({
    code: "bad-file",
    message: `${file}: ${path.length > 0 ? `\`${path.join(".")}\`: ` : ""}${issue?.message ?? "not as expected"}.`,
    hint: "Correct the file; docs show the fields it may have.",
    at: { file, line, column: col },
  });
}

/** Where the value at `path` stands; where it is absent, its nearest parent. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: (string | number)[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = document.getIn(path.slice(0, length - 1), true) ?? document.contents;
    const step = path[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => String(item.key) === String(step));
      const key = pair?.key;
      if (hasRange(key)) return key.range[0];
    }
    const node = document.getIn(path.slice(0, length), true);
    if (hasRange(node)) return node.range[0];
  }
  return 0;
}

function hasRange(node: unknown): node is { range: [number, number, number] } {
  return typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range);
}
