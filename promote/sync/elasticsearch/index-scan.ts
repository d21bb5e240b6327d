import { z } from "zod";
import type { TypedColumn } from "../identity.ts";
import type { StoredRow } from "../ports.ts";
import type { Client } from "./client.ts";
import { fieldOf, OWN } from "./field-names.ts";

const PAGE = 2000;
const KEEP_ALIVE = "2m";

const opened = z.object({ id: z.string() });
const page = z.object({
  pit_id: z.string(),
  hits: z.object({
    hits: z.array(
      z.object({ _source: z.record(z.string(), z.unknown()), sort: z.array(z.unknown()) }),
    ),
  }),
});
const own = z.object({
  key: z.array(z.unknown()),
  part: z.int(),
  version: z.string(),
  topic: z.string(),
  partition: z.int(),
  offset: z.int(),
  deleted: z.boolean().exactOptional(),
});

/**
 * Every document and tombstone of an index, as of now: refreshed first, then read from a point in time, so that writes meanwhile
 * neither hide a row nor show it twice. What JSON numbers cannot hold is text in `_source`: nothing is rounded on the way.
 */
export async function* scanIndex(
  client: Client,
  index: string,
  columns: readonly TypedColumn[],
): AsyncGenerator<StoredRow> {
  await client.transport.request({ method: "POST", path: `/${index}/_refresh` });
  const fields = columns.map(({ name }) => [name, fieldOf(name)] as const);
  let { id } = opened.parse(
    await client.transport.request({
      method: "POST",
      path: `/${index}/_pit`,
      querystring: { keep_alive: KEEP_ALIVE },
    }),
  );
  try {
    for (let after: unknown[] | undefined; ;) {
      const { pit_id, hits } = page.parse(
        await client.transport.request({
          method: "POST",
          path: "/_search",
          body: {
            size: PAGE,
            pit: { id, keep_alive: KEEP_ALIVE },
            sort: ["_shard_doc"],
            track_total_hits: false,
            ...(after === undefined ? {} : { search_after: after }),
          },
        }),
      );
      id = pit_id;
      for (const { _source } of hits.hits) yield storedRow(_source, fields);
      after = hits.hits.at(-1)?.sort;
      if (after === undefined) return;
    }
  } finally {
    await client.transport.request({ method: "DELETE", path: "/_pit", body: { id } });
  }
}

function storedRow(
  source: Record<string, unknown>,
  fields: readonly (readonly [name: string, field: string])[],
): StoredRow {
  const { deleted, version, ...position } = own.parse(source[OWN]);
  return {
    ...position,
    version: BigInt(version),
    values:
      deleted === true
        ? null
        : Object.fromEntries(fields.map(([name, field]) => [name, source[field] ?? null])),
  };
}
