import { z } from "zod";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { Generation, Generations, SinkContract } from "../ports.ts";
import { OWN } from "./field-names.ts";
import { attempt, wishOf, type IndexPlace } from "./index-place.ts";
import { planIndex, readFilter } from "./index-plan.ts";
import { readIndexState, type IndexState } from "./index-state.ts";
import { perform } from "./prepare-index.ts";

/**
 * The indices of a sink, newest first. A contract that the newest cannot hold makes another (prepare-index.ts); a backfill fills it and turns
 * readers; an earlier contract that comes back writes to the newest index that holds it.
 */
export function openGenerations(place: IndexPlace): Generations {
  const { names, options } = place;

  function withState<T>(
    doing: string,
    body: (state: IndexState) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    return attempt(place, doing, async () => body(await readIndexState(place.client, names))).then(
      (done) => (done.ok ? done.value : done),
    );
  }

  return {
    list: (contract) =>
      withState("show its indices", async (state) => ok(await listed(place, state, contract))),
    foretell: (contract) =>
      withState("show its indices", async (state) => ok(await foretold(place, state, contract))),
    read: (generation) =>
      withState("turn readers", async (state) => {
        const found = owned(place, state, generation);
        if (!found.ok) return found;
        const actions = [
          ...state.generations
            .filter(({ isRead, number }) => isRead && number !== generation)
            .map(({ index }) => ({ remove: { index, alias: names.read } })),
          { add: { index: found.value, alias: names.read, filter: readFilter(options) } },
        ];
        await perform(place, { method: "POST", path: "/_aliases", body: { actions } });
        return ok(undefined);
      }),
    drop: (generation, contract) =>
      withState("delete an index", async (state) => {
        const found = owned(place, state, generation);
        if (!found.ok) return found;
        const written = targetOf(place, state, contract);
        if (!written.ok) return written;
        if (state.generations.some(({ isRead, number }) => isRead && number === generation))
          return fail({
            code: "generation-read",
            message: `The index ${found.value} is what people read.`,
            hint: `Turn them first: \`penstock backfill ${options.owner}\` turns them to what is written once all of it is there.`,
          });
        if (written.value === generation)
          return fail({
            code: "generation-written",
            message: `The index ${found.value} is what ${options.owner} writes to.`,
            hint: "Only what is neither read nor written can be dropped.",
          });
        await place.client.indices.delete({ index: found.value });
        return ok(undefined);
      }),
  };
}

/** That people read another index than the one that is written; undefined: they read that one, or none yet. */
export async function readersBehind(
  { client, names, options }: IndexPlace,
  written: number,
): Promise<string | undefined> {
  const found = await client.transport.request(
    { method: "GET", path: `/${names.pattern}/_alias/${names.read}` },
    { ignore: [404] },
  );
  const read = Object.keys(z.record(z.string(), z.unknown()).parse(found)).filter(
    (index) => names.numberOf(index) !== undefined,
  );
  const target = names.generation(written);
  if (read.length === 0 || read.includes(target)) return undefined;
  return `People read ${read.join(", ")}, which receives nothing any more: ${target} is what is written. \`penstock backfill ${options.owner}\` fills it and turns them.`;
}

function owned(
  { options }: IndexPlace,
  { generations }: IndexState,
  generation: number,
): Result<string> {
  const found = generations.find(({ number }) => number === generation);
  if (found?.meta?.owner === options.owner) return ok(found.index);
  const known = generations.map(({ number }) => number).join(", ");
  return fail({
    code: "generation-unknown",
    message: `The sink ${options.name} has no generation ${generation}.`,
    hint: known === "" ? "It has none yet: start its pipeline." : `It has: ${known}.`,
  });
}

async function listed(
  place: IndexPlace,
  state: IndexState,
  contract: SinkContract,
): Promise<Generation[]> {
  const written = targetOf(place, state, contract);
  const contents = await contentsOf(place, state);
  return state.generations.map(({ number, index, isRead }) => ({
    generation: number,
    index,
    rows: contents.get(index)?.rows ?? 0,
    isRead,
    isWritten: written.ok && number === written.value,
  }));
}

function targetOf(place: IndexPlace, state: IndexState, contract: SinkContract): Result<number> {
  const wish = wishOf(place, contract);
  const plan = wish.ok ? planIndex(state, wish.value) : wish;
  return plan.ok ? ok(plan.value.target) : plan;
}

/** What a release of this contract would mean for who reads: nothing is said where they go on reading what is written. */
async function foretold(
  place: IndexPlace,
  state: IndexState,
  contract: SinkContract,
): Promise<string[]> {
  const { names, options } = place;
  const planned = targetOf(place, state, contract);
  const read = state.generations.find(({ isRead }) => isRead);
  if (!planned.ok || read === undefined) return [];
  const written = planned.value;
  const target = names.generation(written);
  const fill = `\`penstock backfill ${options.owner}\``;
  if (!state.generations.some(({ number }) => number === written))
    return [
      `It writes to a new index, ${target}. People go on reading ${read.index}, which receives nothing from then on, until ${fill} has filled the new one and turns them.`,
    ];
  if (read.number !== written)
    return [
      `It writes to ${target}, which lacks what was written to ${read.index} alone. People go on reading ${read.index}, which receives nothing from then on, until ${fill} has filled ${target} and turns them; \`penstock generations ${options.owner} --read ${written}\` turns them at once, to what is there.`,
    ];
  const contents = await contentsOf(place, state);
  const newest = contents.get(target)?.newest ?? 0;
  return state.generations
    .filter(({ index }) => (contents.get(index)?.newest ?? 0) > newest)
    .slice(0, 1)
    .map(
      ({ index }) =>
        `It writes to ${target} again, which people read. What was written to ${index} alone is not there until ${fill} has filled it in.`,
    );
}

const counted = z.object({
  aggregations: z.object({
    indices: z.object({
      buckets: z.array(
        z.object({
          key: z.string(),
          living: z.object({ doc_count: z.number() }),
          newest: z.object({ value: z.number().nullable() }),
        }),
      ),
    }),
  }),
});

/** Living rows of each index, and the newest version in it, near enough to tell epochs apart. */
async function contentsOf(
  { client }: IndexPlace,
  { generations }: IndexState,
): Promise<Map<string, { rows: number; newest: number }>> {
  if (generations.length === 0) return new Map();
  const { aggregations } = counted.parse(
    await client.transport.request({
      method: "POST",
      path: `/${generations.map(({ index }) => index).join(",")}/_search`,
      body: {
        size: 0,
        aggs: {
          indices: {
            terms: { field: "_index", size: generations.length },
            aggs: {
              living: { filter: readFilter({}) },
              newest: { max: { field: `${OWN}.version` } },
            },
          },
        },
      },
    }),
  );
  return new Map(
    aggregations.indices.buckets.map(({ key, living, newest }) => [
      key,
      { rows: living.doc_count, newest: newest.value ?? 0 },
    ]),
  );
}
