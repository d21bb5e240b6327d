import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { streamSchema } from "#snapshots/stream-settings.ts";
import { openFileLogWriter, type FileLogWriter } from "../embedded/file-log.ts";
import type { NewRecord } from "../embedded/frames.ts";
import { freshPlace, specOf, until, type FixturePlace } from "../fixture.ts";
import { openSync, type PipelineSpec, type PipelineStatus, type Sync } from "../sync.ts";
import type { Tuning } from "../tuning.ts";

const MINUTE = 60_000;

let place: FixturePlace;
let log: FileLogWriter;
let sync: Sync;

beforeEach(async () => {
  place = freshPlace();
  log = unwrap(await openFileLogWriter(place.topic("flights"), { fsync: "never" }));
});
afterEach(async () => {
  await sync.close();
  await log.close();
  place.remove();
});

const statusOf = (): PipelineStatus | undefined => sync.status()[0];
const history = () => sync.quality("staging", "delays").expectations;
const failed = (): string[] =>
  history().flatMap((row) => (row.failed > 0 ? [`${row.failed}× ${row.example}`] : []));

async function start(expectations: unknown[], tuning: Partial<Tuning> = {}): Promise<PipelineSpec> {
  const stream = streamSchema.parse({ expectations });
  const spec = await specOf(place, { stream, sinks: ["table"] });
  sync = openSync({ ...place, tuning });
  unwrap(await sync.start(spec));
  return spec;
}

async function settled(end: number): Promise<void> {
  const halted = (): string | undefined => statusOf()?.problem?.message;
  await until("all is committed", () => statusOf()?.offset === end || halted() !== undefined);
  expect([statusOf()?.offset, halted()]).toEqual([end, undefined]);
}

function flight(id: number, timestampMs: number, delay = 0): NewRecord {
  const value = {
    id,
    date: "2001-04-01T00:05:00",
    delay,
    distance: 3,
    origin: "A",
    destination: "B",
  };
  return { key: Buffer.from(String(id)), value: Buffer.from(JSON.stringify(value)), timestampMs };
}

/** So many records a minute, of so many whole minutes up to a while ago. */
function backlog(minutes: number, perMinute: number, silent?: number): NewRecord[] {
  const first = Math.floor(Date.now() / MINUTE) - minutes - 10;
  return Array.from({ length: minutes * perMinute }, (_, n) => n)
    .filter((n) => Math.floor(n / perMinute) !== silent)
    .map((n) => flight(n % 50, first * MINUTE + Math.floor((n * MINUTE) / perMinute)));
}

describe("volume, catching up", () => {
  test("a constant stream meets it, in batches however small", async () => {
    unwrap(await log.append(backlog(120, 50)));
    await start([{ volume: { lower: 0.5, upper: 2 } }], { maxRecords: 500 });
    await settled(6000);
    expect(failed()).toEqual([]);
    const counted = history().map(({ checked }) => checked);
    expect(counted).toEqual(Array.from({ length: 120 }, () => 50));
  });

  test("where it would halt, it does not, and does where a minute has none; then it goes on to the end", async () => {
    const records = backlog(90, 400, 70);
    unwrap(await log.append(records));
    await start([{ volume: { lower: 0.5 }, severity: "halt" }]);
    await until("halted", () => statusOf()?.state === "halted");
    expect(statusOf()?.problem?.message).toMatch(
      /"volume" is not met: 0 records in the minute .*, usually 400\.$/,
    );
    expect(failed()).toEqual([expect.stringContaining("1× 0 records in the minute")]);
    unwrap(await sync.resume("staging", "delays"));
    await settled(records.length);
    expect(failed()).toHaveLength(1);
  });
});

test("a record with a wrong time takes no history away, and none of the page", async () => {
  const now = Date.now();
  const wrong = [now * 1000, now * 1_000_000, now - 31 * 1440 * MINUTE];
  unwrap(await log.append([flight(1, now), ...wrong.map((time, n) => flight(n + 2, time))]));
  await start([{ range: { column: "delay", max: 100 } }, { volume: { lower: 0.5 } }]);
  await settled(4);
  unwrap(await log.append([flight(9, now, 500)]));
  await settled(5);
  const sums = new Map<string, number>();
  for (const row of history())
    sums.set(row.expectation, (sums.get(row.expectation) ?? 0) + row.checked);
  expect([...sums]).toEqual([
    ["range delay", 5],
    ["volume", 2],
  ]);
  expect(history().find(({ isCutShort }) => isCutShort)).toMatchObject({
    expectation: "volume",
    example: expect.stringContaining("offset 1: its time, "),
  });
});

test("the record that halts a pipeline is in the history, once, however often it is resumed and whatever becomes of it", async () => {
  const now = Date.now();
  unwrap(await log.append([flight(1, now)]));
  const range = { column: "delay", max: 100 };
  const spec = await start([{ range, severity: "halt" }]);
  await settled(1);
  unwrap(await log.append([flight(2, now), flight(3, now, 500), flight(4, now)]));
  const halted = (): boolean => statusOf()?.state === "halted";
  await until("halted", halted);
  for (let again = 0; again < 2; again++) {
    await sync.resume("staging", "delays");
    await until("halted again", halted);
  }
  const told = ["1× offset 2: column `delay` is 500, above 100"];
  expect(failed()).toEqual(told);
  const { expectations } = streamSchema.parse({ expectations: [{ range }] });
  unwrap(await sync.start({ ...spec, stream: { ...spec.stream, expectations } }));
  await settled(4);
  expect(failed()).toEqual(told);
  expect(history().reduce((sum, { checked }) => sum + checked, 0)).toBe(4);
});
