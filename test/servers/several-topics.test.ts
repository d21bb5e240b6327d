import { afterEach, expect, test } from "vitest";
import { listEpochs } from "#promote/sync/order/epochs.ts";
import { listRewrites } from "#promote/sync/rewrites/rewrites.ts";
import { openSync, type Sync } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { expectedOf, expectSinks, expectVerified, livingOf } from "./faults/compare.ts";
import { recordOf, seeded, valueOf } from "./faults/flights.ts";
import { openStage, SEED, type Stage } from "./faults/stage.ts";
import { tamper } from "./faults/tamper.ts";

let stage: Stage;
afterEach(() => stage.remove());

/** Flights of a region, each written several times and some cancelled. */
async function fly(topic: string, from: number, partitions: number): Promise<number> {
  const random = seeded(SEED + from);
  const records = Array.from({ length: 2000 }, () => {
    const id = from + Math.floor(random() * 500);
    return recordOf(id, random() < 0.1 ? null : valueOf(id, random), partitions);
  });
  await stage.send(
    records.map((record) => ({ ...record, timestampMs: Date.now() })),
    topic,
  );
  return records.length;
}

async function withSync<T>(act: (sync: Sync) => Promise<T>): Promise<T> {
  const sync = openSync(stage.place);
  try {
    return await act(sync);
  } finally {
    await sync.close();
  }
}

test(
  "topics that fit a pattern, also one made later, are read by two workers, verified, repaired and backfilled, then read by their names",
  { timeout: 600_000, retry: 0 },
  async () => {
    stage = await openStage(1);
    const story = `seed ${SEED}`;
    const [europe, america] = [await stage.addTopic("eu", 2), await stage.addTopic("us", 3)];
    const spec = await stage.spec({ topic: { pattern: `${stage.topic}-[a-z]+` } });
    let sent = (await fly(europe, 0, 2)) + (await fly(america, 1000, 3));
    // Not of the pattern.
    await fly(stage.topic, 3000, 1);
    const workers = [stage.worker(), stage.worker()] as const;
    for (const worker of workers) await worker.start(spec);
    const [worker] = workers;
    await worker.until("both regions are read", () => stage.committed() === sent);
    const asia = await stage.addTopic("asia", 2);
    sent += await fly(asia, 2000, 2);
    await worker.until("a region that came later is read", () => stage.committed() === sent);
    await workers[1].kill();
    sent += (await fly(europe, 0, 2)) + (await fly(america, 1000, 3));
    await worker.until("the one that is left reads all", () => stage.committed() === sent);

    async function expectEqual(): Promise<number> {
      const living = livingOf(await expectedOf(stage, spec), spec);
      await expectSinks(stage, spec, living, story);
      await expectVerified(stage, spec, living, story);
      return living.size;
    }
    expect(await expectEqual(), story).toBeGreaterThan(1000);
    const topics = new Set(listEpochs(stage.state(), spec).map(({ topic }) => topic));
    expect(topics, story).toEqual(new Set([asia, europe, america]));

    expect(await tamper(spec, 1000)).toBe(1000);
    const { signal } = new AbortController();
    const repair = await withSync((sync) =>
      sync.repair(spec, { signal, isApplied: true, onProgress: () => undefined }),
    );
    expect(new Set(unwrap(repair).plan.partitions.map(({ topic }) => topic)), story).toEqual(
      new Set([asia, europe, america]),
    );
    const isDone = (): boolean => {
      const rewrites = listRewrites(stage.state(), spec);
      return rewrites.length > 0 && rewrites.every(({ state }) => state === "done");
    };
    await worker.until("the repair is done", isDone);
    await expectEqual();

    const second = await stage.spec({
      release: "release-2",
      apply: '(f) => ({ ...f, origin: "2 " + f.origin, late: f.delay > 30 })',
      topic: [europe, america],
    });
    await worker.start(second);
    const backfill = unwrap(await withSync((sync) => sync.backfill(second)));
    expect(backfill, story).toMatchObject({ partitions: 5, records: sent - 2000 });
    await worker.until("the backfill is done", isDone);
    await worker.close();
    const living = livingOf(await expectedOf(stage, second), second);
    const report = unwrap(
      await withSync((sync) => sync.verify(second, { signal, onProgress: () => undefined })),
    );
    const own = [...living.values()];
    expect(
      own.every((row) => row.includes('"2 ')),
      story,
    ).toBe(true);
    // What is there of a topic that is not read any more can't be judged.
    for (const { counts } of report.sinks)
      expect(counts, story).toMatchObject({ equal: own.length, changed: 0, added: 0, removed: 0 });
    expect(
      report.sinks.every(({ counts }) => counts.unverifiable > 0),
      story,
    ).toBe(true);
  },
);
