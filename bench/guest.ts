import { unwrap } from "#snapshots/problem.ts";
import {
  bundleOf,
  delaysCode,
  delaysColumns,
  flightColumns,
  flightsBatch,
  typicalBatch,
  typicalColumns,
} from "#kernel/guest/fixture.ts";
import { openInteractive } from "#kernel/guest/interactive.ts";
import { openSlice } from "#kernel/guest/slice.ts";
import { median, type Benchmark } from "./bench.ts";

const batchRows = 65_536;
const batches = 16;

export const rows: Benchmark[] = [
  {
    name: "the demo's transform in a guest",
    async run() {
      const slice = unwrap(
        await openSlice({
          bundle: await bundleOf(delaysCode, ["delays"]),
          entry: { kind: "transform", name: "delays" },
          input: flightColumns,
          output: delaysColumns,
          lookups: {
            typical: { by: ["origin"], columns: typicalColumns, batches: [typicalBatch()] },
          },
        }),
      );
      const input = Array.from({ length: batches }, (_, i) =>
        flightsBatch(i * batchRows, batchRows),
      );
      const once = async (): Promise<{ guest: number; wall: number }> => {
        const started = performance.now();
        const before = slice.stats.busyMs;
        for (const batch of input) unwrap(await slice.run(batch));
        return { guest: slice.stats.busyMs - before, wall: performance.now() - started };
      };
      const first = await once();
      const later = [await once(), await once(), await once()];
      await slice.close();
      const perSecond = (ms: number): number => Math.round((batches * batchRows * 1000) / ms);
      const unit = "rows/s";
      return [
        {
          label: "guest: flights, decode + call + encode",
          value: perSecond(median(later.map((run) => run.guest))),
          unit,
          bar: 1_000_000,
        },
        {
          label: "guest: the same, first million of a fresh guest",
          value: perSecond(first.guest),
          unit,
        },
        {
          label: "guest: the same with the pipe there and back",
          value: perSecond(median(later.map((run) => run.wall))),
          unit,
        },
      ];
    },
  },
  {
    name: "a cell in the interactive guest",
    async run() {
      const opening: number[] = [];
      for (let i = 0; i < 5; i += 1) {
        const started = performance.now();
        const guest = unwrap(await openInteractive({ onOutput: () => undefined }));
        unwrap(await guest.run(nothing));
        opening.push(performance.now() - started);
        await guest.close();
      }
      const guest = unwrap(await openInteractive({ onOutput: () => undefined }));
      const timings: number[] = [];
      for (let i = 0; i < 200; i += 1) {
        const started = performance.now();
        unwrap(await guest.run(nothing));
        timings.push(performance.now() - started);
      }
      await guest.close();
      return [
        { label: "guest: a cell that does nothing, p50", value: median(timings), unit: "ms" },
        {
          label: "guest: open an interactive guest and run one cell",
          value: median(opening),
          unit: "ms",
        },
      ];
    },
  },
];

const nothing = { id: "cell", code: "return {};", sourceUrl: "cell", uses: [], defines: [] };
