import { afterAll, expect, test } from "vitest";
import { readProgress } from "#promote/sync/order/progress.ts";
import {
  expectedOf,
  expectSameAsBatch,
  expectSinks,
  expectSum,
  expectVerified,
  livingOf,
} from "./faults/compare.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import { openStage, SEED } from "./faults/stage.ts";

const RECORDS = 20_000;
const stage = await openStage(4);
afterAll(() => stage.remove());

test(
  "without any fault: 20,000 records through Kafka leave Cassandra and Elasticsearch as a batch run does",
  { timeout: 900_000, retry: 0 },
  async () => {
    const { records, broken } = flightsOf(seeded(SEED), {
      count: RECORDS,
      partitions: 4,
      startMs: Date.now(),
      broken: 0.001,
    });
    const spec = await stage.spec();
    const worker = stage.worker();
    await worker.start(spec);
    await stage.send(records);
    await worker.until("everything is committed", () => stage.committed() === RECORDS);
    await worker.close();
    expect(broken.length).toBeGreaterThan(0);
    await expectSameAsBatch(stage, spec, { records: RECORDS, broken, story: `seed ${SEED}` });
  },
);

test(
  "offsets set back to the start, the group's and the pipeline's own: all is delivered again, and nothing changes",
  { timeout: 900_000, retry: 0 },
  async () => {
    const spec = await stage.spec();
    const expected = livingOf(await expectedOf(stage, spec), spec);
    const before = readProgress(stage.state(), spec).counts;
    const groupId = `penstock.${spec.environment}.${spec.name}`;
    await stage.kafka.resetOffsets({ groupId, topic: stage.topic, earliest: true });
    stage.state().exec("update sync_offsets set next_offset = 0");
    const worker = stage.worker();
    await worker.start(spec);
    await worker.until("everything is committed again", () => stage.committed() === RECORDS);
    await worker.close();
    const story = `seed ${SEED}; offsets set back`;
    await expectSinks(stage, spec, expected, story);
    await expectVerified(stage, spec, expected, story);
    const { counts } = readProgress(stage.state(), spec);
    expect(counts.read, story).toBe(2 * before.read);
    expect(counts.deadLettered, story).toBe(2 * before.deadLettered);
    expect(counts.filtered, story).toBe(2 * before.filtered);
    expectSum(counts, story);
  },
);
