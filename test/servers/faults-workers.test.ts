import { afterEach, expect, test } from "vitest";
import { listEpochs } from "#promote/sync/order/epochs.ts";
import { until } from "#promote/sync/fixture.ts";
import { expectSameAsBatch } from "./faults/compare.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import { openStage, SEED, type Stage } from "./faults/stage.ts";
import type { FaultWorker } from "./faults/worker.ts";

const RECORDS = 40_000;
const PARTITIONS = 6;
const PATIENCE_MS = 240_000;

let stage: Stage;
afterEach(() => stage.remove());

test(
  "two workers share the partitions through kills and newcomers: each record counts once, and the sinks equal a batch run",
  { timeout: 900_000, retry: 0 },
  async () => {
    stage = await openStage(PARTITIONS);
    const { records, broken } = flightsOf(seeded(SEED), {
      count: RECORDS,
      partitions: PARTITIONS,
      startMs: Date.now(),
      broken: 0.001,
    });
    const spec = await stage.spec();
    const story = `seed ${SEED}`;
    /** Every partition is with one of them, and each has some. */
    const isShared = (workers: readonly FaultWorker[]): boolean => {
      const halted = workers.find((worker) => worker.seen().state === "halted");
      if (halted !== undefined) throw new Error("a worker has halted");
      const held = workers.map((worker) => worker.seen().held);
      return (
        held.every((some) => some.length > 0) &&
        held
          .flat()
          .toSorted((a, b) => a - b)
          .join() === "0,1,2,3,4,5"
      );
    };
    let sent = 0;
    const send = async (to: number): Promise<void> => {
      await stage.send(records.slice(sent, to));
      sent = to;
    };
    const committed = (from: number): Promise<void> =>
      until(`${from} are committed`, () => stage.committed() >= from, PATIENCE_MS);

    const share = (what: string, workers: FaultWorker[]): Promise<void> =>
      until(what, () => isShared(workers), PATIENCE_MS).catch((cause: unknown) => {
        const seen = workers.map((worker) => worker.seen());
        throw new Error(`${String(cause)}; last seen: ${JSON.stringify(seen)}`, { cause });
      });

    let [first, second] = [stage.worker(), stage.worker()];
    await Promise.all([first.start(spec), second.start(spec)]);
    for (let round = 0; round < 4; round++) {
      await share(`round ${round}: they share`, [first, second]);
      await send((RECORDS / 4) * (round + 1));
      await committed((RECORDS / 4) * (round + 0.3));
      // A newcomer joins while the other is dead and not missed yet, or has been; sometimes it is drained instead of killed.
      const newcomer = stage.worker();
      const all = [first, second, newcomer];
      if (round % 2 === 0) {
        await first.kill();
        await newcomer.start(spec);
      } else {
        await newcomer.start(spec);
        await share(`round ${round}: three share`, all);
        await (round === 1 ? first.kill() : first.close());
      }
      [first, second] = [second, newcomer];
      await share(`round ${round}: they share again`, [first, second]);
    }
    await committed(RECORDS);
    await Promise.all([first.close(), second.close()]);
    await expectSameAsBatch(stage, spec, { records: RECORDS, broken, story });
    // Nothing but starts: a partition that changes hands stays in its epoch.
    expect(listEpochs(stage.state(), spec), story).toHaveLength(PARTITIONS);
  },
);
