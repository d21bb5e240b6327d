import { errors } from "cassandra-driver";
import type { Problem } from "#snapshots/problem.ts";
import { isTlsRefusal } from "../tls-refusal.ts";
import { innerErrors, isForbidden, messageOf } from "./outcome-of.ts";

/** Why there is no connection: waiting helps against an absent or busy Cassandra, not against a refused login or a wrong setting. */
export function connectProblem(
  sink: string,
  contactPoints: readonly string[],
  cause: unknown,
): Problem {
  const where = `Cassandra at ${contactPoints.join(", ")}`;
  const causes = innerErrors(cause);
  const refused = causes.find(isForbidden);
  if (refused !== undefined)
    return {
      code: "sink-forbidden",
      message: `${where} does not let the sink ${sink} in: ${messageOf(refused)}`,
      hint: "Set cassandra.username and cassandra.password (the environment variable that holds it) in environments/*.yaml to a role that may log in, then resume the pipeline; a variable is read when Penstock starts.",
    };
  if (causes.length > 0 && causes.every(isTlsRefusal))
    return {
      code: "sink-tls",
      message: `The sink ${sink} and ${where} do not come to terms over TLS: ${messageOf(cause)}`,
      hint: "Set cassandra.tls in environments/*.yaml as its nodes have it: false where they speak without, else the ca that signed their certificates, which have to name their addresses. Then resume the pipeline.",
    };
  const wrong = causes.find((inner) => inner instanceof errors.ArgumentError);
  if (wrong !== undefined)
    return {
      code: "sink-misconfigured",
      message: `The sink ${sink} cannot connect to ${where} as it is told to: ${messageOf(wrong)}`,
      hint: "Set cassandra.localDataCenter in environments/*.yaml to the name of a data centre as Cassandra has it (nodetool status), then resume the pipeline.",
    };
  return {
    code: "sink-unreachable",
    message: `The sink ${sink} cannot reach ${where}: ${messageOf(cause)}`,
    hint: "It is tried again and goes on by itself once Cassandra answers there.",
  };
}
