import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { ProblemError, type Problem } from "#snapshots/problem.ts";

/** Which status a problem's code asks for; the first pattern that fits. What the world refuses is 422. */
const statuses: [RegExp, ContentfulStatusCode][] = [
  [/^bad-request$|^bad-json$/, 400],
  [/^body-too-large$/, 413],
  [/not-found$|^no-such-|^no-notebook$|-unknown$|-not-running$/, 404],
  [/conflict|-exists$|-in-use$|-busy$|-held$|-missing$|^evidence-fails$/, 409],
  [/^internal/, 500],
];

export function statusOf(problem: Problem): ContentfulStatusCode {
  return statuses.find(([pattern]) => pattern.test(problem.code))?.[1] ?? 422;
}

/** Anything thrown as a problem. A bug is one too: its message for the page, its stack for the server's own log. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof HTTPException) {
    const code = error.status === 413 ? "body-too-large" : "bad-request";
    return { code, message: error.message || "The request cannot be read.", hint: "Correct it." };
  }
  console.error(error);
  return {
    code: "internal",
    message: `Penstock itself failed: ${error instanceof Error ? error.message : String(error)}.`,
    hint: "The server's terminal shows more. Please report it.",
  };
}

/** Hono's `onError`: every failure leaves as `{ problem }` with the status its code asks for. */
export function refuse(error: unknown, c: Context): Response {
  const problem = problemOf(error);
  return c.json({ problem }, error instanceof HTTPException ? error.status : statusOf(problem));
}
