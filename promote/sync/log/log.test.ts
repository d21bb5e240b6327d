import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { ok } from "#snapshots/problem.ts";
import { PLAIN_STREAM } from "#snapshots/stream-settings.ts";
import type { DeadLetter, Stage } from "../dead-letters/dead-letters.ts";
import type { Epoch } from "../order/epochs.ts";
import type { PipelineEvent } from "../events.ts";
import { reasonWithoutValues } from "./log-reason.ts";
import { logAskedFor, openLog, type Log, type LogLevel } from "./log.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import { NOTHING } from "../order/progress.ts";

const spec: PipelineSpec = {
  environment: "staging",
  name: "delays",
  release: "release-1",
  topic: "flights",
  where: { kind: "embedded" },
  stream: PLAIN_STREAM,
  sinks: ["table", "search"],
  bundle: "-",
  transform: "delays",
  input: [],
  output: [],
  key: ["id"],
  maxParts: 1,
  lookups: {},
};

const epoch: Epoch = {
  topic: "flights",
  incarnation: "a",
  partition: 3,
  epoch: 1024,
  firstOffset: 10,
  release: "release-1",
  reason: "start",
  openedAt: "2001-04-01T00:00:00.000Z",
  partitions: 4,
  ordering: "offset",
};

const letter = (offset: number, changed: Partial<DeadLetter> = {}): DeadLetter => ({
  topic: "flights",
  incarnation: "a",
  partition: 3,
  offset,
  stage: "decode",
  reason: 'column `delay` is "s3cret", which is not BIGINT',
  release: "release-1",
  key: Buffer.from("s3cret"),
  value: Buffer.from("s3cret"),
  headers: [],
  timestampMs: 0,
  at: "2001-04-01T00:00:00.000Z",
  ...changed,
});

const committed = (deadLetters: DeadLetter[]): PipelineEvent => ({
  kind: "committed",
  piece: { stretch: epoch, epoch, records: [], next: 20, claim: "w1/1" },
  counts: { ...NOTHING, read: 10, written: 10 },
  deadLetters,
  tallies: [],
  oldestMs: 0,
  newestMs: 0,
});

const away = { code: "kafka-unavailable", message: "Kafka is away.", hint: "Wait." };
const start = Date.parse("2026-01-01T00:00:00.000Z");

type Told = Record<string, unknown> & { labels: Record<string, unknown> };
let log: Log | undefined;
afterEach(() => log?.close());

/** The lines that come of events, one a second. */
function told(events: readonly PipelineEvent[], level: LogLevel = "info", of = spec): Told[] {
  const lines: Told[] = [];
  let nowMs = start;
  log = openLog({
    level,
    to: { write: (text) => void lines.push(JSON.parse(text) as Told) },
    now: () => new Date(nowMs),
  });
  for (const event of events) {
    log.observe(of, event);
    nowMs += 1000;
  }
  return lines;
}

const actions = (lines: readonly Told[]): unknown[] => lines.map((line) => line["event.action"]);

describe("a line", () => {
  test("is named as the Elastic Common Schema has it", () => {
    const [line] = told([{ kind: "assigned", epoch, offset: 12 }]);
    expect(line).toEqual({
      "@timestamp": "2026-01-01T00:00:00.000Z",
      "log.level": "info",
      message: "Reads flights/3 from offset 12 in epoch 1024.",
      "ecs.version": "8.11.0",
      "service.name": "penstock",
      "service.environment": "staging",
      "event.dataset": "penstock.sync",
      "event.action": "partition-assigned",
      "process.pid": process.pid,
      "host.hostname": expect.any(String),
      labels: {
        environment: "staging",
        pipeline: "delays",
        release: "release-1",
        topic: "flights",
        partition: 3,
        offset: 12,
        epoch: 1024,
      },
    });
  });

  test("tells a halt with its cause and the way out", () => {
    const [line] = told([
      { kind: "state", state: "halted", problem: { ...away, at: { offset: 12 } } },
    ]);
    expect(line).toMatchObject({
      "log.level": "error",
      "event.action": "pipeline-halted",
      message: "Pipeline staging:delays has halted and needs a person. Kafka is away. Wait.",
      "error.code": "kafka-unavailable",
      labels: { offset: 12 },
    });
  });

  test("tells a wait once when it begins and once when it ends, with how long it took", () => {
    const again: PipelineEvent = { kind: "backoff", where: "source", problem: { ...away } };
    const over: PipelineEvent = { kind: "backoff", where: "source", problem: undefined };
    const lines = told([over, again, again, again, over, over]);
    expect(actions(lines)).toEqual(["backoff-began", "backoff-ended"]);
    expect(lines[1]).toMatchObject({
      message: "source is back after 3.0 s.",
      "event.duration": 3e9,
    });
  });

  test("tells a swap once, and the epoch of each partition", () => {
    const next = { ...epoch, release: "release-2", reason: "release", epoch: 1025 };
    const lines = told([
      { kind: "state", state: "running", problem: undefined },
      { kind: "epoch", epoch: next },
      { kind: "epoch", epoch: { ...next, partition: 2, epoch: 1026 } },
    ]);
    expect(actions(lines)).toEqual([
      "pipeline-running",
      "release-swapped",
      "epoch-opened",
      "epoch-opened",
    ]);
    expect(lines[1]?.labels).toMatchObject({ release: "release-2", previousRelease: "release-1" });
  });

  test("tells commits at debug only", () => {
    expect(told([committed([])])).toEqual([]);
    expect(told([committed([])], "debug")).toMatchObject([
      { "event.action": "committed", labels: { offset: 20, written: 10 } },
    ]);
  });
});

describe("dead letters", () => {
  test("are told with their place and their trace", () => {
    const id = "4bf92f3577b34da6a3ce929d0e0e4736";
    const headers = [{ key: "traceparent", value: Buffer.from(`00-${id}-00f067aa0ba902b7-01`) }];
    expect(told([committed([letter(15, { headers })])])).toMatchObject([
      {
        "log.level": "warn",
        message: "Dead letter: flights/3 offset 15: column `delay` cannot be read.",
        "trace.id": id,
        labels: { offset: 15, stage: "decode", epoch: 1024 },
      },
    ]);
  });

  test("are counted where there are many", () => {
    const lines = told([committed(Array.from({ length: 5000 }, (_, i) => letter(i)))]);
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)?.labels).toMatchObject({ count: 4990 });
  });

  test.each<[Stage, string, string]>([
    ["decode", 'column `delay` is "x", which is not BIGINT', "column `delay` cannot be read"],
    ["decode", 'the key\'s `id` is "x", which is not BIGINT', "the key's `id` cannot be read"],
    ["decode", 'the value is not JSON: "x"', "the value cannot be read"],
    ["decode", 'the key "x" holds no `id`', "the key cannot be read"],
    ["validate", 'expectation "late: x": column `d` is "x": x', 'expectation "late: x" is not met'],
    ["transform", "Error: x (line 3, column 9)", "the transform failed (line 3, column 9)"],
    ["transform", "Error: x", "the transform failed"],
    ["sink:search", "Elasticsearch refused it (x): x", "refused by the sink search"],
  ])("of %s: %s", (stage, reason, says) => {
    expect(reasonWithoutValues(stage, reason)).toBe(says);
  });

  test("never quote the record, whatever it holds", () => {
    const stages: Stage[] = ["decode", "validate", "transform", "sink:search"];
    const value = fc.string({ minLength: 1 }).map((text) => `s3cret${text}`);
    fc.assert(
      fc.property(value, fc.constantFrom(...stages), (text, stage) => {
        for (const reason of [
          `column \`delay\` is ${JSON.stringify(text)}, which is not BIGINT`,
          `expectation "late": column \`delay\` is ${JSON.stringify(text)}, above 5`,
          `the value is not JSON: ${text}`,
          `the key ${text} holds no \`id\``,
          `Error: ${text} (line 1, column 2)`,
          text,
        ]) {
          expect(reasonWithoutValues(stage, reason)).not.toContain("s3cret");
        }
      }),
    );
    const halts: PipelineEvent[] = [
      ["pipeline-crashed", "The pipeline met an error it does not know: s3cret"],
      ["expectation-failed", 'The expectation "late" is not met: column `d` is "s3cret", above 5.'],
      ["guest-keeps-failing", "The guest failed on 16 records. The last time: s3cret"],
    ].map(([code = "", message = ""]) => ({
      kind: "state",
      state: "halted",
      problem: { code, message },
    }));
    const lines = told([
      committed([letter(1), letter(2, { stage: "transform", reason: "Error: s3cret" })]),
      ...halts,
    ]);
    expect(lines).toHaveLength(5);
    expect(JSON.stringify(lines)).not.toContain("s3cret");
  });
});

test.each([
  [{}, undefined],
  [{ PENSTOCK_LOG: "" }, undefined],
  [{ PENSTOCK_LOG_LEVEL: "debug" }, undefined],
  [{ PENSTOCK_LOG: "json" }, "info"],
  [{ PENSTOCK_LOG: "json", PENSTOCK_LOG_LEVEL: "debug" }, "debug"],
])("%j asks for the level %s", (variables, level) => {
  expect(logAskedFor(variables)).toEqual(ok(level));
});

test("a setting that is not understood is a problem that names it", () => {
  expect(logAskedFor({ PENSTOCK_LOG: "yes", PENSTOCK_LOG_LEVEL: "loud" })).toMatchObject({
    problem: { message: 'PENSTOCK_LOG and PENSTOCK_LOG_LEVEL cannot be "yes" and "loud".' },
  });
});
