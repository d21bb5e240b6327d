import { z } from "zod";
import type { Outcome } from "../ports.ts";
import { WRITTEN } from "../ports.ts";
import type { Client } from "./client.ts";
import {
  failureOf,
  outcomeOf,
  problemOf,
  reasonOf,
  type ElasticError,
  type Failure,
} from "./failures.ts";

/** What became of one `_bulk` request. */
export type Sent =
  | { kind: "answered"; outcomes: Outcome[] }
  /** 413, or a body Elasticsearch could not read: smaller requests may pass, and show which operation it is. */
  | { kind: "split"; isTooLarge: boolean; reason: string }
  /** The same for every operation, also for those not yet sent. */
  | { kind: "failed"; outcome: Outcome };

const elasticError: z.ZodType<ElasticError> = z.object({
  type: z.string().exactOptional(),
  reason: z.string().nullable().exactOptional(),
  get caused_by() {
    return elasticError.exactOptional();
  },
});
const item = z.object({
  index: z.object({ status: z.number(), error: elasticError.exactOptional() }),
});
const answer = z.object({ errors: z.boolean(), items: z.array(z.unknown()) });

/** How long Elasticsearch waits for a primary before it says 503; shorter than the client waits for Elasticsearch. */
const SHARD_TIMEOUT = "20s";
const PAYLOAD_TOO_LARGE = 413;
const BAD_REQUEST = 400;

export async function sendBulk(
  client: Client,
  target: { alias: string; sink: string },
  body: Buffer,
  count: number,
  signal: AbortSignal | undefined,
): Promise<Sent> {
  try {
    const found = await client.transport.request(
      {
        method: "POST",
        path: `/${target.alias}/_bulk`,
        querystring: {
          require_alias: true,
          timeout: SHARD_TIMEOUT,
          filter_path: "errors,items.*.status,items.*.error",
        },
        bulkBody: body,
      },
      signal === undefined ? {} : { signal },
    );
    return readAnswer(found, count, target.sink);
  } catch (cause) {
    const failure = failureOf(cause);
    const { status, type, reason } = failure;
    const isTooLarge = status === PAYLOAD_TOO_LARGE;
    // A 400 of Elasticsearch's own has a type.
    if (isTooLarge || (status === BAD_REQUEST && type !== ""))
      return { kind: "split", isTooLarge, reason };
    const outcome = outcomeOf(failure, target.sink);
    // What is said of all says nothing of a document: it is a proxy's word, or Elasticsearch's of the request.
    const isOfDocument = outcome.kind === "reject" || outcome.kind === "stale";
    const problem = problemOf(cause, "take documents", target.sink);
    return { kind: "failed", outcome: isOfDocument ? { kind: "halt", problem } : outcome };
  }
}

function readAnswer(found: unknown, count: number, sink: string): Sent {
  const parsed = answer.safeParse(found);
  if (!parsed.success || parsed.data.items.length !== count)
    return {
      kind: "failed",
      outcome: outcomeOf(
        { status: 0, type: "", reason: "its answer to a bulk request is not one" },
        sink,
      ),
    };
  const { errors, items } = parsed.data;
  if (!errors) return { kind: "answered", outcomes: items.map(() => WRITTEN) };
  return { kind: "answered", outcomes: items.map((one) => itemOutcome(one, sink)) };
}

function itemOutcome(found: unknown, sink: string): Outcome {
  const parsed = item.safeParse(found);
  const failure: Failure = parsed.success
    ? failureOfItem(parsed.data.index)
    : { status: 0, type: "", reason: "its answer for one operation is not one" };
  return failure.status >= 200 && failure.status < 300 ? WRITTEN : outcomeOf(failure, sink);
}

function failureOfItem({ status, error }: { status: number; error?: ElasticError }): Failure {
  return { status, type: error?.type ?? "", reason: error === undefined ? "" : reasonOf(error) };
}
