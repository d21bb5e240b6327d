import { readdirSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { missed, type Benchmark, type Measurement } from "./bench.ts";

const own = new Set(["bench.ts", "flights.ts", "server.ts", "table.ts"]);
const asked = process.argv.slice(2);

const all = readdirSync(import.meta.dirname).filter(
  (file) => file.endsWith(".ts") && !file.includes(".test.") && !own.has(file),
);
const unknown = asked.filter((name) => !all.some((file) => isOf(name, file)));
if (unknown.length > 0) {
  const names = all.map((file) => file.replace(/\.ts$/, ""));
  console.error(
    `No benchmark is called ${unknown.join(", ")}. There are ${names.join(", ")}; \`sync.ts\` is that file alone.`,
  );
  process.exit(2);
}
const files = all.filter((file) => asked.length === 0 || asked.some((name) => isOf(name, file)));

const load = (): string => (loadavg()[0] ?? 0).toFixed(1);
const startedAt = performance.now();
const loadBefore = load();
const header = ["what", "figure", "reference", "ratio", "bar", ""];
const lines: string[][] = [];
const failures: string[] = [];
let misses = 0;
for (const file of files) {
  const module = (await import(pathToFileURL(join(import.meta.dirname, file)).href)) as {
    rows?: Benchmark[];
  };
  for (const benchmark of module.rows ?? []) {
    process.stderr.write(`measuring ${benchmark.name}…\n`);
    try {
      for (const measurement of await benchmark.run()) {
        lines.push(line(measurement));
        if (missed(measurement)) misses += 1;
      }
    } catch (error) {
      failures.push(
        `${benchmark.name} failed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
const seconds = Math.round((performance.now() - startedAt) / 1000);
console.log(
  `Node ${process.versions.node}, ${availableParallelism()} cores, load ${loadBefore} before and ${load()} after, ${seconds} s. A ratio is to the reference timed in turn with it.\n`,
);
print([header, ...lines]);
for (const failure of failures) console.log(`\n${failure}`);
if (misses > 0) console.log(`\n${misses} of these figures miss their bar.`);
process.exit(misses + failures.length > 0 ? 1 : 0);

/** `sync` asks for sync.ts and for all that begins with `sync-`; `sync.ts` for that alone. */
function isOf(name: string, file: string): boolean {
  return file === name || file === `${name}.ts` || file.startsWith(`${name}-`);
}

function line(m: Measurement): string[] {
  return [
    m.label,
    `${number(m.value)} ${m.unit}`,
    m.reference === undefined ? "" : `${number(m.reference)} ${m.unit}`,
    m.ratio === undefined ? "" : m.ratio.toFixed(2),
    barOf(m),
    missed(m) ?? "",
  ];
}

function barOf({ bar }: Measurement): string {
  if (bar === undefined) return "";
  return "most" in bar ? `≤ ${number(bar.most)}` : `≥ ${number(bar.least)}`;
}

function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : 2;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

function print(table: string[][]): void {
  const widths = header.map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? "").length)),
  );
  for (const row of table) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    console.log(cells.join("   ").trimEnd());
  }
}
