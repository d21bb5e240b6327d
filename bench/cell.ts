import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSession } from "#kernel/session-host.ts";
import { unwrap } from "#snapshots/problem.ts";
import { openQueries } from "#snapshots/queries.ts";
import { openContentStore } from "#snapshots/store.ts";
import { openWorkspace } from "#snapshots/workspace.ts";
import { median, type Benchmark } from "./bench.ts";

const rounds = 300;
const warmUp = 30;
/** marimo 0.23 takes 6.3 ms on such a machine; the API's WebSocket is to add little to what is measured here. */
const barMs = 12;

/** A cell that does nothing, run again and again through a session in the middle of a notebook of 30 cells. */
export const rows: Benchmark[] = [
  {
    name: "cell",
    async run() {
      const root = mkdtempSync(join(tmpdir(), "penstock-bench-"));
      mkdirSync(join(root, "notebooks"));
      writeFileSync(join(root, "penstock.yaml"), "name: bench\n");
      const cells = Array.from(
        { length: 30 },
        (_, i) => `// %%\nconst value${i} = ${i === 0 ? 0 : `value${i - 1}`};\n`,
      );
      writeFileSync(join(root, "notebooks/noop.ts"), cells.join("\n"));
      const workspace = unwrap(openWorkspace(root));
      const store = openContentStore(workspace.paths.store);
      const queries = openQueries({ store, workspaceRoot: root, workers: 1 });
      const session = unwrap(await openSession({ workspace, store, queries, name: "noop" }));
      try {
        await session.apply({ type: "runAll" });
        await session.whenIdle();
        const cell = session.document().cells[15]?.id ?? "";
        const stop = session.subscribe(() => undefined);
        const timings: number[] = [];
        for (let round = 0; round < rounds + warmUp; round++) {
          const started = performance.now();
          await session.apply({ type: "run", cells: [cell] });
          await session.whenIdle();
          if (round >= warmUp) timings.push(performance.now() - started);
        }
        stop();
        return [
          {
            label: "no-op cell through a session, p50",
            value: median(timings),
            unit: "ms",
            bar: barMs,
          },
        ];
      } finally {
        await session.close();
        await queries.close();
        rmSync(root, { recursive: true, force: true });
      }
    },
  },
];
