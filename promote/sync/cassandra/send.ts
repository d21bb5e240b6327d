import type { Client } from "cassandra-driver";
import { WRITTEN, type Outcome, type SinkBatch } from "../ports.ts";
import { GIVEN_UP } from "../unless-stopped.ts";
import type { Parameters, Request } from "./encode-batch.ts";
import { isUnprepared, outcomeOf } from "./outcome-of.ts";
import type { Statements } from "./statements.ts";

export type SendOptions = {
  client: Client;
  sink: string;
  statements: Statements;
  lanes: number;
  signal: AbortSignal | undefined;
  /** Asked when no host knows a statement: what is wrong with the table, if anything is. */
  whyUnprepared(): Promise<unknown>;
};

/** What goes as one request: the parts of one record, which lie in one partition. */
type Unit = { operations: number[]; requests: Request[] };

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
  let next = 0;
  let open = Math.min(options.lanes, batch.count);
  let stopped: Outcome | undefined;

  /** Of the next record; empty where nothing of it can be written. */
  function take(): Unit {
    const unit: Unit = { operations: [], requests: [] };
    const end = endOfRecord(batch, next);
    for (; next < end; next++) {
      const request = requestOf(next);
      if ("reason" in request) outcomes[next] = { kind: "reject", reason: request.reason };
      else {
        unit.operations.push(next);
        unit.requests.push(request);
      }
    }
    return unit;
  }

  function tell({ operations }: Unit, outcome: Outcome): Outcome {
    for (const operation of operations) outcomes[operation] = outcome;
    return outcome;
  }

  /** Of several parts that are refused, or too much, together, some may be written. What became of them, where that is not up to each. */
  async function sendHalves(unit: Unit): Promise<Outcome> {
    const middle = unit.requests.length >> 1;
    const first = await sendUnit(slice(unit, 0, middle));
    const rest = slice(unit, middle, unit.requests.length);
    return first.kind === "retryAfter" || first.kind === "halt"
      ? tell(rest, first)
      : sendUnit(rest);
  }

  async function sendUnit(unit: Unit): Promise<Outcome> {
    return settle(unit, await send(unit.requests, options));
  }

  function settle(unit: Unit, outcome: Outcome): Promise<Outcome> | Outcome {
    if (outcome.kind === "reject" && unit.requests.length > 1) return sendHalves(unit);
    return tell(unit, outcome);
  }

  const lane = async (): Promise<void> => {
    while (next < batch.count) {
      const unit = take();
      const refused = stopped ?? (options.signal?.aborted === true ? GIVEN_UP : undefined);
      const sent = refused ?? (await send(unit.requests, options));
      if (sent === WRITTEN) continue;
      const outcome = await settle(unit, sent);
      if (outcome.kind === "halt") stopped = outcome;
      if (outcome.kind !== "retryAfter" || stopped !== undefined || open === 1) continue;
      open--;
      return;
    }
  };

  await Promise.all(Array.from({ length: open }, lane));
  return outcomes;
}

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

/** One promise a row, however many it takes where something is wrong. */
function send(requests: readonly Request[], options: SendOptions): Promise<Outcome> | Outcome {
  const [first] = requests;
  if (first === undefined) return WRITTEN;
  const sizeBytes = requests.reduce((sum, request) => sum + sizeOf(request), 0);
  if (sizeBytes > MAX_REQUEST_BYTES) return tooBig(sizeBytes);
  const { client, statements } = options;
  const done =
    requests.length === 1
      ? client.execute(statements[kindOf(first)], parametersOf(first), PREPARED)
      : client.batch(together(requests, statements), TOGETHER);
  return done.then(
    () => WRITTEN,
    (cause: unknown) => outcomeOfFailure(cause, options),
  );
}

async function outcomeOfFailure(cause: unknown, options: SendOptions): Promise<Outcome> {
  const why = isUnprepared(cause) ? await options.whyUnprepared() : undefined;
  return outcomeOf(why ?? cause, options.sink);
}

function slice({ operations, requests }: Unit, from: number, to: number): Unit {
  return { operations: operations.slice(from, to), requests: requests.slice(from, to) };
}

function kindOf({ remove, insert }: Request): keyof Statements {
  if (insert === undefined) return "remove";
  return remove === undefined ? "insert" : "replace";
}

/** In parameters alone. */
function sizeOf({ remove = [], insert = [] }: Request): number {
  let size = 0;
  for (const value of remove) size += 4 + (value instanceof Buffer ? value.length : 0);
  for (const value of insert) size += 4 + (value instanceof Buffer ? value.length : 0);
  return size;
}

function parametersOf({ remove = [], insert = [] }: Request): Parameters {
  if (insert.length === 0) return remove;
  return remove.length === 0 ? insert : [...remove, ...insert];
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
