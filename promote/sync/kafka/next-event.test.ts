import { expect, test } from "vitest";
import type { KafkaClient } from "./client.ts";
import { heldOf } from "./held-fixture.ts";
import { openNextEvent } from "./next-event.ts";
import { openWorker, trouble } from "./worker.ts";

const REQUEST = { maxRecords: 1, maxBytes: 1 << 20, waitMs: 0 };

/** Polls of a source that has records of one partition and is in trouble with another, at these times. */
function pollsAt(times: readonly number[]): string[] {
  // Nothing is asked of a client to say what is there.
  const worker = openWorker({} as KafkaClient);
  const record = { timestampMs: 0, key: null, value: null, headers: [] };
  const records = times.map((_, offset) => ({ ...record, offset }));
  const chunk = { bytes: 0, from: 0, next: records.length, source: undefined, records, at: 0 };
  worker.held.set("t/0", { ...heldOf("id"), queue: [chunk] });
  trouble(worker, "fetch", { code: "kafka-unavailable", message: "t/1 has no leader." });
  const next = openNextEvent(worker);
  return times.map((nowMs) => next(REQUEST, nowMs)?.kind ?? "nothing");
}

test("trouble with one partition is told of once a second while others always bring something, and holds none of that up", () => {
  expect(pollsAt([0, 10, 500, 999, 1000, 1001, 2500])).toEqual([
    "retryAfter",
    "records",
    "records",
    "records",
    "retryAfter",
    "records",
    "retryAfter",
  ]);
});
