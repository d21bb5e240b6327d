import { shrink, type BulkLimits, type SendBody } from "./bulk-limits.ts";
import type { Sent } from "./bulk-send.ts";

type Part = {
  body: Buffer;
  count: number;
  signal: AbortSignal | undefined;
  settle: (sent: Promise<Sent>) => void;
};

/**
 * Sends small requests together. A request costs Elasticsearch a wait for the disk whatever its size, so while one is on its way those that come gather,
 * and go as one when any is answered or they fill one. A full request goes at once. Each part gets the outcomes of its own operations.
 */
export function openBulkMerge(limits: BulkLimits, send: SendBody): SendBody {
  let waiting: Part[] = [];
  let inFlight = 0;

  function go(isAnswered: boolean): void {
    let isDue = isAnswered || inFlight === 0;
    while (waiting.length > 0) {
      const { parts, isFull } = fitting(waiting, limits);
      if (!isDue && !isFull) return;
      isDue = false;
      const together = waiting.slice(0, parts);
      waiting = waiting.slice(parts);
      inFlight++;
      const answered = (): void => {
        inFlight--;
        go(true);
      };
      sendTogether(together).then(answered, answered);
    }
  }

  function sendTogether(parts: Part[]): Promise<Sent> {
    const bodies = parts.map(({ body }) => body);
    const body = bodies.length === 1 && bodies[0] ? bodies[0] : Buffer.concat(bodies);
    const count = parts.reduce((sum, part) => sum + part.count, 0);
    const request = send(body, count, anyOf(parts));
    let next = 0;
    for (const part of parts) {
      const from = next;
      next += part.count;
      part.settle(parts.length === 1 ? request : request.then((sent) => partOf(sent, part, from)));
    }
    return request;

    function partOf(sent: Sent, part: Part, from: number): Sent | Promise<Sent> {
      if (sent.kind === "answered")
        return { ...sent, outcomes: sent.outcomes.slice(from, from + part.count) };
      if (sent.kind === "failed") return sent;
      // What was refused is the whole, which says nothing about a part.
      if (sent.isTooLarge) shrink(limits, body.length);
      return send(part.body, part.count, part.signal);
    }
  }

  return (body, count, signal) =>
    new Promise<Sent>((settle) => {
      waiting.push({ body, count, signal, settle });
      go(false);
    });
}

function anyOf(parts: readonly Part[]): AbortSignal | undefined {
  const signals = new Set(parts.flatMap(({ signal }) => signal ?? []));
  return signals.size > 1 ? AbortSignal.any([...signals]) : [...signals][0];
}

/** How many of the first parts go into one request, at least one; and whether another would not have found room. */
function fitting(waiting: readonly Part[], limits: BulkLimits): { parts: number; isFull: boolean } {
  let bytes = 0;
  let count = 0;
  for (const [parts, part] of waiting.entries()) {
    bytes += part.body.length;
    count += part.count;
    if (parts > 0 && (bytes > limits.bytes || count > limits.count)) return { parts, isFull: true };
  }
  return { parts: waiting.length, isFull: count >= limits.count || bytes >= limits.bytes };
}
