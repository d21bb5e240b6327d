import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleOf, delaysCode, delaysColumns } from "#kernel/guest/fixture.ts";
import { openInteractive } from "#kernel/guest/interactive.ts";
import { openSlice, type SliceSpec } from "#kernel/guest/slice.ts";
import { unwrap } from "#snapshots/problem.ts";
import { openQueries } from "#snapshots/queries.ts";
import { openContentStore } from "#snapshots/store.ts";
import type { TableInfo } from "#snapshots/table.ts";
import { openWorkspace, readSource } from "#snapshots/workspace.ts";
import { median, type Benchmark } from "./bench.ts";
import { makeFlights } from "./flights.ts";

export const rows: Benchmark[] = [
  {
    name: "a transform like the demo's in a guest",
    async run() {
      const { input, flights, typical } = await readFlights();
      const spec: SliceSpec = {
        bundle: await bundleOf(delaysCode, ["delays"]),
        entry: { kind: "transform", name: "delays" },
        input: flights.columns,
        output: delaysColumns,
        lookups: { typical },
      };
      const slice = unwrap(await openSlice(spec));
      const once = async (): Promise<{ guest: number; wall: number }> => {
        const started = performance.now();
        const before = slice.stats.busyMs;
        for (const batch of input) unwrap(await slice.run(batch));
        return { guest: slice.stats.busyMs - before, wall: performance.now() - started };
      };
      const first = await once();
      const later: { guest: number; wall: number }[] = [];
      for (let i = 0; i < 5; i += 1) later.push(await once());
      await slice.close();
      const perSecond = (ms: number): number => Math.round((flights.rows * 1000) / ms);
      const unit = "rows/s";
      return [
        {
          label: "guest: 1,000,000 flights, decode + call + encode",
          value: perSecond(median(later.map((run) => run.guest))),
          unit,
          bar: { least: 1_000_000 },
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

/** A million real flights as the guest gets them, and the lookup's rows. */
async function readFlights() {
  const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  const store = openContentStore(join(folder, "store"));
  const queries = openQueries({ store, workspaceRoot: folder });
  const batchesOf = async ({ hash }: TableInfo): Promise<Uint8Array[]> => {
    const batches: Uint8Array[] = [];
    for await (const batch of queries.read({ table: hash })) batches.push(batch);
    return batches;
  };
  try {
    await makeFlights(folder);
    const source = unwrap(readSource(unwrap(openWorkspace(folder)), "flights"));
    const { info: flights } = unwrap(await queries.freeze({ source }));
    const sql = "select origin, median(delay) as typical from f group by origin order by origin";
    const medians = unwrap(await queries.sql({ sql, inputs: { f: flights.hash } }));
    const { columns } = medians;
    const typical = { by: ["origin"], columns, batches: await batchesOf(medians) };
    return { flights, typical, input: await batchesOf(flights) };
  } finally {
    await queries.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
