import { visibleLines } from "#promote/report/value.ts";
import { ProblemError, type Problem } from "#snapshots/problem.ts";
import { paint } from "./paint.ts";

/** A check that was made and failed; everything else that goes wrong could not be done. */
const failedChecks = new Set(["approval-missing", "evidence-fails", "findings-unjudged"]);

/** Says what went wrong and how to go on; a stack only for a bug, and only where DEBUG is set. Returns the exit code. */
export function explain(error: unknown, { asJson }: { asJson: boolean }): 1 | 2 {
  const problem = problemOf(error);
  if (asJson) process.stdout.write(`${JSON.stringify({ problem }, null, 2)}\n`);
  process.stderr.write(`${problemText(problem)}\n`);
  if (process.env["DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return failedChecks.has(problem.code) ? 1 : 2;
}

/** Message, place and hint, a line each; a name in them cannot drive the terminal. */
export function problemText({ message, hint, at }: Problem, sign = "penstock:"): string {
  const place = at ? placeText(at) : "";
  return [
    `${paint("red", sign, process.stderr)} ${visibleLines(message)}`,
    ...(place && !message.includes(place) ? [`  at ${visibleLines(place)}`] : []),
    ...(hint ? [`  ${visibleLines(hint)}`] : []),
  ].join("\n");
}

export function placeText({
  file,
  cell,
  line,
  column,
  offset,
}: NonNullable<Problem["at"]>): string {
  const lines = line === undefined ? "" : column === undefined ? `:${line}` : `:${line}:${column}`;
  const where = file ? `${file}${lines}` : lines ? `line ${lines.slice(1)}` : "";
  return [
    where,
    !file && cell ? `cell ${cell}` : "",
    offset === undefined ? "" : `offset ${offset}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof Error && error.name === "AbortError") {
    return { code: "cancelled", message: "Cancelled." };
  }
  return {
    code: "internal",
    message: `Penstock itself failed: ${error instanceof Error ? error.message : String(error)}`,
    hint: "Set DEBUG=1 to see where, and please report it.",
  };
}
