import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runNotebook } from "#kernel/headless.ts";
import { compare } from "#promote/compare.ts";
import { initWorkspace } from "#promote/init.ts";
import { openWorkbench, type Workbench } from "#promote/workbench.ts";
import { unwrap } from "#snapshots/problem.ts";
import { median, type Benchmark, type Measurement } from "./bench.ts";

const cold = 2;
const warm = 3;

export const rows: Benchmark[] = [{ name: "the demo's notebook and comparison", run }];

/** The demo as it comes, over its 1.48 million flights, in a workbench that has been open for a while. */
async function run(): Promise<Measurement[]> {
  const folder = mkdtempSync(join(tmpdir(), "penstock-bench-"));
  const dir = join(folder, "demo");
  try {
    unwrap(await initWorkspace({ dir, demo: true }));
    const workbench = unwrap(await openWorkbench(dir, { withSync: false, holdLock: true }));
    try {
      return await measure(workbench);
    } finally {
      await workbench.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(workbench: Workbench): Promise<Measurement[]> {
  const asItIs = readFileSync(join(workbench.workspace.paths.notebooks, "delays.ts"), "utf8");
  const edited = (limit: number): string =>
    asItIs.replace(/lateAfterMinutes = \d+/, `lateAfterMinutes = ${limit}`);
  const runOnce = async (text: string): Promise<number> => {
    const started = performance.now();
    const { cells } = unwrap(
      await runNotebook({ ...workbench, path: "notebooks/delays.ts", text }),
    );
    const took = performance.now() - started;
    const broken = cells.find((cell) => cell.status === "error");
    if (broken) throw new Error(JSON.stringify(broken.outputs));
    return took;
  };
  const compareOnce = async (text: string): Promise<number> => {
    const started = performance.now();
    const before = { kind: "git", revision: "HEAD" } as const;
    const after = { kind: "working", text } as const;
    const asked = { workbench, notebook: "delays", transform: "delays" };
    unwrap(await compare({ ...asked, before, after }));
    return performance.now() - started;
  };

  const first = await runOnce(asItIs);
  const again: number[] = [];
  for (let i = 0; i < warm; i += 1) again.push(await runOnce(asItIs));
  const changed: number[] = [];
  const compared: number[] = [];
  for (let i = 0; i < cold; i += 1) {
    changed.push(await runOnce(edited(20 + i)));
    compared.push(await compareOnce(edited(40 + i)));
  }
  return [
    { label: "demo notebook, nothing known", value: first, unit: "ms" },
    { label: "demo notebook, its transform edited", value: median(changed), unit: "ms" },
    { label: "demo notebook, everything known", value: median(again), unit: "ms" },
    { label: "compare the demo's edited transform with Git", value: median(compared), unit: "ms" },
  ];
}
