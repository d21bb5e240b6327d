import type { Held } from "./held.ts";

/** A partition as it is when it was just given to a worker and nothing of it was fetched. */
export function heldOf(topicId: string): Held {
  return {
    topic: "t",
    partition: 0,
    topicId,
    leader: 1,
    position: 0,
    isPaused: false,
    isLeaving: false,
    isAbsent: false,
    first: 0,
    end: 0,
    rangeAt: 0,
    queue: [],
    gap: { from: -1, to: -1 },
  };
}
