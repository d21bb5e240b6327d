import { errors, types } from "cassandra-driver";
import type { Problem } from "#snapshots/problem.ts";
import type { Outcome } from "../ports.ts";

/** Native Protocol v4, section 9. */
const OVERLOADED: number = types.responseErrorCodes.overloaded;
const UNPREPARED: number = types.responseErrorCodes.unprepared;
const codes = types.responseErrorCodes;

const TRANSIENT = new Set<number>([
  codes.unavailableException,
  codes.overloaded,
  codes.isBootstrapping,
  codes.truncateError,
  codes.writeTimeout,
  codes.readTimeout,
  codes.readFailure,
  codes.writeFailure,
]);
const FORBIDDEN = new Set<number>([codes.badCredentials, codes.unauthorized]);

/** Cassandra's words (5.0.9) for a value, not a statement, that it refuses. Everything else it calls invalid is for a person. */
const REFUSED =
  /^(Key may not be empty|Key length of|String didn't validate|Request is too big|Expected \d+ or 0 byte|Guardrail column_value_size violated)|oversized mutation|is too large for the maximum size/i;

/** What an error of the driver means for the operation it befell. A table that was dropped shows as `isUnprepared`. */
export function outcomeOf(cause: unknown, sink: string): Outcome {
  const message = messageOf(cause);
  const problem = (code: string, hint: string): Problem => ({
    code,
    message: `The sink ${sink} could not be written: ${message}`,
    hint,
  });
  if (innerErrors(cause).some(isForbidden))
    return {
      kind: "halt",
      problem: problem(
        "sink-forbidden",
        "Give the role of this connection MODIFY and SELECT on the keyspace, then resume the pipeline.",
      ),
    };
  if (isTransient(cause))
    return {
      kind: "retryAfter",
      afterMs: codeOf(cause) === OVERLOADED ? 500 : 100,
      problem: problem(
        "sink-unavailable",
        "It is tried again and goes on by itself once Cassandra answers.",
      ),
    };
  if (REFUSED.test(message)) return { kind: "reject", reason: `Cassandra refuses it: ${message}` };
  return {
    kind: "halt",
    problem: problem(
      "sink-failed",
      "Mend what the message names, then resume the pipeline; nothing was lost.",
    ),
  };
}

export function isForbidden(cause: unknown): boolean {
  if (isUndecided(cause)) return false;
  return cause instanceof errors.AuthenticationError || FORBIDDEN.has(codeOf(cause));
}

/** Cassandra's words (5.0.9) where the tables of roles and rights could not be read: nothing was refused yet. */
function isUndecided(cause: unknown): boolean {
  return messageOf(cause).startsWith("Unable to perform auth");
}

function isTransient(cause: unknown): boolean {
  if (cause instanceof errors.NoHostAvailableError || isUndecided(cause)) return true;
  if (cause instanceof errors.ResponseError) return TRANSIENT.has(cause.code);
  return (
    cause instanceof errors.OperationTimedOutError ||
    cause instanceof errors.BusyConnectionError ||
    (cause instanceof Error && Reflect.get(cause, "isSocketError") === true)
  );
}

/** No host knows the statement and none could prepare it: the table is gone or another, or the host was not up to it. */
export function isUnprepared(cause: unknown): boolean {
  return innerErrors(cause).some((error) => codeOf(error) === UNPREPARED);
}

export function innerErrors(cause: unknown): unknown[] {
  return cause instanceof errors.NoHostAvailableError
    ? Object.values(Object(cause.innerErrors))
    : [cause];
}

function codeOf(cause: unknown): number {
  return cause instanceof errors.ResponseError ? cause.code : -1;
}

/** The first line of the most particular message. */
export function messageOf(cause: unknown): string {
  const [first = cause] = innerErrors(cause).filter((error) => error instanceof Error);
  const message = first instanceof Error ? first.message : String(first);
  return message.split("\n")[0] ?? message;
}
