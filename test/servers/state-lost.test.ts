import { afterEach, expect, test } from "vitest";
import { listEpochs } from "#promote/sync/order/epochs.ts";
import { foundOf } from "./faults/compare.ts";
import { recordOf } from "./faults/flights.ts";
import { openStage, type Stage } from "./faults/stage.ts";

let stage: Stage;
afterEach(() => stage.remove());

const IDS = Array.from({ length: 600 }, (_, id) => id);

test(
  "the state database is lost: what comes then is written above what the sinks hold",
  { timeout: 300_000 },
  async () => {
    stage = await openStage(2);
    const spec = await stage.spec();
    const flight = (id: number, origin: string) => ({
      id,
      date: "2001-04-01T00:05:00",
      delay: 5,
      distance: 100,
      origin,
      destination: "MSY",
    });
    const send = (origin: string) =>
      stage.send(IDS.map((id) => recordOf(id, flight(id, origin), 2)));

    const worker = stage.worker();
    await worker.start(spec);
    // The sinks hold a second release's epoch as well.
    await send("first");
    await worker.until("the first is committed", () => stage.committed() === 600);
    const second = { ...spec, release: "release-2" };
    await worker.start(second);
    await send("second");
    await worker.until("the second is committed", () => stage.committed() === 1200);
    await worker.close();
    const before = listEpochs(stage.state(), spec).at(-1)?.epoch ?? 0;
    expect(before).toBeGreaterThan(1025);

    const state = stage.state();
    for (const table of ["sync_epochs", "sync_offsets", "sync_pipelines"])
      state.exec(`delete from ${table}`);
    await send("third");
    const next = stage.worker();
    await next.start(second);
    await next.until("the third is committed", () => stage.committed() === 1800);
    await next.close();

    const epochs = listEpochs(stage.state(), spec);
    expect(epochs.map(({ reason, firstOffset }) => [reason, firstOffset > 0])).toEqual([
      ["epochs lost", true],
      ["epochs lost", true],
    ]);
    for (const { epoch } of epochs) expect(epoch).toBeGreaterThan(before);
    for (const [sink, rows] of await foundOf(stage, second)) {
      expect(rows.size, sink).toBe(IDS.length);
      for (const row of rows.values()) expect(row, sink).toContain('"third"');
    }
  },
);
