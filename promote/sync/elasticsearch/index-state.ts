import { z } from "zod";
import type { Client } from "./client.ts";
import type { IndexNames } from "./index-names.ts";

/** Kept in a mapping's `_meta`: whose the index is, and which column each field holds. */
const meta = z.object({
  penstock: z.object({
    format: z.literal(1),
    owner: z.string(),
    key: z.array(z.object({ name: z.string(), type: z.string() })),
    routing: z.string().nullable(),
    columns: z.array(z.object({ name: z.string(), type: z.string(), field: z.string() })),
  }),
});
export type IndexMeta = z.infer<typeof meta>["penstock"];

const indices = z.record(
  z.string(),
  z.object({
    aliases: z.record(z.string(), z.object({ filter: z.unknown().optional() })),
    mappings: z.object({ _meta: z.unknown().optional() }),
    settings: z.object({
      index: z.object({
        number_of_replicas: z.string(),
        auto_expand_replicas: z.string().default("false"),
        translog: z.object({ durability: z.string() }).partial().optional(),
        mapping: z
          .object({ total_fields: z.object({ limit: z.string() }).partial() })
          .partial()
          .optional(),
      }),
    }),
  }),
);

const templates = z.object({
  index_templates: z.array(
    z.object({ index_template: z.object({ _meta: z.unknown().optional() }) }),
  ),
});

/** One index of a sink. */
export type Generation = {
  number: number;
  index: string;
  /** Undefined: not made by Penstock. */
  meta: IndexMeta | undefined;
  /** What people read. */
  isRead: boolean;
  readFilter: unknown;
  isWritable: boolean;
  /** Undefined where Elasticsearch counts them by its nodes. */
  replicas: number | undefined;
  durability: string;
  fieldLimit: number;
};

export type IndexState = {
  /** Newest first. */
  generations: Generation[];
  /** Indices that go by the sink's name and are none of its generations. */
  strangers: string[];
  /** The index template of the sink's name, where there is one. */
  template: { meta: unknown } | undefined;
};

export async function readIndexState(client: Client, names: IndexNames): Promise<IndexState> {
  const found = await client.transport.request({
    method: "GET",
    path: `/${names.read},${names.pattern}`,
    querystring: { ignore_unavailable: true, expand_wildcards: "all" },
  });
  const generations: Generation[] = [];
  const strangers: string[] = [];
  for (const [index, { aliases, mappings, settings }] of Object.entries(indices.parse(found))) {
    const number = names.numberOf(index);
    const read = aliases[names.read];
    if (number === undefined) {
      if (index === names.read || read !== undefined) strangers.push(index);
      continue;
    }
    const parsed = meta.safeParse(mappings._meta);
    generations.push({
      number,
      index,
      meta: parsed.success ? parsed.data.penstock : undefined,
      isRead: read !== undefined,
      readFilter: read?.filter,
      isWritable: aliases[names.writeAlias(number)] !== undefined,
      replicas:
        settings.index.auto_expand_replicas === "false"
          ? Number(settings.index.number_of_replicas)
          : undefined,
      durability: settings.index.translog?.durability ?? "request",
      fieldLimit: Number(settings.index.mapping?.total_fields?.limit ?? 1000),
    });
  }
  return {
    generations: generations.toSorted((a, b) => b.number - a.number),
    strangers,
    template: await readTemplate(client, names),
  };
}

async function readTemplate(
  client: Client,
  { template }: IndexNames,
): Promise<IndexState["template"]> {
  const found = await client.transport.request(
    { method: "GET", path: `/_index_template/${template}` },
    { ignore: [404] },
  );
  const parsed = templates.safeParse(found);
  const [there] = parsed.success ? parsed.data.index_templates : [];
  return there === undefined ? undefined : { meta: there.index_template._meta };
}
