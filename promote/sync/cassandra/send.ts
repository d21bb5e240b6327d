import type { Client } from "cassandra-driver";
import { WRITTEN, type Outcome, type SinkBatch } from "../ports.ts";
import type { Parameters, Request } from "./encode-batch.ts";
import type { Statements } from "./statements.ts";
import { isUnprepared, outcomeOf } from "./outcome-of.ts";

export type SendOptions = {
  client: Client;
  sink: string;
  statements: Statements;
  lanes: number;
  signal: AbortSignal | undefined;
  /** Asked when no host knows a statement: what is wrong with the table, if anything is. */
  whyUnprepared(): Promise<unknown>;
};

/**
 * Sends a batch's operations, up to `lanes` requests at a time. The parts of one record lie in one partition and go as one
 * request. A lane that meets trouble closes for the rest of the batch, down to one: a cluster that cannot keep up is not pushed on.
 */
export async function sendBatch(
  batch: SinkBatch,
  requestOf: (operation: number) => Request | { reason: string },
  options: SendOptions,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = Array.from({ length: batch.count }, () => WRITTEN);
  let next = 0;
  let open = Math.min(options.lanes, batch.count);
  let stopped: Outcome | undefined;

  const lane = async (): Promise<void> => {
    while (next < batch.count) {
      const from = next;
      next = endOfRecord(batch, from);
      const to = next;
      const outcome = stopped ?? (await sendRecord(from, to));
      if (outcome === WRITTEN) continue;
      for (let i = from; i < to; i++) if (outcomes[i] === WRITTEN) outcomes[i] = outcome;
      if (outcome.kind === "halt") stopped = outcome;
      if (outcome.kind !== "retryAfter" || stopped !== undefined || open === 1) continue;
      open--;
      return;
    }
  };

  const sendRecord = async (from: number, to: number): Promise<Outcome> => {
    if (options.signal?.aborted === true) return ABORTED;
    const requests: Request[] = [];
    for (let i = from; i < to; i++) {
      const made = requestOf(i);
      if ("reason" in made) outcomes[i] = { kind: "reject", reason: made.reason };
      else requests.push(made);
    }
    return send(requests, options);
  };

  await Promise.all(Array.from({ length: open }, lane));
  return outcomes;
}

const ABORTED: Outcome = {
  kind: "retryAfter",
  afterMs: 0,
  problem: { code: "stopped", message: "The pipeline was stopped while it wrote." },
};
const PREPARED = { prepare: true, isIdempotent: true };
/** One partition: no batch log is needed, Cassandra applies it as one mutation. */
const TOGETHER = { ...PREPARED, logged: false };

/**
 * Cassandra's default is 16 MiB (`native_transport_max_frame_size`). A bigger request is not sent to find out: Cassandra 5.0.9 refuses it, and
 * now and then loses the answer to the request behind it.
 */
const MAX_REQUEST_BYTES = (16 << 20) - 4096;

function sizeOf({ remove = [], insert = [] }: Request): number {
  let size = 0;
  for (const value of remove) size += 4 + (value instanceof Buffer ? value.length : 0);
  for (const value of insert) size += 4 + (value instanceof Buffer ? value.length : 0);
  return size;
}

function tooBig(sizeBytes: number): Outcome {
  return {
    kind: "reject",
    reason: `the row is ${sizeBytes} bytes, and Cassandra takes requests of ${MAX_REQUEST_BYTES} at most: make its texts or blobs smaller`,
  };
}

async function send(requests: readonly Request[], options: SendOptions): Promise<Outcome> {
  const [first] = requests;
  if (first === undefined) return WRITTEN;
  const sizeBytes = requests.reduce((sum, request) => sum + sizeOf(request), 0);
  if (sizeBytes > MAX_REQUEST_BYTES)
    return requests.length > 1 ? sendHalves(requests, options) : tooBig(sizeBytes);
  try {
    const { client, statements } = options;
    if (requests.length === 1) {
      const { query, params } = alone(first, statements);
      await client.execute(query, params, PREPARED);
    } else await client.batch(together(requests, statements), TOGETHER);
    return WRITTEN;
  } catch (cause) {
    const why = isUnprepared(cause) ? await options.whyUnprepared() : undefined;
    return outcomeOf(why ?? cause, options.sink);
  }
}

/** The parts of a record that are too much for one request together. */
async function sendHalves(requests: readonly Request[], options: SendOptions): Promise<Outcome> {
  const middle = requests.length >> 1;
  const first = await send(requests.slice(0, middle), options);
  return first === WRITTEN ? send(requests.slice(middle), options) : first;
}

/** One statement, whatever a single operation asks. */
function alone({ remove, insert }: Request, statements: Statements): Statement {
  if (insert === undefined) return { query: statements.remove, params: remove ?? [] };
  if (remove === undefined) return { query: statements.insert, params: insert };
  return { query: statements.replace, params: [...remove, ...insert] };
}

function together(requests: readonly Request[], statements: Statements): Statement[] {
  return requests.flatMap(({ remove, insert }) => [
    ...(remove === undefined ? [] : [{ query: statements.remove, params: remove }]),
    ...(insert === undefined ? [] : [{ query: statements.insert, params: insert }]),
  ]);
}

type Statement = { query: string; params: Parameters };

function endOfRecord({ keyRow, count }: SinkBatch, from: number): number {
  let to = from + 1;
  while (to < count && keyRow[to] === keyRow[from]) to++;
  return to;
}
