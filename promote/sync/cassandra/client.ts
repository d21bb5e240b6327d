import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  auth,
  Client,
  policies,
  types,
  type ClientOptions,
  type DseClientOptions,
} from "cassandra-driver";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { readSecret, type CassandraConnection, type Surroundings } from "../connections.ts";
import { connectProblem } from "./connect-problem.ts";

/** Takes what the driver warns of. */
export type Log = (level: "warning" | "error", message: string) => void;

export async function connectClient(
  sink: string,
  connection: CassandraConnection,
  surroundings: Surroundings,
  log: Log | undefined,
): Promise<Result<Client>> {
  const made = makeClient(connection, surroundings);
  if (!made.ok) return made;
  const client = made.value;
  client.on("log", (level: string, _source: string, message: string) => {
    if (level === "warning" || level === "error") log?.(level, message);
  });
  try {
    await client.connect();
    return made;
  } catch (cause) {
    await client.shutdown();
    return fail(connectProblem(sink, connection.contactPoints, cause));
  }
}

function makeClient(connection: CassandraConnection, surroundings: Surroundings): Result<Client> {
  const credentials = authentication(connection, surroundings);
  if (!credentials.ok) return credentials;
  const secured = tlsOptions(connection, surroundings);
  if (!secured.ok) return secured;
  const options: DseClientOptions = {
    contactPoints: connection.contactPoints,
    localDataCenter: connection.localDataCenter,
    applicationName: "penstock",
    // Nothing but effects that carry their own versions goes through it: a statement sent twice is the same statement.
    queryOptions: {
      prepare: true,
      isIdempotent: true,
      consistency: types.consistencies[connection.consistency],
      serialConsistency: serialConsistencyOf(connection),
    },
    policies: {
      // Retries are the caller's (retry.ts).
      retry: new policies.retry.FallthroughRetryPolicy(),
      // The driver's own waits up to ten minutes for a node that is back long since.
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(200, 10_000, true),
    },
    // Requests that are ready together go in one write to the socket; 8 kB, the driver's own bound, is forty rows.
    socketOptions: { coalescingThreshold: 1 << 16 },
    // The driver's own bound, 2048, is what the sink's batches send at once; what else is asked wants room, too.
    pooling: { maxRequestsPerConnection: 4096 },
    encoding: { useBigIntAsLong: true, useBigIntAsVarint: true },
    monitorReporting: { enabled: false },
    ...credentials.value,
    ...secured.value,
  };
  return ok(new Client(options));
}

export function serialConsistencyOf({ consistency }: CassandraConnection): types.consistencies {
  return consistency.startsWith("local")
    ? types.consistencies.localSerial
    : types.consistencies.serial;
}

function authentication(
  { username, password }: CassandraConnection,
  surroundings: Surroundings,
): Result<Pick<ClientOptions, "authProvider">> {
  if (username === undefined || password === undefined) return ok({});
  const secret = readSecret(password, surroundings);
  if (!secret.ok) return secret;
  return ok({ authProvider: new auth.PlainTextAuthProvider(username, secret.value) });
}

function tlsOptions(
  { tls }: CassandraConnection,
  { root }: Surroundings,
): Result<Pick<ClientOptions, "sslOptions">> {
  if (tls === false) return ok({});
  if (tls === true) return ok({ sslOptions: { rejectUnauthorized: true } });
  const files = Object.entries({ ca: tls.ca, cert: tls.certificate, key: tls.key });
  const read: [string, Buffer][] = [];
  for (const [name, path] of files) {
    if (path === undefined) continue;
    const bytes = readCertificate(resolve(root, path));
    if (bytes === undefined)
      return fail({
        code: "certificate-missing",
        message: `The file ${path}, which an environment's file names for Cassandra's TLS, cannot be read.`,
        hint: "Put the file there, or name another in environments/*.yaml.",
        at: { file: path },
      });
    read.push([name, bytes]);
  }
  return ok({ sslOptions: { rejectUnauthorized: true, ...Object.fromEntries(read) } });
}

function readCertificate(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
