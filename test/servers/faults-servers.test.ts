import { afterEach, describe, expect, test } from "vitest";
import { until } from "#promote/sync/fixture.ts";
import { livingReports } from "#promote/sync/workers/workers.ts";
import {
  freezeServer,
  killServer,
  stackStatus,
  startServer,
  thawServer,
  type ServerName,
} from "../../deploy/stack/stack.mjs";
import { expectSameAsBatch } from "./faults/compare.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import { openStage, SEED, type Stage } from "./faults/stage.ts";
import type { FaultWorker } from "./faults/worker.ts";

const RECORDS = 24_000;
const PARTITIONS = 3;
const FROZEN_MS = 30_000;
const isOurs = (await stackStatus(["kafka", "cassandra", "elasticsearch"])).every(
  ({ way }) => way !== "given",
);

let stage: Stage;
afterEach(() => stage.remove());

/** Each server in turn meets its fault while a share of the records is on its way. */
async function underFaults(
  faults: readonly (readonly [ServerName, (worker: FaultWorker) => Promise<void>])[],
): Promise<ServerName[]> {
  stage = await openStage(PARTITIONS);
  const { records, broken } = flightsOf(seeded(SEED), {
    count: RECORDS,
    partitions: PARTITIONS,
    startMs: Date.now(),
    broken: 0.001,
  });
  const spec = await stage.spec();
  const worker = stage.worker();
  await worker.start(spec);
  const share = RECORDS / faults.length;
  for (const [n, [server, strike]] of faults.entries()) {
    await stage.send(records.slice(n * share, (n + 1) * share));
    const isUnderWay = (): boolean => stage.committed() >= (n + 0.2) * share;
    await worker.until(`records flow before ${server}'s fault`, isUnderWay);
    expect(stage.committed(), `${server} is struck mid-stream`).toBeLessThan((n + 1) * share);
    await strike(worker);
    const isThrough = (): boolean => stage.committed() === (n + 1) * share;
    await worker.until(`everything is committed after ${server}'s fault`, isThrough);
  }
  await worker.close();
  await expectSameAsBatch(stage, spec, { records: RECORDS, broken, story: `seed ${SEED}` });
  return faults.map(([server]) => server);
}

/** Who waits while a server is away. */
const WAITS = { kafka: "source", cassandra: "table", elasticsearch: "search" } as const;

/** It waits for this one, whatever else it has been waiting for. */
function misses(worker: FaultWorker, server: keyof typeof WAITS): boolean {
  return WAITS[server] in worker.seen().backoffs;
}

const killed = (server: keyof typeof WAITS) =>
  [
    server,
    async (worker: FaultWorker): Promise<void> => {
      await killServer(server);
      try {
        // Whatever was in flight may still pass; then the worker says what it waits for.
        await worker.until(`${server} is missed`, () => misses(worker, server));
      } finally {
        await startServer(server);
      }
    },
  ] as const;

const frozen = (server: ServerName) =>
  [
    server,
    async (): Promise<void> => {
      await freezeServer(server);
      const endMs = Date.now() + FROZEN_MS;
      const isOver = (): boolean => {
        const living = livingReports(stage.state(), Date.now());
        expect(living, `the worker reports while ${server} does not answer`).toHaveLength(1);
        return Date.now() > endMs;
      };
      try {
        await until("half a minute has passed", isOver);
      } finally {
        await thawServer(server);
      }
    },
  ] as const;

// Servers at addresses that were given are not ours to kill.
describe.skipIf(!isOurs)("while records flow", { timeout: 900_000, retry: 0 }, () => {
  test("the broker, Cassandra and Elasticsearch are killed and come back: one worker goes on through all of it, and the sinks equal a batch run", async () => {
    const struck = await underFaults([
      killed("elasticsearch"),
      killed("kafka"),
      killed("cassandra"),
    ]);
    expect(struck).toHaveLength(3);
  });

  test("a release swapped in while the sinks are away is prepared once they are back", async () => {
    stage = await openStage(PARTITIONS);
    const count = 4000;
    const { records, broken } = flightsOf(seeded(SEED), {
      count,
      partitions: PARTITIONS,
      startMs: Date.now(),
      broken: 0.001,
    });
    const first = await stage.spec();
    const second = await stage.spec({
      release: "release-2",
      apply: "(f) => ({ ...f, late: true })",
    });
    const worker = stage.worker();
    await worker.start(first);
    await stage.send(records.slice(0, count / 2));
    await worker.until("half is committed", () => stage.committed() === count / 2);
    await Promise.all([killServer("cassandra"), killServer("elasticsearch")]);
    await worker.start(second);
    await stage.send(records.slice(count / 2));
    try {
      const isMissed = (): boolean =>
        misses(worker, "cassandra") || misses(worker, "elasticsearch");
      await worker.until("a sink is missed", isMissed);
    } finally {
      await Promise.all([startServer("elasticsearch"), startServer("cassandra")]);
    }
    await worker.until("everything is committed", () => stage.committed() === count);
    await worker.close();
    await expectSameAsBatch(stage, second, { records: count, broken, story: `seed ${SEED}` });
    expect([...worker.troubles]).toContain("sink-unreachable");
  });

  test("Cassandra and Elasticsearch stop answering for half a minute: the worker goes on, and the sinks equal a batch run", async () => {
    const struck = await underFaults([frozen("cassandra"), frozen("elasticsearch")]);
    expect(struck).toHaveLength(2);
  });
});
