import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import { formatType, parseType, type SqlType } from "#snapshots/types.ts";
import type { TypedColumn } from "../values/identity.ts";
import { fieldOf, OWN } from "./field-names.ts";
import type { IndexNames } from "./index-names.ts";
import type { Generation, IndexMeta, IndexState } from "./index-state.ts";
import { fieldCount, holds, propertiesOf } from "./mapping.ts";

/** What a sink wants of its index. */
export type IndexWish = {
  owner: string;
  names: IndexNames;
  key: readonly TypedColumn[];
  columns: readonly TypedColumn[];
  /** The key column whose value places a document on its shard. */
  routing: string | undefined;
  /** The column that says when a row stops being shown. */
  expiresAt: string | undefined;
  replicas: number;
};

export type IndexRequest = { method: "PUT" | "POST"; path: string; body: object };

/** Requests that make or extend what is missing, and the generation that takes the writes. */
export type IndexPlan = { requests: IndexRequest[]; target: number };

/**
 * A contract goes to the newest generation whose mapping holds it, so that a record of an earlier release, delivered again, finds the index that release
 * wrote to. Where none does, a new generation begins: people go on reading the one before until `turnReaders`.
 */
export function planIndex(state: IndexState, wish: IndexWish): Result<IndexPlan> {
  const problem = refusal(state, wish);
  if (problem !== undefined) return fail(problem);
  const { generations } = state;
  const requests = templateRequests(state, wish);
  const target = generations.find((generation) => fits(generation, wish));
  if (target === undefined) {
    const { number, request } = creation(state, wish);
    return ok({ requests: [...requests, request], target: number });
  }
  return ok({
    requests: [
      ...requests,
      ...settingsRequests(target, wish),
      ...mappingRequests(target, wish),
      ...aliasRequests(state, target, wish),
    ],
    target: target.number,
  });
}

const madeHere = z.object({ penstock: z.object({ owner: z.string() }) });

/** Why a wish can never be met by the indices that are there. */
function refusal(state: IndexState, wish: IndexWish): Problem | undefined {
  const { names, owner, key } = wish;
  const stranger = state.strangers[0];
  if (stranger !== undefined)
    return {
      code: "elasticsearch-name-taken",
      message: `The index ${stranger} goes by the name ${names.read}, and Penstock did not make it.`,
      hint: "Give the sink another index name, or take that name off the index.",
    };
  if (state.template !== undefined && !madeHere.safeParse(state.template.meta).success)
    return {
      code: "elasticsearch-name-taken",
      message: `The index template ${names.template} is there already, and Penstock did not make it.`,
      hint: `Give the sink another index name; or put what that template says of the sink's indices into the component template ${names.custom}, and delete it.`,
    };
  for (const { index, meta } of state.generations) {
    if (meta === undefined || meta.owner !== owner)
      return {
        code: "elasticsearch-owner",
        message: `The index ${index} belongs to ${meta === undefined ? "somebody else than Penstock" : `the sink ${meta.owner}`}, not to ${owner}. One pipeline owns an index.`,
        hint: "Give this sink another index name, or delete that index if nobody needs it.",
      };
    if (shape(meta.key) !== shape(key.map(plainColumn)))
      return {
        code: "sink-key-changed",
        message: `The index ${index} is keyed by ${shape(meta.key)}, the release by ${shape(key.map(plainColumn))}.`,
        hint: "Promote a release with the same identity, or give this one an index name of its own.",
      };
  }
  return wishFault(wish);
}

function wishFault({ key, columns, routing, expiresAt }: IndexWish): Problem | undefined {
  if (routing !== undefined && !key.some(({ name }) => name === routing))
    return {
      code: "elasticsearch-routing",
      message: `Documents cannot be routed by \`${routing}\`: it is not part of the identity, so that two versions of one row could lie on two shards.`,
      hint: `Route by one of ${key.map(({ name }) => name).join(", ")}, or leave routing out.`,
    };
  if (expiresAt === undefined) return undefined;
  const column = columns.find(({ name }) => name === expiresAt);
  if (column !== undefined && /^(DATE|TIMESTAMP)/.test(formatType(column.type))) return undefined;
  return {
    code: "elasticsearch-expires-at",
    message: `Rows cannot expire by \`${expiresAt}\`: ${column === undefined ? "the output has no such column" : `it is ${formatType(column.type)}, not a date or timestamp`}.`,
    hint: "Name a DATE or TIMESTAMP column of the output under expiresAt.",
  };
}

function shape(columns: readonly { name: string; type: string }[]): string {
  return columns.map(({ name, type }) => `${name} ${type}`).join(", ");
}

function plainColumn({ name, type }: TypedColumn): { name: string; type: string } {
  return { name, type: formatType(type) };
}

function fits({ meta }: Generation, { columns, routing }: IndexWish): boolean {
  if (meta === undefined || meta.routing !== (routing ?? null)) return false;
  const known = typesOf(meta);
  return columns.every(({ name, type }) => holds(known.get(name) ?? type, type));
}

function typesOf({ columns }: IndexMeta): Map<string, SqlType> {
  return new Map(
    columns.flatMap(({ name, type }) => {
      const parsed = parseType(type);
      return parsed.ok ? [[name, parsed.value]] : [];
    }),
  );
}

/** The next generation. It is read at once when there was none before. */
function creation(
  { generations }: IndexState,
  wish: IndexWish,
): { number: number; request: IndexRequest } {
  const { names, columns, routing } = wish;
  const number = (generations[0]?.number ?? 0) + 1;
  const properties = propertiesOf(columns);
  const isRead = !generations.some((generation) => generation.isRead);
  const body = {
    // Auto-creation is off (template), writes require the alias: an index is made here or nowhere.
    aliases: {
      [names.writeAlias(number)]: {},
      ...(isRead ? { [names.read]: { filter: readFilter(wish) } } : {}),
    },
    settings: {
      index: {
        "translog.durability": "request",
        "mapping.total_fields.limit": fieldLimit(properties),
      },
    },
    mappings: {
      dynamic: "strict",
      ...(routing === undefined ? {} : { _routing: { required: true } }),
      _meta: { penstock: metaOf(wish, columns) },
      properties,
    },
  };
  return { number, request: { method: "PUT", path: `/${names.generation(number)}`, body } };
}

const USUAL_FIELD_LIMIT = 1000;

function fieldLimit(properties: ReturnType<typeof propertiesOf>): number {
  const needed = fieldCount(properties);
  return needed < USUAL_FIELD_LIMIT ? USUAL_FIELD_LIMIT : needed * 2;
}

function metaOf(wish: IndexWish, columns: readonly TypedColumn[]): IndexMeta {
  return {
    format: 1,
    owner: wish.owner,
    key: wish.key.map(plainColumn),
    routing: wish.routing ?? null,
    columns: columns.map((column) => ({ ...plainColumn(column), field: fieldOf(column.name) })),
  };
}

/** Among templates that match a name the longest pattern wins: `flights-delays-*` over `flights-*`. */
function templateRequests({ template }: IndexState, wish: IndexWish): IndexRequest[] {
  const { names, owner, replicas } = wish;
  const meta = { penstock: { format: 1, owner, replicas } };
  if (isDeepStrictEqual(template?.meta, meta)) return [];
  const body = {
    index_patterns: [names.pattern],
    priority: 500 + names.pattern.length,
    allow_auto_create: false,
    composed_of: [names.custom],
    ignore_missing_component_templates: [names.custom],
    template: { settings: { index: { number_of_replicas: replicas } } },
    _meta: meta,
  };
  return [{ method: "PUT", path: `/_index_template/${names.template}`, body }];
}

function settingsRequests(target: Generation, wish: IndexWish): IndexRequest[] {
  const limit = fieldLimit(propertiesOf(mergedColumns(target, wish)));
  const { replicas = wish.replicas } = target;
  const index = {
    ...(replicas === wish.replicas ? {} : { number_of_replicas: wish.replicas }),
    ...(target.durability === "request" ? {} : { "translog.durability": "request" }),
    ...(target.fieldLimit >= limit ? {} : { "mapping.total_fields.limit": limit }),
  };
  if (Object.keys(index).length === 0) return [];
  return [{ method: "PUT", path: `/${target.index}/_settings`, body: { index } }];
}

function mappingRequests(target: Generation, wish: IndexWish): IndexRequest[] {
  const merged = mergedColumns(target, wish);
  const meta = metaOf(wish, merged);
  if (isDeepStrictEqual(meta, target.meta)) return [];
  const known = new Set(target.meta?.columns.map(({ name, type }) => `${type} ${name}`));
  const { [OWN]: _own, ...properties } = propertiesOf(
    merged.filter(({ name, type }) => !known.has(`${formatType(type)} ${name}`)),
  );
  const body = { _meta: { penstock: meta }, properties };
  return [{ method: "PUT", path: `/${target.index}/_mapping`, body }];
}

/** What the index holds already, and what the wish adds. Nothing is taken away: documents of earlier releases have it. */
function mergedColumns({ meta }: Generation, { columns }: IndexWish): TypedColumn[] {
  const known = meta === undefined ? new Map<string, SqlType>() : typesOf(meta);
  const wished = new Map(columns.map((column) => [column.name, column.type]));
  const kept = [...known].map(([name, type]) => ({
    name,
    type: union(type, wished.get(name) ?? type),
    nullable: true,
  }));
  return [...kept, ...columns.filter(({ name }) => !known.has(name))];
}

/** A type that has the fields of both; each holds the other. */
function union(before: SqlType, after: SqlType): SqlType {
  if (before.kind === "list" && after.kind === "list")
    return { ...before, item: union(before.item, after.item) };
  if (before.kind !== "struct" || after.kind !== "struct") return before;
  const wished = new Map(after.fields.map((field) => [field.name, field.type]));
  const known = new Set(before.fields.map((field) => field.name));
  return {
    kind: "struct",
    fields: [
      ...before.fields.map(({ name, type }) => ({
        name,
        type: union(type, wished.get(name) ?? type),
      })),
      ...after.fields.filter(({ name }) => !known.has(name)),
    ],
  };
}

function aliasRequests(state: IndexState, target: Generation, wish: IndexWish): IndexRequest[] {
  const { names } = wish;
  const filter = readFilter(wish);
  const read = state.generations.filter((generation) => generation.isRead);
  const actions = [
    ...(target.isWritable
      ? []
      : [{ add: { index: target.index, alias: names.writeAlias(target.number) } }]),
    ...(read.length === 0 ? [target] : read)
      .filter(({ isRead, readFilter: there }) => !isRead || !isDeepStrictEqual(there, filter))
      .map(({ index }) => ({ add: { index, alias: names.read, filter } })),
  ];
  return actions.length === 0 ? [] : [{ method: "POST", path: "/_aliases", body: { actions } }];
}

/** Hides what was deleted and what has expired. `now` is the moment of the query. */
export function readFilter({ expiresAt }: { expiresAt?: string | undefined }): object {
  const hidden: object[] = [{ term: { [`${OWN}.deleted`]: true } }];
  if (expiresAt !== undefined) hidden.push({ range: { [fieldOf(expiresAt)]: { lte: "now" } } });
  return { bool: { must_not: hidden } };
}
