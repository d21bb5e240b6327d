import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { streamSchema, type Expectation } from "#snapshots/stream-settings.ts";
import type { Column } from "#snapshots/table.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import { openDecoder } from "../decode/open-decoder.ts";
import type { SourceRecord } from "../ports.ts";
import { openExpectations, type Expectations, type Judgement } from "./expectations.ts";

const input: Column[] = [
  { name: "id", type: "VARCHAR", nullable: false },
  { name: "delay", type: "BIGINT", nullable: true },
  { name: "fare", type: "DECIMAL(9,2)", nullable: true },
  { name: "day", type: "DATE", nullable: true },
  { name: "speed", type: "DOUBLE", nullable: true },
  { name: "share", type: "FLOAT", nullable: true },
  { name: "gate", type: "TIME", nullable: true },
  { name: "seen", type: "TIMESTAMP_NS", nullable: true },
];
const decoder = unwrap(openJsonDecoder({ input, key: [] }));

type Row = {
  id: string;
  delay?: number | null;
  fare?: string;
  day?: string;
  speed?: unknown;
  share?: number;
  gate?: string;
  seen?: string;
};

function record(row: Row, offset = 0, timestampMs = 0): SourceRecord {
  const whole = Object.fromEntries(input.map(({ name }) => [name, null]));
  const value = Buffer.from(JSON.stringify({ ...whole, ...row }));
  return { offset, timestampMs, key: null, value, headers: [] };
}

/** As a source's file has them. */
function rules(...expectations: unknown[]): Expectation[] {
  return streamSchema.parse({ expectations }).expectations;
}

function open(of: readonly Expectation[]): Expectations {
  return unwrap(openExpectations(of, input));
}

function judge(
  expectations: Expectations,
  records: readonly SourceRecord[],
  { partition = 0, nowMs = 0, incarnation = "i" } = {},
): Judgement {
  const decoded = decoder.decode(records, partition);
  const stretch = { topic: "flights", incarnation, partition };
  return expectations.judge({ decoded, records, stretch, nowMs });
}

describe("a rule on a row", () => {
  test.each<[rule: unknown, row: Row, reason: string | undefined]>([
    [{ notNull: ["delay"] }, { id: "a" }, "column `delay` is null"],
    [{ notNull: ["delay", "id"] }, { id: "a", delay: 1 }, undefined],
    [{ range: { column: "delay", min: 0 } }, { id: "a", delay: -1 }, "is -1, below 0"],
    [{ range: { column: "delay", min: 0, max: 5 } }, { id: "a", delay: 5 }, undefined],
    [{ range: { column: "delay", max: 5 } }, { id: "a", delay: 6 }, "is 6, above 5"],
    [{ range: { column: "delay", max: 5 } }, { id: "a" }, undefined],
    [{ range: { column: "fare", max: "99.99" } }, { id: "a", fare: "100" }, "is 100.00, above"],
    [{ range: { column: "fare", min: -1 } }, { id: "a", fare: "-1.00" }, undefined],
    [{ range: { column: "day", min: "2001-01-01" } }, { id: "a", day: "2000-12-31" }, "2000-12-31"],
    [
      { range: { column: "gate", max: "12:00:00" } },
      { id: "a", gate: "15:09:26.5" },
      "`gate` is 15:09:26.5, above 12:00:00",
    ],
    [
      { range: { column: "seen", min: "2001-03-15" } },
      { id: "a", seen: "2001-03-14T15:09:26.535897932" },
      "`seen` is 2001-03-14T15:09:26.535897932, below 2001-03-15",
    ],
    [{ range: { column: "speed", min: 0 } }, { id: "a", speed: "NaN" }, "is NaN, below 0"],
    [{ range: { column: "share", max: 0.1 } }, { id: "a", share: 0.1 }, undefined],
    [{ range: { column: "share", min: 0.1 } }, { id: "a", share: 0.1 }, undefined],
    [{ range: { column: "share", max: 0.1 } }, { id: "a", share: Math.fround(0.1) }, undefined],
    [{ range: { column: "share", max: 0.1 } }, { id: "a", share: 0.11 }, "is 0.11, above 0.1"],
    [{ set: { column: "share", values: [0.1] } }, { id: "a", share: Math.fround(0.1) }, undefined],
    [{ set: { column: "share", values: [0.1] } }, { id: "a", share: 0.1 }, undefined],
    [{ set: { column: "share", values: [0.1] } }, { id: "a", share: 0.2 }, "is 0.2, which"],
    [{ set: { column: "id", values: ["a", "b"] } }, { id: "a" }, undefined],
    [{ set: { column: "id", values: ["a", "b"] } }, { id: "c" }, "not one of the expected values"],
    [{ set: { column: "fare", values: [1.5] } }, { id: "c", fare: "1.50" }, undefined],
    [{ pattern: { column: "id", regex: "[A-Z]{2}\\d+" } }, { id: "DL12" }, undefined],
    [{ pattern: { column: "id", regex: "[A-Z]{2}\\d+" } }, { id: "DL12x" }, "does not match"],
    [{ freshness: { maxAge: "5m" } }, { id: "a" }, "the record is 301 s old, more than 300 s"],
    [{ freshness: { maxAge: "6m" } }, { id: "a" }, undefined],
  ])("%j of %j", (rule, row, reason) => {
    const [expectation] = rules({ ...(rule as object), severity: "deadLetter" });
    const judged = judge(open(expectation ? [expectation] : []), [record(row)], {
      nowMs: 301_000,
    });
    const [failure] = judged.decoded.failures;
    expect(judged.tallies).toMatchObject([{ checked: 1, failed: reason === undefined ? 0 : 1 }]);
    if (reason === undefined) expect(failure).toBeUndefined();
    else
      expect(failure).toMatchObject({
        record: 0,
        stage: "validate",
        reason: expect.stringContaining(reason),
      });
  });

  test("a pattern that makes backtracking engines hang comes to an end", () => {
    const expectations = open(
      rules({ pattern: { column: "id", regex: "(a+)+b" }, severity: "deadLetter" }),
    );
    const judged = judge(expectations, [record({ id: "a".repeat(20_000) })]);
    expect(judged.tallies).toMatchObject([{ checked: 1, failed: 1 }]);
  });
});

describe("severity", () => {
  const late = [record({ id: "a", delay: 1 }, 7), record({ id: "b", delay: 9 }, 8)];
  const range = { range: { column: "delay", max: 5 } };

  test("flag counts and passes on", () => {
    const { decoded, tallies, halt } = judge(open(rules(range)), late);
    expect([decoded.rows, halt]).toEqual([2, undefined]);
    expect(tallies).toEqual([
      {
        expectation: "range delay",
        minute: 0,
        checked: 2,
        failed: 1,
        example: "offset 8: column `delay` is 9, above 5",
      },
    ]);
  });

  test("deadLetter takes the row out, and what is encoded is what is left", () => {
    const { decoded } = judge(open(rules({ ...range, severity: "deadLetter", name: "r" })), late);
    expect([decoded.rows, [...decoded.recordOfRow]]).toEqual([1, [0]]);
    expect(decoded.values[0]).toEqual(["a"]);
    expect(decoded.failures).toEqual([
      { record: 1, stage: "validate", reason: 'expectation "r": column `delay` is 9, above 5' },
    ]);
  });

  test("halt names the record", () => {
    const { halt } = judge(open(rules({ ...range, severity: "halt" })), late);
    expect(halt).toMatchObject({
      expectation: "range delay",
      offset: 8,
      problem: {
        code: "expectation-failed",
        message: expect.stringContaining('"range delay" is not met: column `delay` is 9'),
        at: { offset: 8 },
      },
    });
  });

  test("of several that halt it names the first record, wherever the batch is cut", () => {
    const notNull = { notNull: ["fare"], severity: "halt" };
    const fares = rules({ ...range, severity: "halt" }, notNull);
    const of = [record({ id: "a", delay: 1, fare: "1.00" }, 3), ...late];
    for (const records of [of, of.slice(0, 2)])
      expect(judge(open(fares), records).halt).toMatchObject({
        expectation: "notNull fare",
        offset: 7,
      });
  });

  test("a record that was counted when it made the pipeline halt is judged again, and counted no more", () => {
    const halting = rules({ ...range, severity: "halt" });
    const place = { topic: "flights", partition: 0, expectation: "range delay", offset: 8 };
    const reopened = (incarnation: string): Judgement =>
      judge(unwrap(openExpectations(halting, input, [{ ...place, incarnation }])), late);
    expect(reopened("i")).toMatchObject({
      halt: { offset: 8 },
      tallies: [{ checked: 1, failed: 0 }],
    });
    expect(reopened("another")).toMatchObject({ tallies: [{ checked: 2, failed: 1 }] });
  });
});

describe("a rule that does not fit its contract is refused before anything is read", () => {
  test.each<[rule: unknown, message: string]>([
    [{ notNull: ["nope"] }, 'Expectation "notNull nope": There is no column `nope`'],
    [{ range: { column: "id", min: 1 } }, "Column `id` (VARCHAR) has no range"],
    [{ range: { column: "day", min: 5 } }, "has a limit that is 5, which is not a date"],
    [{ set: { column: "delay", values: ["x"] } }, "has an expected value that"],
    [{ pattern: { column: "delay", regex: "x" } }, "is not text"],
    [{ pattern: { column: "id", regex: "(?=x)" } }, "cannot be used"],
  ])("%j", (rule, message) => {
    const opened = openExpectations(rules(rule), input);
    expect(opened.ok ? "" : opened.problem.message).toContain(message);
  });

  test.each<[rule: unknown, message: string]>([
    [{ volume: { lower: 0.5 }, severity: "deadLetter" }, ""],
    [{ volume: {} }, ""],
    [{ freshness: { maxAge: "5 minutes" } }, ""],
    [{ range: { column: "x" } }, ""],
  ])("%j does not parse", (rule) => {
    expect(streamSchema.safeParse({ expectations: [rule] }).success).toBe(false);
  });

  test("two of one name do not parse", () => {
    const twice = [{ notNull: ["id"] }, { notNull: ["id"] }];
    const parsed = streamSchema.safeParse({ expectations: twice });
    expect(parsed.error?.issues[0]?.message).toContain('called "notNull id"');
  });
});

describe("unique", () => {
  const within = (window: unknown) =>
    rules({ unique: { columns: ["id"], within: window }, severity: "deadLetter" });
  const doubles = ({ decoded }: Judgement): number[] => decoded.failures.map((f) => f.record);

  test("a value repeats within the window of its first record", () => {
    const expectations = open(within("10m"));
    const at = (minutes: number, offset: number) => record({ id: "a" }, offset, minutes * 60_000);
    const judged = judge(expectations, [at(0, 0), at(9, 1), at(10, 2), at(19, 3), at(21, 4)]);
    expect(doubles(judged)).toEqual([1, 3]);
    expect(judged.decoded.failures[0]?.reason).toContain(
      "repeats the record at flights/0 offset 0",
    );
  });

  test("a window of rows", () => {
    const ids = ["a", "b", "a", "c", "d", "a"];
    const records = ids.map((id, offset) => record({ id }, offset));
    expect(doubles(judge(open(within({ records: 3 })), records))).toEqual([2]);
  });

  test("what is delivered again is judged as before: no record is its own double", () => {
    const expectations = open(within("10m"));
    const records = ["a", "a", "b"].map((id, offset) => record({ id }, offset));
    expect(doubles(judge(expectations, records))).toEqual([1]);
    expect(doubles(judge(expectations, records))).toEqual([1]);
    expect(doubles(judge(expectations, records.slice(1)))).toEqual([0]);
  });

  test("of a topic made again nothing repeats a record of the one before, and doubles are doubles from its start", () => {
    const expectations = open(within("10m"));
    const first = ["a", "b", "c"].map((id, offset) => record({ id }, offset));
    expect(doubles(judge(expectations, first))).toEqual([]);
    const again = ["c", "c", "b", "a"].map((id, offset) => record({ id }, offset));
    expect(doubles(judge(expectations, again, { incarnation: "j" }))).toEqual([1]);
  });

  test("what is remembered of a text column keeps no record alive", () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage: unknown = runInNewContext("gc");
    if (typeof collectGarbage !== "function") throw new Error("there is no gc");
    const text: Column[] = [
      { name: "id", type: "VARCHAR", nullable: false },
      { name: "rest", type: "VARCHAR", nullable: false },
    ];
    const stream = streamSchema.parse({ format: "csv" });
    const csv = unwrap(openDecoder({ input: text, key: [], stream }));
    const expectations = unwrap(openExpectations(within("10m"), text));
    const heap = (): number => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = heap();
    const values = 20_000;
    for (let from = 0; from < values; from += 500) {
      const records = Array.from({ length: 500 }, (_, i) => ({
        ...record({ id: "" }, from + i),
        value: Buffer.from(`identity-number-${from + i},${"x".repeat(2000)}`),
      }));
      const stretch = { topic: "flights", incarnation: "i", partition: 0 };
      const outcome = csv.decode(records, "flights", 0);
      if (!("decoded" in outcome)) throw new Error("csv is decoded at once");
      expectations.judge({ decoded: outcome.decoded, records, stretch, nowMs: 0 });
    }
    expect((heap() - before) / values).toBeLessThan(400);
    const again = [1, 2].map((offset) => record({ id: "identity-number-1" }, offset));
    expect(doubles(judge(open(within("10m")), again))).toEqual([1]);
  });

  test("in another partition it is a double all the same", () => {
    const expectations = open(within("10m"));
    judge(expectations, [record({ id: "a" }, 5)]);
    expect(doubles(judge(expectations, [record({ id: "a" }, 1)], { partition: 1 }))).toEqual([0]);
  });
});

describe("laws", () => {
  const row = fc.record({
    id: fc.constantFrom("a", "b", "c", "d", "e"),
    delay: fc.option(fc.integer({ min: -10, max: 10 })),
    minute: fc.nat(30),
    isBroken: fc.boolean(),
  });
  const someRules = rules(
    { range: { column: "delay", min: 0 }, severity: "deadLetter" },
    { notNull: ["delay"], severity: "deadLetter" },
    { set: { column: "id", values: ["a", "b", "c", "d"] } },
    { unique: { columns: ["id"], within: "5m" }, severity: "deadLetter" },
    { unique: { columns: ["id", "delay"], within: { records: 7 } }, name: "rows" },
  );
  type Case = { id: string; delay: number | null; minute: number; isBroken: boolean };
  const records = (rows: readonly Case[]): SourceRecord[] =>
    rows.map(({ id, delay, minute, isBroken }, offset) =>
      isBroken
        ? { ...record({ id }, offset), value: Buffer.from("{") }
        : record({ id, delay }, offset, minute * 60_000),
    );

  test("records = passed on + dead-lettered, and a tally counts each row once", () => {
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const of = records(rows);
        const { decoded, tallies } = judge(open(someRules), of);
        const failed = new Set(decoded.failures.map((failure) => failure.record));
        expect(failed.size).toBe(decoded.failures.length);
        expect(decoded.rows + failed.size).toBe(of.length);
        const whole = rows.filter(({ isBroken }) => !isBroken).length;
        for (const { checked } of tallies) expect(checked).toBe(whole);
      }),
    );
  });

  test("it does not matter where batches are cut", () => {
    fc.assert(
      fc.property(fc.array(row), fc.array(fc.nat(40), { maxLength: 6 }), (rows, cuts) => {
        const of = records(rows);
        const whole = judge(open(someRules), of);
        const inParts = open(someRules);
        const edges = [
          0,
          ...cuts.filter((c) => c <= of.length).toSorted((a, b) => a - b),
          of.length,
        ];
        const parts = edges.slice(1).map((to, i) => of.slice(edges[i] ?? 0, to));
        const judged = parts.map((part) => judge(inParts, part));
        const reasons = judged.flatMap(({ decoded }, n) =>
          decoded.failures.map((f) => [parts[n]?.[f.record]?.offset, f.stage, f.reason]),
        );
        const byOffset = (a: unknown[], b: unknown[]): number => Number(a[0]) - Number(b[0]);
        expect(reasons.toSorted(byOffset)).toEqual(
          whole.decoded.failures
            .map((f): unknown[] => [f.record, f.stage, f.reason])
            .toSorted(byOffset),
        );
        for (const { expectation, failed } of whole.tallies) {
          const own = judged.flatMap(({ tallies }) =>
            tallies.filter((t) => t.expectation === expectation),
          );
          expect(own.reduce((sum, tally) => sum + tally.failed, 0)).toBe(failed);
        }
      }),
    );
  });
});
