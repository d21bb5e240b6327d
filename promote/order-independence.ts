import { seededRandom } from "#kernel/guest/runtime/random.ts";
import { openSlice } from "#kernel/guest/slice.ts";
import { arrowToRows, rowsToArrow } from "#snapshots/arrow.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";

/** How often, in what order and in what portions the sample is fed. The first is what the others are held against. */
export const replays = [
  { name: "in order, all at once", seed: 0, batchRows: Number.POSITIVE_INFINITY, repeats: 0 },
  { name: "shuffled, 7 at a time", seed: 1, batchRows: 7, repeats: 0 },
  { name: "shuffled, 64 at a time", seed: 2, batchRows: 64, repeats: 0 },
  { name: "shuffled, 509 at a time, some rows twice", seed: 3, batchRows: 509, repeats: 100 },
  { name: "backwards, 31 at a time", seed: -1, batchRows: 31, repeats: 0 },
] as const;
type Replay = { name: string; seed: number; batchRows: number; repeats: number };

/** The first row that came out otherwise. */
export type OrderDifference = {
  replay: string;
  row: number;
  input: unknown;
  expected: unknown;
  actual: unknown;
};

export type OrderCheck = { rows: number; replays: number; difference: OrderDifference | undefined };

/** The transform under test and what it reads. */
export type OrderSubject = {
  bundle: string;
  transform: string;
  input: Column[];
  output: Column[];
  lookups: Record<string, { by: string[]; columns: Column[]; batches: Uint8Array[] }>;
};

/**
 * Feeds a sample in several orders and portions, each to a fresh guest, and holds what every record became against the
 * first time. A transform that keeps state between records, or reads a clock or chance, gives itself away.
 */
export async function checkOrder(
  subject: OrderSubject,
  sample: Record<string, unknown>[],
  signal?: AbortSignal,
): Promise<Result<OrderCheck>> {
  let expected: string[] | undefined;
  for (const replay of replays) {
    const outcome = await runReplay(subject, sample, replay, signal);
    if (!outcome.ok) return outcome;
    for (const [row, text] of outcome.value) {
      expected ??= [];
      const before = expected[row];
      if (before === undefined) expected[row] = text;
      if (before === undefined || before === text) continue;
      const difference = {
        replay: replay.name,
        row,
        input: plain(sample[row]),
        expected: JSON.parse(before),
        actual: JSON.parse(text),
      };
      return ok({ rows: sample.length, replays: replays.length, difference });
    }
  }
  return ok({ rows: sample.length, replays: replays.length, difference: undefined });
}

/** The order of a replay: indices into the sample, some of them twice. */
export function replayOrder(
  rows: number,
  { seed, repeats }: Pick<Replay, "seed" | "repeats">,
): number[] {
  const order = Array.from({ length: rows }, (_, index) => index);
  if (seed === 0) return order;
  if (seed < 0) return order.toReversed();
  const bits = seededRandom([seed, 0x9e3779b9, 0x243f6a88, 0xb7e15162]);
  const random = (): number => bits() / 4_294_967_296;
  const extra = rows === 0 ? 0 : repeats;
  for (let added = 0; added < extra; added += 1) order.push(Math.floor(random() * rows));
  // Fisher and Yates.
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [a = 0, b = 0] = [order[last], order[other]];
    order[last] = b;
    order[other] = a;
  }
  return order;
}

/** What each fed row became, as text: its output rows by part, that it was filtered, or its error. */
async function runReplay(
  subject: OrderSubject,
  sample: Record<string, unknown>[],
  replay: Replay,
  signal: AbortSignal | undefined,
): Promise<Result<[row: number, text: string][]>> {
  const { bundle, transform, input, output, lookups } = subject;
  const entry = { kind: "transform", name: transform } as const;
  const opened = await openSlice({ bundle, entry, input, output, lookups });
  if (!opened.ok) return opened;
  const slice = opened.value;
  try {
    const outcomes: [number, string][] = [];
    const order = replayOrder(sample.length, replay);
    const size = Math.min(replay.batchRows, Math.max(order.length, 1));
    for (let start = 0; start < order.length; start += size) {
      const indices = order.slice(start, start + size);
      const rows = indices.map((index) => sample[index] ?? {});
      const ran = await slice.run(rowsToArrow(input, rows), signal);
      if (!ran.ok) return ran;
      const made = indices.map((): unknown[] => []);
      for (const [at, row] of arrowToRows(ran.value.rows).entries()) {
        made[ran.value.input[at] ?? -1]?.push([ran.value.part[at], plain(row)]);
      }
      for (const { row, message } of ran.value.errors) made[row]?.push(["error", message]);
      for (const [at, index] of indices.entries()) outcomes.push([index, JSON.stringify(made[at])]);
    }
    return ok(outcomes);
  } finally {
    await slice.close();
  }
}

/** A row as JSON that tells every two values apart that the output contract does. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return "-0";
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (value instanceof Map) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
