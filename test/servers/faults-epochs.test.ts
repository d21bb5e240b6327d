import { afterEach, expect, test } from "vitest";
import { listEpochs } from "#promote/sync/order/epochs.ts";
import { until } from "#promote/sync/fixture.ts";
import { readProgress } from "#promote/sync/order/progress.ts";
import { listRewrites } from "#promote/sync/rewrites/rewrites.ts";
import { openSync, type PipelineSpec } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import {
  deadLettersOf,
  expectedOf,
  expectSinks,
  expectSum,
  expectVerified,
  foundOf,
  livingOf,
  type Rows,
} from "./faults/compare.ts";
import { flightsOf, recordOf, seeded, valueOf, type FlightRecord } from "./faults/flights.ts";
import { readerOf } from "./faults/memory-reader.ts";
import { DELAYS, openStage, refuse, SEED, type Stage } from "./faults/stage.ts";
import { tamper } from "./faults/tamper.ts";

let stage: Stage;
afterEach(() => stage.remove());

const PATIENCE_MS = 600_000;
/** How far the topic is ahead of the pipeline while traffic is live. */
const AHEAD = 3000;

/** Sends as the pipeline takes it, so that there is traffic at all times. */
async function live(records: readonly FlightRecord[], committedBefore: number): Promise<void> {
  for (let from = 0; from < records.length; from += 500) {
    await until(
      "the pipeline keeps up",
      () => stage.committed() - committedBefore >= from - AHEAD,
      PATIENCE_MS,
    );
    await stage.send(records.slice(from, from + 500));
  }
}

/** Writes to the stage's topic, and keeps what is newest of each key, whatever partition it lies in. */
function openWriter() {
  const newest = new Map<string, FlightRecord>();
  const written: FlightRecord[] = [];
  const write = async (records: readonly FlightRecord[]): Promise<void> => {
    for (const record of records) newest.set(Buffer.from(record.key ?? "").toString(), record);
    await stage.send(records);
    written.push(...records);
  };
  return { newest, written, write };
}

test(
  "a swap, a repair of what people changed by hand, and a rollback, while updates go on",
  { timeout: 900_000, retry: 0 },
  async () => {
    stage = await openStage(3);
    const count = 24_000;
    const { records, broken } = flightsOf(seeded(SEED), {
      count,
      partitions: 3,
      startMs: Date.now(),
      broken: 0.001,
    });
    const story = `seed ${SEED}`;
    const first = await stage.spec();
    const second = await stage.spec({
      release: "release-2",
      apply: '(f) => f.delay > 60 ? null : { ...f, origin: "2 " + f.origin, late: f.delay > 30 }',
    });
    const worker = stage.worker();
    await worker.start(first);
    const sending = live(records, 0);
    const at = (share: number): Promise<void> =>
      worker.until(`${share} is committed`, () => stage.committed() >= share * count);

    await at(0.2);
    await worker.start(second);
    await at(0.45);
    const changed = await tamper(second, 60);
    expect(changed).toBe(60);
    const sync = openSync(stage.place);
    const { signal } = new AbortController();
    const repair = unwrap(
      await sync.repair(second, { signal, isApplied: true, onProgress: () => undefined }),
    );
    await sync.close();
    expect(repair.report.isEqual, story).toBe(false);
    await worker.until("the repair is done", () => {
      const rewrites = listRewrites(stage.state(), second);
      return rewrites.length > 0 && rewrites.every(({ state }) => state === "done");
    });
    await at(0.7);
    await worker.start(first);
    await sending;
    await at(1);
    await worker.close();

    const expected = await expectedOf(stage, first);
    const living = livingOf(expected, first);
    await expectSinks(stage, first, living, story);
    await expectVerified(stage, first, living, story);
    expect(deadLettersOf(stage, first), story).toEqual(broken.toSorted());
    const { counts } = readProgress(stage.state(), first);
    expect(counts, story).toMatchObject({ read: count, deadLettered: broken.length });
    expectSum(counts, story);
    const rows = [...living.values()];
    expect(
      rows.some((row) => row.includes('"2 ')),
      "rows of the second release",
    ).toBe(true);
    expect(
      rows.some((row) => !row.includes('"2 ')),
      "rows of the first release",
    ).toBe(true);
    const epochs = listEpochs(stage.state(), first);
    expect([...new Set(epochs.map(({ reason }) => reason))]).toEqual([
      "start",
      "release",
      "repair",
    ]);
  },
);

test(
  "a topic deleted and made again while it is read: its new records count, whatever their offsets",
  { timeout: 900_000, retry: 0 },
  async () => {
    stage = await openStage(3);
    const count = 8000;
    const { topic } = stage;
    const story = `seed ${SEED}`;
    const random = seeded(SEED);
    const options = { partitions: 3, broken: 0.002, startMs: Date.now() };
    const old = flightsOf(random, { ...options, count });
    // Fewer: some of the old topic's rows stay.
    const again = 2000;
    const made = flightsOf(random, { ...options, count: again });
    const spec = await stage.spec();
    const worker = stage.worker();
    await worker.start(spec);
    await stage.send(old.records);
    const incarnation = (await stage.reader.incarnation(topic)) ?? "";
    await worker.until("a third is committed", () => stage.committed() >= count / 3);
    refuse(await stage.topics.remove(topic));
    await worker.until("it is missed", () => worker.troubles.has("kafka-topic-absent"));
    refuse(await stage.topics.create({ topic, partitions: 3, config: { "retention.ms": "-1" } }));
    await stage.send(made.records);
    const offsets = (): { partition: number; incarnation: string; to: number }[] =>
      stage
        .state()
        .prepare("select partition, incarnation, next_offset from sync_offsets")
        .all()
        .map((row) => ({
          partition: Number(row["partition"]),
          incarnation: String(row["incarnation"]),
          to: Number(row["next_offset"]),
        }));
    const sumOf = (isOld: boolean): number =>
      offsets()
        .filter((row) => (row.incarnation === incarnation) === isOld)
        .reduce((sum, { to }) => sum + to, 0);
    await worker.until("the new records are committed", () => sumOf(false) === again);
    await worker.close();

    const handled = offsets().filter((row) => row.incarnation === incarnation);
    const reader = readerOf(topic, incarnation, old.records, handled);
    const before = await expectedOf(stage, spec, reader);
    const after = await expectedOf(stage, spec);
    const rows = new Map([...before.rows, ...after.rows]);
    const living = livingOf({ rows }, spec);
    await expectSinks(stage, spec, living, story);
    const fresh = livingOf(after, spec);
    const unverifiable = living.size - fresh.size;
    expect(unverifiable, "rows of the old topic alone").toBeGreaterThan(0);
    await expectVerified(stage, spec, fresh, story, unverifiable);
    expect(deadLettersOf(stage, spec), story).toEqual(
      [...before.deadLetters, ...after.deadLetters].toSorted(),
    );
    expect(after.deadLetters, story).toEqual(made.broken.toSorted());
    const { counts } = readProgress(stage.state(), spec);
    expect(counts.read, story).toBe(sumOf(true) + again);
    expect(counts.filtered, story).toBe(before.counts.filtered + after.counts.filtered);
    expectSum(counts, story);
  },
);

test(
  "partitions added while producers write on, some by what they knew before, thousands in a millisecond, and of old events afterwards: the newest record of each key is left",
  { timeout: 900_000, retry: 0 },
  async () => {
    stage = await openStage(2);
    const story = `seed ${SEED}`;
    const random = seeded(SEED);
    const spec = await stage.spec();
    const worker = stage.worker({ growth: { transitionMs: 15_000, lookBackMs: 60_000 } });
    await worker.start(spec);
    const { newest, written, write } = openWriter();
    let clockMs = Date.now();

    function flightBy(partitions: number, id: number, timestampMs: number): FlightRecord {
      const value = random() < 0.1 ? null : valueOf(id, random);
      return { ...recordOf(id, value, partitions), timestampMs };
    }

    /** Records of one moment each, a key's to whichever partition the producer that happens to write it takes. */
    async function produce(knownPartitions: readonly number[]): Promise<void> {
      await until("time goes on", () => Date.now() > clockMs);
      clockMs = Date.now();
      const records = Array.from({ length: 50 }, (_, n): FlightRecord => {
        const partitions = knownPartitions[Math.floor(random() * knownPartitions.length)] ?? 1;
        return flightBy(partitions, Math.floor(random() * 1000), clockMs + 1 + n);
      });
      clockMs = records.at(-1)?.timestampMs ?? clockMs;
      await write(records);
    }

    /** Records of one millisecond, of flights that nobody writes about again. */
    async function burst(count: number): Promise<void> {
      const timestampMs = clockMs + 1;
      await write(
        Array.from({ length: count }, () =>
          flightBy(2, 1000 + Math.floor(random() * 1000), timestampMs),
        ),
      );
      clockMs = timestampMs;
    }

    /** Later records tell of earlier events. */
    async function lookFurtherBack(count: number): Promise<void> {
      const lastMs = Date.parse("2001-04-01T00:05:00Z");
      await write(
        Array.from({ length: count }, (_, n) =>
          flightBy(4, Math.floor(random() * 1000), lastMs - n * 60_000),
        ),
      );
    }

    while (written.length < 3000) await produce([2]);
    await worker.until("some is committed", () => stage.committed() > 1000);
    refuse(await stage.topics.addPartitions(stage.topic, 4));
    const transition = (): number =>
      Math.min(
        ...listEpochs(stage.state(), spec).map((epoch) =>
          epoch.ordering === "timestamp" ? epoch.untilMs : Infinity,
        ),
      );
    while (transition() === Infinity) await produce([2, 4]);
    await burst(24_000);
    const MARGIN_MS = 500;
    while (clockMs < transition() - MARGIN_MS) await produce([2, 4]);
    while (clockMs < transition() + MARGIN_MS) await produce([4]);
    await worker.until("the transition is over in each partition", () =>
      [0, 1, 2, 3].every(
        (partition) =>
          listEpochs(stage.state(), spec).findLast((epoch) => epoch.partition === partition)
            ?.ordering === "offset",
      ),
    );
    await lookFurtherBack(4000);
    await worker.until("everything is committed", () => stage.committed() === written.length);
    await worker.close();

    const expected = await expectedOf(stage, spec);
    const living = livingOf(expected, spec);
    await expectSinks(stage, spec, living, story);
    await expectVerified(stage, spec, living, story);
    const epochs = listEpochs(stage.state(), spec);
    expect(new Set(epochs.map(({ reason }) => reason)), story).toEqual(
      new Set(["start", "partitions added", "order by offset again"]),
    );
    await expectNewest(spec, newest, story);
    expect(deadLettersOf(stage, spec), story).toEqual([]);
    const { counts } = readProgress(stage.state(), spec);
    expect(counts.read, story).toBeGreaterThanOrEqual(written.length);
    expectSum(counts, story);
  },
);

test(
  "a topic that had grown before its pipeline was made: the newest record of each key is left, from the first backlog on",
  { timeout: 900_000, retry: 0 },
  async () => {
    stage = await openStage(2);
    const story = `seed ${SEED}`;
    const random = seeded(SEED);
    const spec = await stage.spec();
    const { newest, write } = openWriter();
    let timestampMs = Date.now() - 3_600_000;

    function produce(partitions: number, ids: readonly number[]): Promise<void> {
      return write(
        ids.map((id): FlightRecord => {
          const value = random() < 0.1 ? null : valueOf(id, random);
          return { ...recordOf(id, value, partitions), timestampMs: timestampMs++ };
        }),
      );
    }
    const some = (count: number): number[] =>
      Array.from({ length: count }, () => Math.floor(random() * 2000));

    await produce(2, some(5000));
    refuse(await stage.topics.addPartitions(stage.topic, 3));
    await produce(3, some(3000));
    refuse(await stage.topics.addPartitions(stage.topic, 5));
    await produce(5, some(3000));

    const workers = [stage.worker(), stage.worker()] as const;
    for (const worker of workers) await worker.start(spec);
    await workers[0].until("some is committed", () => stage.committed() > 2000);
    await workers[1].kill();
    await produce(5, some(2000));
    await workers[0].until("everything is committed", () => stage.committed() === 13_000);
    await workers[0].close();

    const expected = await expectedOf(stage, spec);
    const living = livingOf(expected, spec);
    await expectSinks(stage, spec, living, story);
    await expectVerified(stage, spec, living, story);
    await expectNewest(spec, newest, story);
    const epochs = listEpochs(stage.state(), spec);
    expect(new Set(epochs.map(({ reason }) => reason)), story).toEqual(
      new Set(["partitions added before", "order by offset again"]),
    );
  },
);

test(
  "a grown topic written again while traffic goes on: neither a replay of letters of before nor a backfill puts an old record over a newer one, also with a worker killed in between",
  { timeout: 900_000, retry: 0 },
  async () => {
    stage = await openStage(3);
    const story = `seed ${SEED}`;
    const random = seeded(SEED);
    const strict = await stage.spec({
      apply: `(f) => { if (f.origin === "BAD") throw new Error("bad"); return (${DELAYS})(f); }`,
    });
    const mended = await stage.spec({ release: "release-2" });
    const options = { growth: { transitionMs: 8000, lookBackMs: 60_000 } };
    const workers = [stage.worker(options), stage.worker(options)] as const;
    for (const worker of workers) await worker.start(strict);
    const { newest, written, write } = openWriter();
    let clockMs = Date.now();

    async function produce(partitions: number, count = 50): Promise<void> {
      await until("time goes on", () => Date.now() > clockMs);
      clockMs = Date.now();
      await write(
        Array.from({ length: count }, (_, n) => {
          const id = Math.floor(random() * 1000);
          const value = random() < 0.1 ? null : valueOf(id, random);
          return { ...recordOf(id, value, partitions), timestampMs: clockMs + n };
        }),
      );
      clockMs += count;
    }

    async function fly(ids: readonly number[], origin: string, partitions: number): Promise<void> {
      const values = ids.map((id) => ({ ...valueOf(id, random), id, delay: 5, origin }));
      const records = values.map((value) => recordOf(value.id, value, partitions));
      await write(records.map((record) => ({ ...record, timestampMs: Date.now() })));
    }

    const isSettled = (): boolean =>
      [0, 1, 2, 3].every((partition) => {
        const own = listEpochs(stage.state(), strict).filter((one) => one.partition === partition);
        return own.at(-1)?.ordering === "offset" && own.at(-1)?.partitions === 4;
      });
    const allDone = (): boolean =>
      listRewrites(stage.state(), strict).every(({ state }) => state === "done");
    const committed = (): boolean => stage.committed() === written.length;

    while (written.length < 2500) await produce(3);
    const moving = Array.from({ length: 200 }, (_, n) => 5000 + n).filter(
      (id) => partitionIn(id, 3) !== partitionIn(id, 4),
    );
    const ways = new Set(moving.map((id) => partitionIn(id, 3) < partitionIn(id, 4)));
    expect(ways, "keys move to higher and to lower partitions").toEqual(new Set([true, false]));
    await fly(moving, "BAD", 3);
    await workers[0].until("all is read", committed);
    refuse(await stage.topics.addPartitions(stage.topic, 4));
    while (!isSettled()) await produce(4);
    await fly(moving, "NEW", 4);
    // Letters of after the growth: what follows of their identities lies behind them.
    await fly([6000, 6001], "BAD", 4);
    await fly([6000], "NEW", 4);
    const lastMs = Date.parse("2001-04-01T00:05:00Z");
    await write(
      Array.from({ length: 1500 }, (_, n) => {
        const id = Math.floor(random() * 1000);
        return { ...recordOf(id, valueOf(id, random), 4), timestampMs: lastMs - n * 60_000 };
      }),
    );
    await workers[0].until("the growth is read", committed);
    expect(deadLettersOf(stage, strict).length, story).toBe(moving.length + 2);

    for (const worker of workers) await worker.start(mended);
    const sync = openSync(stage.place);
    expect(unwrap(await sync.replay(mended, "all")), story).toEqual({
      asked: 2,
      gone: 0,
      moved: moving.length,
    });
    await workers[0].until("the replay is done", allDone);
    for (const [sink, rows] of await foundOf(stage, mended))
      for (const id of [...moving, 6000])
        expect(originOf(rows, id), `${sink}, flight ${id}; ${story}`).toBe("NEW");

    unwrap(await sync.backfill(mended));
    await workers[0].until("it has begun", () =>
      listRewrites(stage.state(), mended).some(({ state }) => state === "running"),
    );
    await workers[1].kill();
    unwrap(await sync.backfill(mended));
    await sync.close();
    while (!allDone()) await produce(4);
    await workers[0].until("everything is committed", committed);
    await workers[0].close();

    const expected = await expectedOf(stage, mended);
    const living = livingOf(expected, mended);
    await expectSinks(stage, mended, living, story);
    await expectVerified(stage, mended, living, story);
    await expectNewest(mended, newest, story);
    expect(deadLettersOf(stage, mended), story).toEqual([]);
  },
);

function partitionIn(id: number, partitions: number): number {
  return recordOf(id, null, partitions).partition;
}

/** What the records themselves say, by the order in which they were sent, apart from any epoch. */
async function expectNewest(
  spec: PipelineSpec,
  newest: ReadonlyMap<string, FlightRecord>,
  story: string,
): Promise<void> {
  const kept = [...newest.values()].filter(({ value }) => isKept(value));
  for (const [sink, rows] of await foundOf(stage, spec)) {
    expect(rows.size, `${sink}; ${story}`).toBe(kept.length);
    for (const { key, value } of kept) {
      const id = Number(Buffer.from(key ?? "").toString());
      const { delay, origin } = JSON.parse(Buffer.from(value ?? "").toString()) as Flight;
      const row = valuesOf(rows, id);
      expect([row[2], row[4]], `${sink}, flight ${id}; ${story}`).toEqual([delay, origin]);
    }
  }
}

function originOf(rows: Rows, id: number): unknown {
  return valuesOf(rows, id)[4];
}

function valuesOf(rows: Rows, id: number): unknown[] {
  const [values] = JSON.parse(rows.get(JSON.stringify([[id], 0])) ?? "[[]]") as [unknown[]];
  return values;
}

type Flight = { delay: number; origin: string };

function isKept(value: Uint8Array | null): boolean {
  return value !== null && (JSON.parse(Buffer.from(value).toString()) as Flight).delay >= -20;
}
