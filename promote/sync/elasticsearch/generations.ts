import { fail, ok, type Problem, type Result } from "#snapshots/problem.ts";
import type { SinkContract } from "../ports.ts";
import {
  attempt,
  openPlace,
  wishOf,
  type ElasticsearchSinkOptions,
  type IndexPlace,
} from "./index-place.ts";
import { creation, readFilter, refusal, templateRequests } from "./index-plan.ts";
import { readIndexState, type Generation, type IndexState } from "./index-state.ts";
import { perform } from "./prepare-index.ts";

/** One generation as a person chooses among them. */
export type GenerationSummary = { generation: number; index: string; isRead: boolean };

/**
 * How an index is made anew without people noticing. Nothing but Penstock moves data, so the caller fills the new index itself:
 *
 * 1. `beginGeneration` makes an empty index of the contract. (A `prepare` with a contract the old index cannot hold has done so already.)
 * 2. The pipeline opens an epoch, whose `prepare` turns its writes to the newest generation; a backfill writes what came before.
 *    People read the old index meanwhile, which stands still.
 * 3. `switchAlias` turns all readers to the new one in one step.
 * 4. `dropGeneration` deletes the old one, once no release that needs it can come back.
 */
export function beginGeneration(
  options: ElasticsearchSinkOptions,
  contract: SinkContract,
): Promise<Result<number>> {
  return withState(options, async (place, state) => {
    const wish = wishOf(place, contract);
    if (!wish.ok) return wish;
    const problem = refusal(state, wish.value);
    if (problem !== undefined) return fail(problem);
    const { number, request } = creation(state, wish.value);
    for (const one of [...templateRequests(state, wish.value), request]) await perform(place, one);
    return ok(number);
  });
}

export function listGenerations(
  options: ElasticsearchSinkOptions,
): Promise<Result<GenerationSummary[]>> {
  return withState(options, async (_place, { generations }) =>
    ok(generations.map(({ number, index, isRead }) => ({ generation: number, index, isRead }))),
  );
}

export function switchAlias(
  options: ElasticsearchSinkOptions,
  generation: number,
): Promise<Result<void>> {
  return withState(options, async (place, state) => {
    const found = owned(place, state, generation);
    if (!found.ok) return found;
    const { names } = place;
    const actions = [
      ...state.generations
        .filter(({ isRead, number }) => isRead && number !== generation)
        .map(({ index }) => ({ remove: { index, alias: names.read } })),
      { add: { index: found.value.index, alias: names.read, filter: readFilter(options) } },
    ];
    await perform(place, { method: "POST", path: "/_aliases", body: { actions } });
    return ok(undefined);
  });
}

export function dropGeneration(
  options: ElasticsearchSinkOptions,
  generation: number,
): Promise<Result<void>> {
  return withState(options, async (place, state) => {
    const found = owned(place, state, generation);
    if (!found.ok) return found;
    if (found.value.isRead)
      return fail({
        code: "elasticsearch-generation-read",
        message: `The index ${found.value.index} is what people read.`,
        hint: "Switch the alias to another generation first.",
      });
    await place.client.indices.delete({ index: found.value.index });
    return ok(undefined);
  });
}

function owned(
  { options }: IndexPlace,
  { generations }: IndexState,
  generation: number,
): Result<Generation> {
  const found = generations.find(({ number }) => number === generation);
  if (found?.meta?.owner === options.owner) return ok(found);
  const known = generations.map(({ number }) => number).join(", ");
  const problem: Problem = {
    code: "elasticsearch-generation",
    message: `The sink ${options.name} has no generation ${generation}.`,
    hint: known === "" ? "It has none yet: start its pipeline." : `It has: ${known}.`,
  };
  return fail(problem);
}

async function withState<T>(
  options: ElasticsearchSinkOptions,
  body: (place: IndexPlace, state: IndexState) => Promise<Result<T>>,
): Promise<Result<T>> {
  const opened = openPlace(options);
  if (!opened.ok) return opened;
  const place = opened.value;
  try {
    const done = await attempt(place, "change its indices", async () =>
      body(place, await readIndexState(place.client, place.names)),
    );
    return done.ok ? done.value : done;
  } finally {
    await place.client.close();
  }
}
