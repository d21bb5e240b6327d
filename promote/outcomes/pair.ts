import type { MetricRequest } from "#kernel/run-metric.ts";
import type { TableHash } from "#snapshots/table.ts";
import type { OutcomeRequest, Resampled } from "./answer.ts";
import { numberedColumn, numbering, positionsOf, type Numbering } from "./units.ts";
import type { Workbench } from "../workbench.ts";

/** A metric's table on both sides, and the snapshot's table they were made from. `isOwn`: it is the transform's output itself. */
export type PairedTables = {
  before: TableHash;
  after: TableHash;
  input: TableHash;
  isOwn: boolean;
};

/** The unit of every row, numbered alike on both sides; or why rows have none. */
export type Paired =
  | {
      isPaired: true;
      before: Int32Array;
      after: Int32Array;
      units: number;
      /** The units are all records of the input. */
      isWhole: boolean;
      by: Resampled["by"];
      segments: OutcomeRequest["segments"];
      warnings: string[];
    }
  | { isPaired: false; reason: string; warnings: string[] };

type Context = Pick<Workbench, "store" | "queries"> & { signal: AbortSignal };
type Codes = { before: Int32Array; after: Int32Array; values: (string | null)[] };
type Positions = { before: Int32Array; after: Int32Array };

/** Finds which rows of the two tables are one record's, or one cluster's, and which segment each is in. */
export type PairRows = (
  tables: PairedTables,
  metric: Pick<MetricRequest["metrics"][number], "by" | "resample">,
) => Promise<Paired>;

/** Reads each table's lineage and each column once, however many metrics ask for them. */
export function rowPairing(context: Context): PairRows {
  const positions = new Map<string, Promise<Positions | undefined>>();
  const codes = new Map<string, Promise<Codes | undefined>>();
  const known = {
    positions: (tables: PairedTables) =>
      once(positions, keyOf(tables), () => bothPositions(context, tables)),
    codes: (tables: PairedTables, column: string, own: Positions | undefined) =>
      once(codes, `${keyOf(tables)} ${column}`, () => codesOf(context, tables, column, own)),
  };
  return (tables, metric) => pairRows(context, known, tables, metric);
}

function keyOf({ before, after, input }: PairedTables): string {
  return `${before} ${after} ${input}`;
}

function once<Value>(
  known: Map<string, Promise<Value>>,
  key: string,
  read: () => Promise<Value>,
): Promise<Value> {
  const found = known.get(key) ?? read();
  known.set(key, found);
  return found;
}

type Known = {
  positions: (tables: PairedTables) => Promise<Positions | undefined>;
  codes: (
    tables: PairedTables,
    column: string,
    own: Positions | undefined,
  ) => Promise<Codes | undefined>;
};

async function bothPositions(
  context: Context,
  tables: PairedTables,
): Promise<Positions | undefined> {
  const before = await positionsOf(context, tables.before);
  const after = tables.before === tables.after ? before : await positionsOf(context, tables.after);
  return before && after && { before, after };
}

async function pairRows(
  context: Context,
  known: Known,
  tables: PairedTables,
  { by, resample }: Parameters<PairRows>[1],
): Promise<Paired> {
  const positions = await known.positions(tables);
  const codes = by === undefined ? undefined : await known.codes(tables, by, positions);
  const segments = by !== undefined && codes ? { by, ...codes } : null;
  const warnings = by !== undefined && !codes ? [noColumn(by, "segments")] : [];
  if (resample) {
    const clusters = await known.codes(tables, resample.by, positions);
    if (!clusters) return { isPaired: false, reason: noColumn(resample.by, "clusters"), warnings };
    const { before, after, values } = clusters;
    const found = { before, after, units: values.length, isWhole: false, segments, warnings };
    return { isPaired: true, ...found, by: { column: resample.by } };
  }
  if (!positions) {
    const reason =
      "Its table is a query's result, whose rows cannot be paired before and after. Claim it of the transform's output, or say by which column rows belong together: { resample: { by: … } }.";
    return { isPaired: false, reason, warnings };
  }
  const units = context.store.tableInfo(tables.input)?.rows ?? 0;
  const { isOwn: isWhole } = tables;
  return { isPaired: true, ...positions, units, isWhole, by: "record", segments, warnings };
}

/** A column of the metric's table; where a side's table lacks it, of the input record a row was made from. */
async function codesOf(
  context: Context,
  { before, after, input }: PairedTables,
  column: string,
  positions: Positions | undefined,
): Promise<Codes | undefined> {
  const numbers = numbering();
  const was = await numberedColumn(context, before, column, numbers);
  const is = before === after ? was : await numberedColumn(context, after, column, numbers);
  if (was && is) return { before: was, after: is, values: numbers.values };
  return positions && inputCodes(context, input, column, positions, numbering());
}

async function inputCodes(
  context: Context,
  input: TableHash,
  column: string,
  { before, after }: Positions,
  numbers: Numbering,
): Promise<Codes | undefined> {
  const codes = await numberedColumn(context, input, column, numbers);
  if (!codes) return undefined;
  const at = (position: number): number => codes[position] ?? 0;
  return { before: before.map(at), after: after.map(at), values: numbers.values };
}

function noColumn(column: string, what: string): string {
  return `No ${what}: neither both versions' rows nor the snapshot have a column \`${column}\`.`;
}
