import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Client, UndiciConnection, type ClientOptions } from "@elastic/elasticsearch";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import { readSecret, type ElasticsearchConnection, type Surroundings } from "../connections.ts";

export type { Client } from "@elastic/elasticsearch";

const REQUEST_TIMEOUT_MS = 30_000;

/** One whose end waits for no answer: what is still asked fails. */
class Connection extends UndiciConnection {
  override async close(): Promise<void> {
    await this.pool.destroy();
  }
}

/**
 * One request per call: retries are retry.ts's, sniffing would leave the addresses a person gave. A column may be called `__proto__`,
 * which the client would refuse to read: with its protection off, JSON.parse makes it a field like any other.
 */
export function openClient(
  connection: ElasticsearchConnection,
  surroundings: Surroundings,
): Result<Client> {
  const auth = authOf(connection, surroundings);
  if (!auth.ok) return auth;
  const tls = tlsOf(connection, surroundings);
  if (!tls.ok) return tls;
  return ok(
    new Client({
      Connection,
      nodes: connection.nodes,
      maxRetries: 0,
      requestTimeout: REQUEST_TIMEOUT_MS,
      sniffOnStart: false,
      sniffOnConnectionFault: false,
      compression: connection.compression ?? false,
      disablePrototypePoisoningProtection: true,
      ...auth.value,
      ...tls.value,
    }),
  );
}

function authOf(
  { username, password, apiKey }: ElasticsearchConnection,
  surroundings: Surroundings,
): Result<Pick<ClientOptions, "auth">> {
  if (apiKey !== undefined) {
    const secret = readSecret(apiKey, surroundings);
    return secret.ok ? ok({ auth: { apiKey: secret.value } }) : secret;
  }
  if (username === undefined || password === undefined) return ok({});
  const secret = readSecret(password, surroundings);
  return secret.ok ? ok({ auth: { username, password: secret.value } }) : secret;
}

function tlsOf(
  { tls }: ElasticsearchConnection,
  { root }: Surroundings,
): Result<Pick<ClientOptions, "tls">> {
  if (typeof tls === "boolean") return ok({});
  const files: Record<string, Buffer> = {};
  for (const [name, path] of [
    ["ca", tls.ca],
    ["cert", tls.certificate],
    ["key", tls.key],
  ] as const) {
    if (path === undefined) continue;
    try {
      files[name] = readFileSync(resolve(root, path));
    } catch (cause) {
      return fail({
        code: "tls-file",
        message: `The file ${path}, which the Elasticsearch connection names under tls, cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
        hint: "Paths are relative to the workspace. Put the file there, or correct the path.",
      });
    }
  }
  return ok({ tls: files });
}
