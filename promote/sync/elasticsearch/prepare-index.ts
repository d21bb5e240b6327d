import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { SinkContract } from "../ports.ts";
import { failureOf } from "./failures.ts";
import { attempt, wishOf, type IndexPlace } from "./index-place.ts";
import { planIndex, type IndexPlan, type IndexRequest, type IndexWish } from "./index-plan.ts";
import { readIndexState } from "./index-state.ts";

export type Planned = IndexPlan & { wish: IndexWish };

/** What is missing for a contract. */
export async function planFor(place: IndexPlace, contract: SinkContract): Promise<Result<Planned>> {
  const wish = wishOf(place, contract);
  if (!wish.ok) return wish;
  const state = await attempt(place, "show its indices", () =>
    readIndexState(place.client, place.names),
  );
  if (!state.ok) return state;
  const plan = planIndex(state.value, wish.value);
  return plan.ok ? ok({ ...plan.value, wish: wish.value }) : plan;
}

const LOOKS = 4;

/** Does it, and looks again until nothing is missing: another worker may be making the same index. */
export async function prepareFor(
  place: IndexPlace,
  contract: SinkContract,
): Promise<Result<Planned>> {
  for (let look = 0; look < LOOKS; look++) {
    const planned = await planFor(place, contract);
    if (!planned.ok || planned.value.requests.length === 0) return planned;
    for (const request of planned.value.requests) {
      const done = await attempt(place, `do ${request.method} ${request.path}`, () =>
        perform(place, request),
      );
      if (!done.ok) return done;
    }
  }
  return fail({
    code: "elasticsearch-not-settled",
    message: `The index of the sink ${place.options.name} was prepared ${LOOKS} times and still is not as the release needs it: others change it meanwhile.`,
    hint: "Look for a process or template that alters it (GET /_index_template). It is tried again and goes on by itself.",
  });
}

export async function perform({ client }: IndexPlace, request: IndexRequest): Promise<void> {
  try {
    await client.transport.request(request);
  } catch (cause) {
    if (failureOf(cause).type !== "resource_already_exists_exception") throw cause;
  }
}

export function shown({ method, path, body }: IndexRequest): string {
  return `${method} ${path} ${JSON.stringify(body)}`;
}
