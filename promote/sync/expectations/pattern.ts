import { RE2JS } from "re2js";
import { fail, ok, type Result } from "#snapshots/problem.ts";

/**
 * Whether the whole text matches, in RE2's syntax (no look-around, no back-references) and in time linear in the text: a backtracking
 * expression over a stream's values could stop the pipeline for hours.
 */
export function compilePattern(regex: string): Result<(text: string) => boolean> {
  try {
    const compiled = RE2JS.compile(regex);
    return ok((text) => compiled.matches(text));
  } catch (cause) {
    return fail({
      code: "bad-pattern",
      message: `The pattern ${regex} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}.`,
      hint: "Patterns are RE2's (https://github.com/google/re2/wiki/Syntax): no look-around, no back-references, repeats up to 1000.",
    });
  }
}
