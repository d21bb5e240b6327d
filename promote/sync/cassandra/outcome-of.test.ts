import { errors, types } from "cassandra-driver";
import { expect, test } from "vitest";
import { isUnprepared, outcomeOf } from "./outcome-of.ts";

const codes = types.responseErrorCodes;
const server = (code: number, message = "said the server") =>
  new errors.ResponseError(code, message);
const socket = Object.assign(new Error("read ECONNRESET"), { isSocketError: true });

// What a server on one machine cannot be brought to say; the rest is in test/servers/cassandra-*.test.ts.
test.each([
  ["write timeout", server(codes.writeTimeout), "retryAfter", "sink-unavailable"],
  ["write failure", server(codes.writeFailure), "retryAfter", "sink-unavailable"],
  ["unavailable", server(codes.unavailableException), "retryAfter", "sink-unavailable"],
  ["overloaded", server(codes.overloaded), "retryAfter", "sink-unavailable"],
  ["bootstrapping", server(codes.isBootstrapping), "retryAfter", "sink-unavailable"],
  [
    "no answer in time",
    new errors.OperationTimedOutError("12 s"),
    "retryAfter",
    "sink-unavailable",
  ],
  [
    "too many requests",
    new errors.BusyConnectionError("h", 1, 1),
    "retryAfter",
    "sink-unavailable",
  ],
  ["a connection lost", socket, "retryAfter", "sink-unavailable"],
  ["no host", new errors.NoHostAvailableError({ h: socket }), "retryAfter", "sink-unavailable"],
  ["no host that knows the password", new errors.NoHostAvailableError({ h: new errors.AuthenticationError("bad") }), "halt", "sink-forbidden"], // prettier-ignore
  ["a wrong password", new errors.AuthenticationError("bad"), "halt", "sink-forbidden"],
  ["bad credentials", server(codes.badCredentials), "halt", "sink-forbidden"],
  ["unauthorized", server(codes.unauthorized), "halt", "sink-forbidden"],
  ["rights that cannot be looked up now", server(codes.unauthorized, "Unable to perform authorization of permissions: no answer"), "retryAfter", "sink-unavailable"], // prettier-ignore
  ["syntax", server(codes.syntaxError), "halt", "sink-failed"],
  [
    "a table that is not there",
    server(codes.invalid, "table t does not exist"),
    "halt",
    "sink-failed",
  ],
  ["a guardrail on timestamps", server(codes.invalid, "Guardrail maximum_timestamp violated"), "halt", "sink-failed"], // prettier-ignore
  ["what nobody has seen", new Error("odd"), "halt", "sink-failed"],
])("%s", (_, cause, kind, code) => {
  expect(outcomeOf(cause, "table")).toMatchObject({ kind, problem: { code } });
});

test.each([
  "Key may not be empty",
  "Key length of 70000 is longer than maximum of 65535",
  "String didn't validate.",
  "Request is too big: length 17825870 exceeds maximum allowed length 16777216.",
  "Guardrail column_value_size violated: Value of column 'note' has size 2KiB, this exceeds the failure threshold of 1KiB.",
  "Rejected an oversized mutation (17000000/16777216) for keyspace: k. Top keys are: t.a",
])("a value is refused: %s", (message) => {
  expect(outcomeOf(server(codes.invalid, message), "table")).toEqual({
    kind: "reject",
    reason: `Cassandra refuses it: ${message}`,
  });
});

test("a host that lost the statement is told apart from one that is away", () => {
  const unprepared = new errors.NoHostAvailableError({ h: server(codes.unprepared) });
  expect(isUnprepared(unprepared)).toBe(true);
  expect(isUnprepared(new errors.NoHostAvailableError({ h: socket }))).toBe(false);
});
