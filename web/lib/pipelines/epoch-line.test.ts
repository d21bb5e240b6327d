import { expect, test } from "vitest";
import type { Epoch } from "#promote/sync/order/epochs.ts";
import { epochEvents, numbers } from "./epoch-line.ts";

const epoch = (number: number, partition: number, more: Partial<Epoch> = {}): Epoch =>
  ({
    epoch: number,
    topic: "flights",
    incarnation: "a",
    partition,
    firstOffset: 0,
    release: "8c41d0",
    reason: "start",
    openedAt: "2026-11-25T10:00:00.000Z",
    partitions: 2,
    ordering: "offset",
    ...more,
  }) as Epoch;

test("what opened in every partition at once is one event, newest first", () => {
  const swap = { reason: "release", release: "2b7e90", openedAt: "2026-11-25T11:00:00.000Z" };
  const events = epochEvents([
    epoch(1024, 0),
    epoch(1025, 1),
    epoch(1026, 0, swap),
    epoch(1027, 1, { ...swap, openedAt: "2026-11-25T11:00:01.000Z" }),
  ]);
  expect(events.map((event) => [event.reason, numbers(event)])).toEqual([
    ["release", "1026–1027"],
    ["start", "1024–1025"],
  ]);
});

test("a pipeline of several topics begins in all of them at once; a topic is made again by itself", () => {
  const again = { reason: "topic made again", topic: "trips", incarnation: "c" };
  const events = epochEvents([
    epoch(1024, 0),
    epoch(1025, 1),
    epoch(1026, 0, { topic: "trips", incarnation: "b" }),
    epoch(1027, 0, again),
    epoch(1028, 0, { reason: "topic made again", incarnation: "d" }),
  ]);
  expect(events.map(({ topics, epochs }) => [topics.join(), epochs.length])).toEqual([
    ["flights", 1],
    ["trips", 1],
    ["flights,trips", 3],
  ]);
});

test("two repairs of one partition are two events, however close", () => {
  const events = epochEvents([
    epoch(1030, 0, { reason: "repair" }),
    epoch(1031, 0, { reason: "repair" }),
  ]);
  expect(events).toHaveLength(2);
});

test("a transition says until when time decides", () => {
  const [event] = epochEvents([
    epoch(1040, 0, {
      reason: "partitions added",
      ordering: "timestamp",
      untilMs: 5,
    }),
  ]);
  expect(event?.untilMs).toBe(5);
});
