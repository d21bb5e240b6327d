import type { Problem } from "#snapshots/problem.ts";
import type { Stretch } from "./epochs.ts";

/** What is to be read lies outside of what the topic holds. */
export function outOfRange(
  stretch: Stretch,
  from: number,
  range: { first: number; end: number },
): Problem {
  const isShort = from > range.end;
  return {
    code: isShort ? "log-shorter-than-committed" : "records-expired",
    message: isShort
      ? `Topic ${stretch.topic} ends at offset ${range.end}, but records up to ${from} are committed.`
      : `Records ${from}..${range.first - 1} of topic ${stretch.topic} are gone from it and were never handled.`,
    hint: isShort
      ? "Its log lost records (a disk failure or a copy put back). Restore it, or make the topic again."
      : "Backfill them from their source, then start the pipeline under another name, or make the topic again.",
    at: { offset: from },
  };
}

export function beyondEnd(stretch: Stretch, from: number, end: number): Problem {
  return {
    code: "start-beyond-end",
    message: `The pipeline shall start at offset ${from} of ${stretch.topic}/${stretch.partition}, which ends at ${end}.`,
    hint: "Correct `start` in the environment's file, or resume the pipeline when the topic has come as far.",
    at: { offset: from },
  };
}

export function unassigned({ topic, partition }: { topic: string; partition: number }): Problem {
  return {
    code: "source-broken",
    message: `The source gave records of ${topic}/${partition}, which it never assigned.`,
  };
}
