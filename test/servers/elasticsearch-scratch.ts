import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import type { ElasticsearchConnection } from "#promote/sync/connections.ts";
import { openElasticsearchSink } from "#promote/sync/elasticsearch/elasticsearch-sink.ts";
import type { ElasticsearchSinkOptions } from "#promote/sync/elasticsearch/index-place.ts";
import type { Sink } from "#promote/sync/ports.ts";
import { servers } from "./addresses.ts";

export const ELASTICSEARCH = `http://${servers.elasticsearch}`;

/** An index nobody else has, on the real server; `remove` leaves nothing of it. */
export type ScratchIndex = {
  options: ElasticsearchSinkOptions;
  read: string;
  /** A sink that counts what was just written: a search sees a document only after a refresh. */
  open(options?: Partial<ElasticsearchSinkOptions>): Promise<Sink>;
  refresh(): Promise<void>;
  /** Asks the server itself; a string body is sent as it is. */
  ask(method: string, path: string, body?: object): Promise<object>;
  remove(): Promise<void>;
};

export async function scratchIndex(node = ELASTICSEARCH): Promise<ScratchIndex> {
  const prefix = `test-${randomBytes(6).toString("hex")}-`;
  const connection: ElasticsearchConnection = { nodes: [node], prefix, replicas: 0, tls: false };
  const options: ElasticsearchSinkOptions = {
    name: "delays/search",
    owner: "staging:delays",
    connection,
    surroundings: { root: ".", variables: {} },
    index: "flights",
  };
  const read = `${prefix}flights`;
  const refresh = async (): Promise<void> => {
    await ask("POST", `/${read}*/_refresh`);
  };
  return {
    options,
    read,
    refresh,
    ask,
    async open(overrides = {}) {
      const sink = await openElasticsearchSink({ ...options, ...overrides });
      return {
        ...sink,
        async count() {
          await refresh();
          return sink.count();
        },
      };
    },
    // By their names: Elasticsearch deletes nothing by a pattern (action.destructive_requires_name).
    async remove() {
      const indices = Object.keys(await ask("GET", `/${prefix}*?expand_wildcards=all`));
      if (indices.length > 0) await ask("DELETE", `/${indices.join(",")}`);
      await ask("DELETE", `/_index_template/${prefix}*`);
      await ask("DELETE", `/_component_template/${prefix}*`);
      expect(await ask("GET", `/${prefix}*?expand_wildcards=all`)).toEqual({});
    },
  };
}

async function ask(method: string, path: string, body?: object): Promise<object> {
  const response = await fetch(`${ELASTICSEARCH}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const answer: unknown = await response.json();
  return typeof answer === "object" && answer !== null ? answer : {};
}
