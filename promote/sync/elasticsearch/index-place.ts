import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { ElasticsearchConnection, Surroundings } from "../connections.ts";
import { typedColumns } from "../values/identity.ts";
import type { SinkContract } from "../ports.ts";
import { openClient, type Client } from "./client.ts";
import { problemOf } from "./failures.ts";
import { indexNames, type IndexNames } from "./index-names.ts";
import type { IndexWish } from "./index-plan.ts";

export type ElasticsearchSinkOptions = {
  name: string;
  /** Whose the index is, `environment:pipeline`: another owner is refused. */
  owner: string;
  connection: ElasticsearchConnection;
  surroundings: Surroundings;
  /** Without the connection's prefix. */
  index: string;
  /** A column of the identity whose value places a document on its shard. */
  routing?: string;
  /** A DATE or TIMESTAMP column: rows whose moment has passed are no longer read through the alias. */
  expiresAt?: string;
};

/** A sink's index and the client that reaches it. */
export type IndexPlace = { client: Client; names: IndexNames; options: ElasticsearchSinkOptions };

export function openPlace(options: ElasticsearchSinkOptions): Result<IndexPlace> {
  const names = indexNames(options.connection.prefix, options.index);
  if (!names.ok) return names;
  const client = openClient(options.connection, options.surroundings);
  return client.ok ? ok({ client: client.value, names: names.value, options }) : client;
}

export function wishOf({ names, options }: IndexPlace, contract: SinkContract): Result<IndexWish> {
  const key = typedColumns(contract.key);
  if (!key.ok) return key;
  const columns = typedColumns(contract.columns);
  if (!columns.ok) return columns;
  return ok({
    owner: options.owner,
    names,
    key: key.value,
    columns: columns.value,
    routing: options.routing,
    expiresAt: options.expiresAt,
    replicas: options.connection.replicas,
  });
}

/** What Elasticsearch refuses, or cannot be reached for, as a problem. */
export async function attempt<T>(
  { options }: Pick<IndexPlace, "options">,
  doing: string,
  body: () => Promise<T>,
): Promise<Result<T>> {
  try {
    return ok(await body());
  } catch (cause) {
    return fail(problemOf(cause, doing, options.name));
  }
}
