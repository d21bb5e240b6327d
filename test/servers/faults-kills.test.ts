import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { expectSameAsBatch } from "./faults/compare.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import { openStage, SEED } from "./faults/stage.ts";

const RECORDS = 200_000;
const PARTITIONS = 4;
const KILLS = 20;
const TUNING = { maxRecords: 3000, lingerMs: 0 };

const stage = await openStage(PARTITIONS);
afterAll(() => stage.remove());

test(
  "20 SIGKILLs of the worker in 200,000 records: both sinks equal a batch run, dead letters and counts are exact",
  { timeout: 1_800_000, retry: 0 },
  async () => {
    const random = seeded(SEED);
    const { records, broken } = flightsOf(random, {
      count: RECORDS,
      partitions: PARTITIONS,
      startMs: Date.now(),
    });
    await stage.send(records);
    const spec = await stage.spec();
    const moments = Array.from({ length: KILLS }, () =>
      Math.floor(random() * RECORDS * 0.95),
    ).toSorted((a, b) => a - b);
    const kills: string[] = [];
    for (const [i, moment] of moments.entries()) {
      const worker = stage.worker({ tuning: TUNING });
      // Every fifth falls into start-up and recovery; the others some time after a commit, wherever that meets decode, guest, sinks or commit.
      const isEarly = i % 5 === 4;
      const lateMs = random() * (isEarly ? 4000 : 400);
      const starting = worker.start(spec).catch(() => undefined);
      if (!isEarly) {
        await starting;
        await worker.until(`offset ${moment}`, () => stage.committed() >= moment);
      }
      await delay(lateMs);
      await worker.kill();
      kills.push(`${isEarly ? "start" : moment} + ${lateMs.toFixed(0)} ms`);
    }
    const worker = stage.worker({ tuning: TUNING });
    await worker.start(spec);
    await worker.until("everything is committed", () => stage.committed() === RECORDS);
    await worker.close();
    const story = `seed ${SEED}; killed at ${kills.join("; ")}`;
    expect(kills, story).toHaveLength(KILLS);
    await expectSameAsBatch(stage, spec, { records: RECORDS, broken, story });
  },
);
