/**
 * What went wrong, said as an instruction: what failed, where, and what to do next.
 * `message` is one or two sentences for a person; `hint` is the way out.
 * `code` is stable (`kebab-case`), for programs.
 */
export type Problem = {
  code: string;
  message: string;
  hint?: string;
  at?: { file?: string; cell?: string; line?: number; column?: number; offset?: number };
};

/** What the world does is returned; only bugs are thrown. */
export type Result<T> = { ok: true; value: T } | { ok: false; problem: Problem };

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function fail(problem: Problem): { ok: false; problem: Problem } {
  return { ok: false, problem };
}

/** Carries a `Problem` through code that can only throw (streams, callbacks). Caught at the edge. */
export class ProblemError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** The value, or a thrown `ProblemError`. For edges that report every problem the same way. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new ProblemError(result.problem);
}
