import { Client } from "@elastic/elasticsearch";
import type { ElasticsearchConnection } from "#promote/sync/connections.ts";
import type { Flight } from "./bare-flight.ts";

const DOCUMENTS = 4000;
const IN_FLIGHT = 2;
const STALE = 409;

type Answer = { errors: boolean; items: { index: { status: number } }[] };

/** Documents under the flight's number and offset (`external_gte`), in NDJSON of our own, two requests at a time. */
export type BareIndex = {
  write(flights: readonly Flight[]): Promise<void>;
  close(): Promise<void>;
};

export async function openBareIndex(
  { nodes, prefix }: ElasticsearchConnection,
  name: string,
): Promise<BareIndex> {
  const client = new Client({ nodes });
  const index = `${prefix}bare-${name}`;
  const long = { type: "long" } as const;
  const keyword = { type: "keyword" } as const;
  await client.indices.create({
    index,
    settings: { number_of_shards: 1, number_of_replicas: 0 },
    mappings: {
      dynamic: "strict",
      properties: {
        id: long,
        date: { type: "date" },
        delay: long,
        distance: long,
        origin: keyword,
        destination: keyword,
        late: { type: "boolean" },
        deleted: { type: "boolean" },
      },
    },
  });

  async function send(flights: readonly Flight[]): Promise<void> {
    const lines = flights.map(
      ({ id, version, row }) =>
        `{"index":{"_id":"${id}","version":${version},"version_type":"external_gte"}}\n${row === null ? '{"deleted":true}' : JSON.stringify(row)}\n`,
    );
    const answer = await client.transport.request<Answer>({
      method: "POST",
      path: `/${index}/_bulk`,
      querystring: { filter_path: "errors,items.*.status" },
      bulkBody: lines.join(""),
    });
    if (
      answer.errors &&
      answer.items.some(({ index: { status } }) => status >= 300 && status !== STALE)
    )
      throw new Error("Elasticsearch refused documents of the bare loop");
  }

  return {
    async write(flights) {
      let next = 0;
      const lane = async (): Promise<void> => {
        while (next < flights.length) {
          const from = next;
          next += DOCUMENTS;
          await send(flights.slice(from, from + DOCUMENTS));
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
    },
    close: () => client.close(),
  };
}
