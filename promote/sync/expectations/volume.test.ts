import { expect, test } from "vitest";
import {
  countMinutes,
  firstOpen,
  judgeMinutes,
  KEPT_MINUTES,
  passedBy,
  type MinuteCount,
} from "./volume.ts";

const NOW = 1_000_000;
const nowMs = NOW * 60_000 + 30_000;
const recordAt = (timestampMs: number, offset = 0) => ({
  offset,
  timestampMs,
  key: null,
  value: null,
  headers: [],
});
const steady = (to: number): MinuteCount[] =>
  Array.from({ length: to }, (_, minute) => ({ minute, checked: 100 }));
const rule = { expectation: "volume", severity: "flag", lower: 0, upper: Infinity } as const;

test.each<[checked: number, limits: object, minutes: number[]]>([
  [100, { lower: 0.5, upper: 2 }, []],
  [49, { lower: 0.5 }, [20]],
  [50, { lower: 0.5 }, []],
  [200, { upper: 2 }, []],
  [201, { upper: 2 }, [20]],
])("%d records against the usual 100 by %j", (checked, limits, minutes) => {
  const counted = [...steady(20), { minute: 20, checked }];
  const failed = judgeMinutes({ ...rule, ...limits }, counted, { next: 0, open: 21 });
  expect(failed.map(({ minute }) => minute)).toEqual(minutes);
});

test("minutes without a record are judged, those of one hour after the last that has some", () => {
  const few = { ...rule, lower: 0.5 };
  const why = "0 records in the minute 1970-01-01T00:20Z, usually 100";
  expect(judgeMinutes(few, steady(20), { next: 20, open: 21 })).toEqual([{ minute: 20, why }]);
  const later = [...steady(20), { minute: 500, checked: 100 }];
  const silent = judgeMinutes(few, later, { next: 22, open: 501 });
  expect(silent.map(({ minute }) => minute)).toEqual(Array.from({ length: 58 }, (_, n) => n + 22));
});

test("nothing is judged against less than ten minutes", () => {
  const few = { ...rule, lower: 0.5 };
  for (const [minutes, failed] of [
    [9, 0],
    [10, 1],
  ] as const)
    expect(judgeMinutes(few, steady(minutes), { next: 0, open: minutes + 1 })).toHaveLength(failed);
});

test.each<[what: string, timestampMs: number, told: string]>([
  ["in microseconds", nowMs * 1000, "offset 7: its time, 3871-04-29T"],
  [
    "in nanoseconds",
    nowMs * 1_000_000,
    `offset 7: its time, ${nowMs * 1_000_000} ms, is no minute`,
  ],
  ["of 31 days ago", nowMs - 31 * 86_400_000, "is no minute of the last 30 days; not counted"],
  ["that is none", -1, "offset 7: its time, 1969-12-31T23:59:59.999Z"],
])("a time %s is no minute, and is told of", (_, timestampMs, told) => {
  const { counts, elsewhere } = countMinutes([recordAt(nowMs), recordAt(timestampMs, 7)], nowMs);
  expect(counts).toEqual([{ minute: NOW, checked: 1 }]);
  expect(elsewhere).toContain(told);
});

test("a time within 30 days, or a little ahead of the clock, is a minute", () => {
  const minutes = [NOW - KEPT_MINUTES + 1, NOW + 10];
  const { counts, elsewhere } = countMinutes(
    minutes.map((minute) => recordAt(minute * 60_000)),
    nowMs,
  );
  expect(counts.map(({ minute }) => minute)).toEqual(minutes);
  expect(elsewhere).toBeUndefined();
});

test.each<[times: number[], passed: number]>([
  [[5000], 5000],
  [[5000, 6000, 7000], 6000],
  [[5000, 9_000_000, 6000, 7000], 6000],
  [[5000, nowMs * 1000, nowMs * 1000, 7000], 5000],
  [[nowMs * 1000], 0],
  [[-1, -1], 0],
  [[], 0],
])("records of %j show that their partition has come to %d", (times, passed) => {
  expect(
    passedBy(
      times.map((time) => recordAt(time)),
      nowMs,
    ),
  ).toBe(passed);
});

test("a minute is over a minute after its end, by the clock and by what was read", () => {
  expect(firstOpen(10 * 60_000 - 1, nowMs)).toBe(8);
  expect(firstOpen(10 * 60_000, nowMs)).toBe(9);
  expect(firstOpen(nowMs + 9_000_000, nowMs)).toBe(NOW - 1);
});
