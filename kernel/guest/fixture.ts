import { fileURLToPath } from "node:url";
import type { Column } from "#snapshots/table.ts";
import { compileModules } from "../compile.ts";
import { encodeRows } from "./runtime/encode.ts";
import { parseColumns } from "./runtime/transform-runner.ts";

// What the guest's tests and benchmark share: bundles from a few lines of code, batches from values.

/** Bundles code that defines `slice`'s transforms and metrics: `import` of "penstock" is put in front. */
export async function bundleOf(
  code: string,
  transforms: string[],
  metrics: string[] = [],
): Promise<string> {
  const root = fileURLToPath(new URL("./", import.meta.url));
  const entry = `import { ${[...transforms, ...metrics].join(", ")} } from "penstock-memory:notebook";
    export const slice = { transforms: { ${transforms.join(", ")} }, metrics: [${metrics.join(", ")}] };`;
  const notebook = `import { snapshot, sql, transform, metric } from "penstock";\n${code}\nexport { ${[...transforms, ...metrics].join(", ")} };`;
  const compiled = await compileModules({
    root,
    fileName: `${root}notebook.ts`,
    modules: { entry, notebook },
  });
  if (!compiled.ok) throw new Error(compiled.problem.message);
  return compiled.value.code;
}

export function column(name: string, type: string, nullable = false): Column {
  return { name, type, nullable };
}

/** One record batch as Arrow IPC, from an array of values a column. */
export function batchOf(columns: Column[], values: unknown[][]): Uint8Array {
  return encodeRows(parseColumns(columns), values, values[0]?.length ?? 0, (row, message) => {
    throw new Error(`Row ${row}: ${message}`);
  });
}

export const flightColumns: Column[] = [
  column("id", "BIGINT"),
  column("date", "TIMESTAMP"),
  column("delay", "BIGINT"),
  column("distance", "BIGINT"),
  column("origin", "VARCHAR"),
  column("destination", "VARCHAR"),
];

/** Flights made up, with the real ones' cardinalities: some 230 airports, a flight every 5 seconds, delays around zero. */
export function flightsBatch(first: number, rows: number): Uint8Array {
  const numbers = Array.from({ length: rows }, (_, i) => first + i);
  return batchOf(flightColumns, [
    numbers,
    numbers.map((i) => new Date(978_307_200_000 + Math.floor(i / 12) * 60_000)),
    numbers.map((i) => ((i * 7919) % 211) - 30),
    numbers.map((i) => 80 + ((i * 31) % 2500)),
    numbers.map((i) => airports[(i * 13) % airports.length]),
    numbers.map((i) => airports[(i * 17 + 5) % airports.length]),
  ]);
}

const airports = Array.from({ length: 230 }, (_, i) =>
  String.fromCharCode(65 + (i % 26), 65 + ((i * 7) % 25), 65 + Math.floor(i / 10)),
);

export const typicalColumns: Column[] = [
  column("origin", "VARCHAR"),
  column("typical", "DOUBLE", true),
];

/** The lookup of the demo's transform: a typical delay for each airport. */
export function typicalBatch(): Uint8Array {
  return batchOf(typicalColumns, [airports, airports.map((_, i) => (i % 19) - 5)]);
}

/** The demo's transform. */
export const delaysCode = `
  const flights = snapshot("flights@2001q1");
  const typical = sql\`select origin, median(delay) as typical from \${flights} group by origin order by origin\`;
  const delays = transform(flights, { lookup: { typical: typical.by("origin") } },
    (f, { typical }) => ({ ...f, late: f.delay > 15, excess: f.delay - (typical(f.origin)?.typical ?? 0) }));
  const late = metric.mean("late share", delays, (row) => (row.late ? 1 : 0), { better: "lower" });`;

export const delaysColumns: Column[] = [
  ...flightColumns,
  column("late", "BOOLEAN"),
  column("excess", "DOUBLE"),
];
