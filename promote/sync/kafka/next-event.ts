import type { PollRequest, SourceEvent } from "../ports.ts";
import { takeDelivery } from "./held.ts";
import { placeKey } from "./list-offsets.ts";
import { halt, ringRoom, type Worker } from "./worker.ts";

const TELL_AGAIN_MS = 1000;

/** What a poll brings, if there is something: partitions have their turns, and trouble with some is told of once a second, whatever others bring. */
export function openNextEvent(
  worker: Worker,
): (request: PollRequest, nowMs: number) => SourceEvent | undefined {
  let toldMs = -Infinity;

  function trouble(nowMs: number): SourceEvent | undefined {
    // What is known of the topics says why they cannot be fetched.
    const { troubles } = worker;
    const problem = troubles.get("topics") ?? troubles.get("leaders") ?? [...troubles.values()][0];
    if (problem === undefined || nowMs < toldMs + TELL_AGAIN_MS) return undefined;
    toldMs = nowMs;
    // The next poll waits by itself, unless others bring something.
    return { kind: "retryAfter", afterMs: 0, problem };
  }

  function records(request: PollRequest): SourceEvent | undefined {
    for (const held of worker.held.values()) {
      const delivery = takeDelivery(held, request);
      if (delivery === undefined) continue;
      if ("code" in delivery) {
        halt(worker, delivery);
        return { kind: "halt", problem: delivery };
      }
      worker.held.delete(placeKey(held));
      worker.held.set(placeKey(held), held);
      ringRoom(worker);
      return { kind: "records", delivery };
    }
    return undefined;
  }

  return (request, nowMs) => {
    if (worker.halted !== undefined) return { kind: "halt", problem: worker.halted };
    return worker.events.shift() ?? trouble(nowMs) ?? records(request);
  };
}
