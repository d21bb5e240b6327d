import { expect, test } from "vitest";
import { deadLetterRecord } from "./dead-letter-record.ts";
import type { DeadLetter } from "./dead-letters.ts";
import type { KafkaRecord } from "../kafka/producer.ts";

const LETTER: DeadLetter = {
  topic: "flights",
  incarnation: "i",
  partition: 2,
  offset: 70,
  stage: "decode",
  reason: 'column `delay` is BIGINT, the value is "später"',
  release: "r1",
  key: Buffer.from("k"),
  value: Buffer.from("value"),
  headers: [{ key: "traceparent", value: Buffer.from("00-ab") }],
  timestampMs: 1000,
  at: "2026-01-01T00:00:00.000Z",
};
const CONNECT = [
  "__connect.errors.topic=flights",
  "__connect.errors.partition=2",
  "__connect.errors.offset=70",
  "__connect.errors.connector.name=production:delays",
  "__connect.errors.stage=decode",
  "__connect.errors.exception.class.name=Penstock",
  '__connect.errors.exception.message=column `delay` is BIGINT, the value is "später"',
  "penstock.release=r1",
  "penstock.failed.at=2026-01-01T00:00:00.000Z",
];

test("a letter is its record, with Kafka Connect's headers behind its own", () => {
  const record = deadLetterRecord(LETTER, "production:delays");
  expect(record).toMatchObject({ key: LETTER.key, value: LETTER.value, timestampMs: 1000 });
  expect(headersOf(record)).toEqual(["traceparent=00-ab", ...CONNECT]);
});

test("a smaller one has an empty value, then no headers of its own, then no key; each says how large what it lacks is", () => {
  const [, noValue, noHeaders, noKey, ...rest] = everSmaller(LETTER);
  expect(noValue).toMatchObject({ key: LETTER.key, value: new Uint8Array(), timestampMs: 1000 });
  expect(headersOf(noValue)).toEqual(["traceparent=00-ab", ...CONNECT, "penstock.value.omitted=5"]);
  expect(noHeaders).toMatchObject({ key: LETTER.key, value: new Uint8Array() });
  expect(headersOf(noHeaders)).toEqual([
    ...CONNECT,
    "penstock.value.omitted=5",
    "penstock.headers.omitted=16",
  ]);
  expect(noKey).toMatchObject({ key: null, value: new Uint8Array() });
  expect(headersOf(noKey).slice(CONNECT.length)).toEqual([
    "penstock.value.omitted=5",
    "penstock.headers.omitted=16",
    "penstock.key.omitted=1",
  ]);
  expect(rest).toEqual([]);
});

test("what a letter has not is not left out: a tombstone stays one, whatever else goes", () => {
  const tombstone = everSmaller({ ...LETTER, value: null, headers: [] });
  expect(tombstone.map(({ key, value }) => [key === null, value])).toEqual([
    [false, null],
    [true, null],
  ]);
});

test("one whose time is not taken has the time it failed, once, and tells its own", () => {
  const record = deadLetterRecord(LETTER, "p").instead?.("time");
  expect(record).toMatchObject({ value: LETTER.value, timestampMs: Date.parse(LETTER.at) });
  expect(headersOf(record).at(-1)).toBe("penstock.timestamp=1000");
  expect(record?.instead?.("time")).toBeUndefined();
  const smaller = record?.instead?.("size");
  expect(smaller).toMatchObject({ value: new Uint8Array(), timestampMs: Date.parse(LETTER.at) });
  expect(headersOf(smaller).slice(-2)).toEqual([
    "penstock.timestamp=1000",
    "penstock.value.omitted=5",
  ]);
});

const reasons = [
  { of: "4,096 bytes", reason: "x".repeat(4096), told: "x".repeat(4096) },
  { of: "one byte more", reason: "x".repeat(4097), told: `${"x".repeat(4093)}…` },
  { of: "two-byte letters", reason: "ä".repeat(3000), told: `${"ä".repeat(2046)}…` },
  { of: "letters beyond UTF-16's units", reason: "😀".repeat(2000), told: `${"😀".repeat(1023)}…` },
];
test.each(reasons)("a reason of $of is told in at most 4,096 bytes, whole letters", (c) => {
  const record = deadLetterRecord({ ...LETTER, reason: c.reason }, "p");
  const told = record.headers?.find(({ key }) => key === "__connect.errors.exception.message");
  expect(told?.value.length).toBeLessThanOrEqual(4096);
  expect(Buffer.from(told?.value ?? []).toString()).toBe(c.told);
});

function headersOf(record: KafkaRecord | undefined): string[] {
  return (record?.headers ?? []).map(({ key, value }) => `${key}=${Buffer.from(value).toString()}`);
}

function everSmaller(letter: DeadLetter): KafkaRecord[] {
  const records = [deadLetterRecord(letter, "production:delays")];
  for (let next = records[0]?.instead?.("size"); next !== undefined; next = next.instead?.("size"))
    records.push(next);
  return records;
}
