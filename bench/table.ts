import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Benchmark, Measurement } from "./bench.ts";

const own = new Set(["bench.ts", "table.ts"]);
const asked = process.argv.slice(2);

const files = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && !file.includes(".test.") && !own.has(file))
  .filter((file) => asked.length === 0 || asked.includes(file.replace(".ts", "")));

if (files.length === 0) {
  console.error(`No benchmark is called ${asked.join(", ")}.`);
  process.exit(2);
}

console.log(
  `Node ${process.versions.node}, ${availableParallelism()} cores. A ratio is to the reference timed in this run.\n`,
);
const header = ["what", "figure", "reference", "ratio", "bar"];
const lines: string[][] = [];
for (const file of files) {
  const module = (await import(pathToFileURL(join(import.meta.dirname, file)).href)) as {
    rows?: Benchmark[];
  };
  for (const benchmark of module.rows ?? []) {
    process.stderr.write(`measuring ${benchmark.name}…\n`);
    for (const measurement of await benchmark.run()) lines.push(line(measurement));
  }
}
print([header, ...lines]);
process.exit(0);

function line(m: Measurement): string[] {
  return [
    m.label,
    `${number(m.value)} ${m.unit}`,
    m.reference === undefined ? "" : `${number(m.reference)} ${m.unit}`,
    m.ratio === undefined ? "" : m.ratio.toFixed(2),
    m.bar === undefined ? "" : number(m.bar),
  ];
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
