import { errors } from "@elastic/elasticsearch";
import { z } from "zod";
import type { Problem } from "#snapshots/problem.ts";
import type { TypedColumn } from "../values/identity.ts";
import { openPaging } from "../paging.ts";
import type { StoredRow } from "../ports.ts";
import type { Client } from "./client.ts";
import { identityOfId, placesOf, type Identity } from "./document-key.ts";
import { failureOf } from "./failures.ts";
import { fieldOf, OWN } from "./field-names.ts";

const KEEP_ALIVE = "2m";
/** Of a page that is larger than those before let expect, no more is read than this. */
const LARGEST_PAGE_BYTES = 64 << 20;

const opened = z.object({ id: z.string() });
const hit = z.object({
  _id: z.string(),
  _seq_no: z.int(),
  _primary_term: z.int(),
  _version: z.number(),
  _routing: z.string().exactOptional(),
  _source: z.record(z.string(), z.unknown()),
  sort: z.array(z.unknown()),
});
const page = z.object({ pit_id: z.string(), hits: z.object({ hits: z.array(hit) }) });
type Hit = z.infer<typeof hit>;

const LARGEST_VERSION = 2n ** 63n - 1n;
const own = z.object({
  key: z.array(z.unknown()),
  part: z.int32().nonnegative(),
  version: z
    .string()
    .regex(/^\d{1,19}$/)
    .transform(BigInt)
    .refine((version) => version <= LARGEST_VERSION),
  topic: z.string(),
  partition: z.int32(),
  offset: z.int(),
  deleted: z.boolean().exactOptional(),
});

/** How a scanned index is keyed, and what its documents hold. */
export type ScanShape = {
  key: readonly TypedColumn[];
  columns: readonly TypedColumn[];
  maxParts: number;
};

/**
 * Every document and tombstone of an index, as of now: refreshed first, then read from a point in time, so that writes meanwhile
 * neither hide a row nor show it twice. What JSON numbers cannot hold is text in `_source`: nothing is rounded on the way.
 * A document that the pipeline did not write as it is now is shown with partition and offset −1 and the version Elasticsearch gave it:
 * under the identity its id stands for, or as a stray where it stands for none.
 */
export async function* scanIndex(
  client: Client,
  index: string,
  shape: ScanShape,
): AsyncGenerator<StoredRow> {
  for await (const hits of pagesOf(client, index)) yield* storedRows(hits, shape);
}

const deletion = z.object({
  items: z.array(
    z.object({ delete: z.object({ status: z.number(), error: z.unknown().optional() }) }),
  ),
});
const GONE_OR_CHANGED = [404, 409];

/** Deletes the documents that a scan shows as strays, unless somebody changes them meanwhile. */
export async function removeStrays(
  client: Client,
  index: string,
  shape: ScanShape,
): Promise<Problem | undefined> {
  for await (const hits of pagesOf(client, index)) {
    const rows = storedRows(hits, shape);
    const strays = hits.filter((_, i) => rows[i]?.stray !== undefined);
    if (strays.length === 0) continue;
    const bulkBody = strays.map(({ _id, _routing, _seq_no, _primary_term }) => ({
      delete: {
        _id,
        if_seq_no: _seq_no,
        if_primary_term: _primary_term,
        ...(_routing === undefined ? {} : { routing: _routing }),
      },
    }));
    const path = `/${index}/_bulk`;
    const { items } = deletion.parse(
      await client.transport.request({ method: "POST", path, bulkBody }),
    );
    const refused = items.find(
      ({ delete: { status } }) => status >= 300 && !GONE_OR_CHANGED.includes(status),
    );
    if (refused !== undefined)
      return {
        code: "elasticsearch-stray",
        message: `Elasticsearch would not delete a document of ${index}: ${JSON.stringify(refused.delete.error)}`,
        hint: "Delete it by hand, or repair again.",
      };
  }
  return undefined;
}

async function* pagesOf(client: Client, index: string): AsyncGenerator<Hit[]> {
  await client.transport.request({ method: "POST", path: `/${index}/_refresh` });
  let { id } = opened.parse(
    await client.transport.request({
      method: "POST",
      path: `/${index}/_pit`,
      querystring: { keep_alive: KEEP_ALIVE },
    }),
  );
  try {
    const paging = openPaging();
    for (let after: unknown[] | undefined; ;) {
      const found = await searched(client, {
        size: paging.rows(),
        pit: { id, keep_alive: KEEP_ALIVE },
        sort: ["_shard_doc"],
        seq_no_primary_term: true,
        version: true,
        track_total_hits: false,
        ...(after === undefined ? {} : { search_after: after }),
      }).catch((cause: unknown) => {
        if (isTooLarge(cause) && paging.halve()) return undefined;
        throw cause;
      });
      if (found === undefined) continue;
      const { pit_id, hits } = found;
      id = pit_id;
      if (hits.hits.length === 0) return;
      paging.came(hits.hits, hits.hits.length);
      yield hits.hits;
      after = hits.hits.at(-1)?.sort;
    }
  } finally {
    // What is not closed closes by itself after a while.
    const closing = client.transport.request({ method: "DELETE", path: "/_pit", body: { id } });
    await closing.catch(() => undefined);
  }
}

async function searched(
  client: Client,
  body: { size: number } & Record<string, unknown>,
): Promise<z.infer<typeof page>> {
  // A single row is read whatever its size.
  const options = body.size === 1 ? {} : { maxResponseSize: LARGEST_PAGE_BYTES };
  return page.parse(
    await client.transport.request({ method: "POST", path: "/_search", body }, options),
  );
}

/** For us, or for Elasticsearch's own memory. */
function isTooLarge(cause: unknown): boolean {
  if (!(cause instanceof errors.ElasticsearchClientError)) return false;
  const { type } = failureOf(cause);
  return type === "RequestAbortedError" || type === "circuit_breaking_exception";
}

function storedRows(hits: readonly Hit[], shape: ScanShape): StoredRow[] {
  const fields = shape.columns.map(({ name }) => [name, fieldOf(name)] as const);
  const owned = hits.map(({ _source }) => own.safeParse(_source[OWN]).data);
  const places = placesOf(
    shape.key,
    owned.map((one) => one ?? NOBODY),
  );
  return hits.map((one, i): StoredRow => {
    const { _id, _source } = one;
    const found = owned[i];
    const place = places[i];
    const values = Object.fromEntries(
      fields.map(([name, field]) => [name, _source[field] ?? null]),
    );
    if (found === undefined || (place !== undefined && place.id !== _id))
      return foreignRow(one, shape, values);
    const { deleted, ...row } = found;
    return { ...row, values: deleted === true ? null : values };
  });
}

const NOBODY: Identity = { key: [], part: 0 };

/**
 * Under the identity its id stands for, where the pipeline's writes and clears reach it: those of as many parts as a record has. Where an id is a
 * hash, the document's own fields may tell.
 */
function foreignRow(
  { _id, _source, _version }: Hit,
  { key: columns, maxParts }: ScanShape,
  values: Record<string, unknown>,
): StoredRow {
  const ownFields = z.object({ deleted: z.unknown() }).safeParse(_source[OWN]);
  const key = columns.map(({ name }) => _source[fieldOf(name)]);
  const candidates = [identityOfId(columns, _id) ?? NOBODY, { key, part: 0 }];
  const places = placesOf(columns, candidates);
  const at = places.findIndex(
    (place, i) => place?.id === _id && (candidates[i]?.part ?? 0) < maxParts,
  );
  const isHidden = ownFields.data?.deleted === true;
  return {
    key: places[at]?.key ?? [],
    part: candidates[at]?.part ?? 0,
    version: exceeding(_version),
    topic: "",
    partition: -1,
    offset: -1,
    values: isHidden ? null : values,
    ...(at === -1 && !isHidden ? { stray: _id } : {}),
  };
}

/** Not below a version that came as a JSON number: beyond 2^53 that is rounded. */
function exceeding(version: number): bigint {
  return (
    BigInt(version) + (Number.isSafeInteger(version) ? 0n : BigInt(Math.ceil(version / 2 ** 53)))
  );
}
