import { JsonText } from "../values/json-text.ts";
import type { Outcome, SinkBatch } from "../ports.ts";
import { operationWriter, type BulkShape } from "./bulk-body.ts";
import { shrink, type BulkLimits, type SendBody } from "./bulk-limits.ts";
import type { Sent } from "./bulk-send.ts";

/** While Elasticsearch indexes one request the next is built and on its way. */
const IN_FLIGHT = 2;

/** More than a request within the usual limits ever needs: one that grew for a huge document is not kept. */
const LARGEST_SPARE_BYTES = 16 << 20;

/**
 * Writes a batch in requests within the limits; outcomes in the order of the operations. `spare`: buffers of earlier batches, which are written in
 * again. A megabyte made anew for every small batch would keep the garbage collector busy.
 */
export async function writeBulk(
  batch: SinkBatch,
  shape: BulkShape,
  limits: BulkLimits,
  send: SendBody,
  spare: JsonText[],
): Promise<Outcome[]> {
  const write = operationWriter(batch, shape);
  const outcomes: Outcome[] = Array.from({ length: batch.count });
  let next = 0;
  /** Ends the batch: what is not sent yet shares its fate. */
  let failed: Outcome | undefined;

  function build(text: JsonText, from: number, to: number): number {
    text.reset();
    let i = from;
    while (i < to && i - from < limits.count) {
      const before = text.length;
      write(text, i);
      if (text.length > limits.bytes && i > from) {
        text.reset(before);
        break;
      }
      i++;
    }
    return i;
  }

  async function settle(text: JsonText, from: number, to: number): Promise<boolean> {
    const sizeBytes = text.length;
    const sent = await send(text.bytes, to - from);
    if (sent.kind === "answered") {
      for (const [n, outcome] of sent.outcomes.entries()) outcomes[from + n] = outcome;
      return true;
    }
    if (sent.kind === "failed") {
      failed ??= sent.outcome;
      outcomes.fill(sent.outcome, from, to);
      return false;
    }
    if (to - from === 1) {
      outcomes[from] = { kind: "reject", reason: refusal(sent, sizeBytes) };
      return false;
    }
    if (sent.isTooLarge) shrink(limits, sizeBytes);
    const middle = (from + to) >> 1;
    await range(from, middle);
    await range(middle, to);
    return false;
  }

  async function range(from: number, to: number): Promise<void> {
    for (let at = from; at < to;) {
      if (failed !== undefined) {
        outcomes.fill(failed, at, to);
        return;
      }
      const text = new JsonText();
      const end = build(text, at, to);
      await settle(text, at, end);
      at = end;
    }
  }

  async function lane(): Promise<void> {
    while (next < batch.count && failed === undefined) {
      const text = spare.pop() ?? new JsonText(1 << 20);
      const from = next;
      next = build(text, from, batch.count);
      const isAnswered = await settle(text, from, next);
      // An answer may come before the body it refuses is wholly sent: that buffer is left alone.
      if (isAnswered && text.capacity <= LARGEST_SPARE_BYTES) spare.push(text);
    }
  }

  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  if (failed !== undefined) outcomes.fill(failed, next);
  return outcomes;
}

function refusal({ reason, isTooLarge }: Sent & { kind: "split" }, sizeBytes: number): string {
  return isTooLarge
    ? `The row makes a document of ${sizeBytes} bytes, more than Elasticsearch takes in a request (http.max_content_length): ${reason}`
    : `Elasticsearch refused it: ${reason}`;
}
