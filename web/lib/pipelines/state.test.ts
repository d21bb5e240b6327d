import { expect, test } from "vitest";
import type { PipelineStatus } from "#promote/sync/workers/status.ts";
import { lagText, ledger, troubles, verdict } from "./state.ts";

const status = (more: Partial<PipelineStatus>): PipelineStatus =>
  ({
    environment: "production",
    name: "delays",
    state: "flowing",
    read: 0,
    written: 0,
    filtered: 0,
    stale: 0,
    deadLettered: 0,
    retracted: 0,
    lag: 0,
    ...more,
  }) as PipelineStatus;

test.each([
  [[], 0, "Nothing runs yet."],
  [[status({})], 2, "2 pipelines should run and do not."],
  [[status({}), status({ state: "idle" })], 0, "All 2 flow. Nothing is dead-lettered."],
  [[status({ deadLettered: 59 })], 0, "It flows. 59 records dead-lettered."],
  [[status({}), status({ state: "paused" })], 0, "1 flowing, 1 paused. Nothing is dead-lettered."],
  [[status({ state: "backing-off" }), status({})], 0, "production / delays is backing off."],
  [
    [status({ state: "backing-off" }), status({ state: "halted", environment: "staging" })],
    0,
    "staging / delays is halted.",
  ],
])("the page in one sentence %#", (pipelines, missing, sentence) => {
  expect(verdict(pipelines, missing)).toBe(sentence);
});

test("read = written + filtered + stale + dead-lettered, and what is missing to it is on the way", () => {
  const whole = ledger(status({ read: 100, written: 90, filtered: 7, stale: 1, deadLettered: 2 }));
  expect(whole.terms.map(({ value }) => value)).toEqual([90, 7, 1, 2]);
  expect(ledger(status({ read: 100, written: 90, filtered: 7 })).terms.at(-1)).toEqual({
    value: 3,
    word: "on the way",
  });
});

test("lag is counted in records", () => {
  expect([lagText({ lag: 0 }), lagText({ lag: 1_026 })]).toEqual(["no lag", "1,026 behind"]);
});

test("a sink that backs off is named beside those that are fine, and its problem is told once", () => {
  const problem = { code: "away", message: "Elasticsearch does not answer." };
  const sinks = [
    { name: "table", rows: 5 },
    { name: "search", rows: 4, problem },
  ];
  expect(troubles({ problem, sinks })).toEqual([
    { key: "search", title: "Sink search is backing off; table is fine.", problem },
  ]);
  const other = { code: "away", message: "Kafka does not answer." };
  expect(troubles({ problem: other, sinks }).map(({ key }) => key)).toEqual(["", "search"]);
  expect(troubles({ sinks: [{ name: "table", rows: 5 }] })).toEqual([]);
  const readers = "People read flights-000001, which receives nothing any more.";
  expect(troubles({ sinks: [{ name: "search", rows: 5, readers }] })).toEqual([
    {
      key: "readers of search",
      title: "Readers of search are behind.",
      problem: { code: "readers-behind", message: readers },
    },
  ]);
});
