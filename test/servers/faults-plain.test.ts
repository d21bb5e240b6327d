import { afterAll, expect, test } from "vitest";
import { expectSameAsBatch } from "./faults/compare.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import { openStage, SEED } from "./faults/stage.ts";

const RECORDS = 20_000;
const stage = await openStage(4);
afterAll(() => stage.remove());

test("without any fault: 20,000 records through Kafka leave Cassandra and Elasticsearch as a batch run does", async () => {
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
});
