import type { Client } from "cassandra-driver";
import { WRITTEN, type Outcome, type SinkBatch } from "../ports.ts";
import type { Parameters, Request } from "./encode-batch.ts";
import { kindOf, openGrouping, sizeOf, type Member } from "./group-requests.ts";
import type { RequestKind, Statements } from "./statements.ts";
import { isUnprepared, outcomeOf } from "./outcome-of.ts";

export type SendOptions = {
  client: Client;
  sink: string;
  statements: Statements;
  lanes: number;
  signal: AbortSignal | undefined;
  /** Where a request's row lies; rows of one node may go as one request. */
  nodeOf: (request: Request) => string;
  /** Asked when no host knows a statement: what is wrong with the table, if anything is. */
  whyUnprepared(): Promise<unknown>;
};

/** What goes as one request: records of one kind, or the parts of one record, which lie in one partition. */
type Unit = { members: readonly Member[]; kind: RequestKind | undefined };

/**
 * Sends a batch's operations, up to `lanes` requests at a time. A lane that meets trouble closes for the rest of the batch, down to one: a
 * cluster that cannot keep up is not pushed on.
 */
export async function sendBatch(
  batch: SinkBatch,
  requestOf: (operation: number) => Request | { reason: string },
  options: SendOptions,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = Array.from({ length: batch.count }, () => WRITTEN);
  const grouping = openGrouping(options.nodeOf);
  const rest: Unit[] = [];
  let next = 0;
  let open = Math.min(options.lanes, batch.count);
  let stopped: Outcome | undefined;

  function encode(from: number, to: number): Member[] {
    const members: Member[] = [];
    for (let operation = from; operation < to; operation++) {
      const request = requestOf(operation);
      if ("reason" in request) outcomes[operation] = { kind: "reject", reason: request.reason };
      else members.push({ operation, request });
    }
    return members;
  }

  /** Undefined once all has gone. */
  function take(): Unit | undefined {
    while (next < batch.count) {
      const from = next;
      next = endOfRecord(batch, from);
      const members = encode(from, next);
      if (next - from > 1) return { members, kind: undefined };
      for (const { operation, request } of members) {
        const full = grouping.add(operation, request);
        if (full !== undefined) return full;
      }
    }
    rest.push(...grouping.rest());
    return rest.pop();
  }

  async function sendUnit({ members, kind }: Unit): Promise<Outcome> {
    if (stopped !== undefined) return note(members, stopped);
    if (options.signal?.aborted === true) return note(members, ABORTED);
    if (kind === undefined || members.length === 1) {
      const requests = members.map(({ request }) => request);
      return note(members, await send(requests, options));
    }
    const outcome = await execute(kind, members, options);
    if (outcome === WRITTEN || outcome.kind === "retryAfter") return note(members, outcome);
    // Which of them it is shows when each goes alone.
    for (const member of members) await sendUnit({ members: [member], kind });
    return WRITTEN;
  }

  function note(members: readonly Member[], outcome: Outcome): Outcome {
    if (outcome === WRITTEN) return outcome;
    for (const { operation } of members) outcomes[operation] = outcome;
    if (outcome.kind === "halt") stopped = outcome;
    return outcome;
  }

  const lane = async (): Promise<void> => {
    for (let unit = take(); unit !== undefined; unit = take()) {
      const outcome = await sendUnit(unit);
      if (outcome.kind !== "retryAfter" || stopped !== undefined || open === 1) continue;
      open--;
      return;
    }
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
  const { client, statements } = options;
  return outcomeWhenDone(
    requests.length === 1
      ? client.execute(statements(kindOf(first), 1), parametersOf(first), PREPARED)
      : client.batch(together(requests, statements), TOGETHER),
    options,
  );
}

function execute(
  kind: RequestKind,
  members: readonly Member[],
  options: SendOptions,
): Promise<Outcome> {
  const parameters: Parameters = [];
  for (const { request } of members) {
    for (const value of request.remove ?? []) parameters.push(value);
    for (const value of request.insert ?? []) parameters.push(value);
  }
  const statement = options.statements(kind, members.length);
  return outcomeWhenDone(options.client.execute(statement, parameters, PREPARED), options);
}

async function outcomeWhenDone(done: Promise<unknown>, options: SendOptions): Promise<Outcome> {
  try {
    await done;
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

function parametersOf({ remove = [], insert = [] }: Request): Parameters {
  return [...remove, ...insert];
}

function together(requests: readonly Request[], statements: Statements): Statement[] {
  return requests.flatMap(({ remove, insert }) => [
    ...(remove === undefined ? [] : [{ query: statements("remove", 1), params: remove }]),
    ...(insert === undefined ? [] : [{ query: statements("insert", 1), params: insert }]),
  ]);
}

type Statement = { query: string; params: Parameters };

function endOfRecord({ keyRow, count }: SinkBatch, from: number): number {
  let to = from + 1;
  while (to < count && keyRow[to] === keyRow[from]) to++;
  return to;
}
