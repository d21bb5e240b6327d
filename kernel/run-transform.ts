import { availableParallelism } from "node:os";
import { fail, ok, ProblemError, type Problem, type Result } from "#snapshots/problem.ts";
import type { Queries } from "#snapshots/queries.ts";
import type { ContentStore } from "#snapshots/store.ts";
import type { Column, TableHash, TableInfo } from "#snapshots/table.ts";
import { openSlice, type Slice, type SliceBatch } from "./guest/slice.ts";
import { placedInSource, placeInSource } from "./source-map.ts";

/** A record the function threw for. `line` and `column` are the notebook file's. */
export type RecordError = { position: number; message: string; line?: number; column?: number };

type Outcome = {
  table: TableInfo;
  read: number;
  written: number;
  filtered: number;
  failed: number;
  errors: RecordError[];
};

/** Errors kept in full; more are counted. */
const keptErrors = 100;
/** Below this many rows, or without a core to spare beside reading and writing, a second guest costs more than it saves. */
const rowsForTwoGuests = 150_000;

/** Streams a table through one or two slice guests in row order into a new table of the store. */
export async function runTransform(request: {
  store: ContentStore;
  queries: Queries;
  bundle: string;
  sourceMap?: string | undefined;
  transform: string;
  input: TableHash;
  lookups: Record<string, { by: string[]; table: TableHash }>;
  output: Column[];
  signal?: AbortSignal | undefined;
  onProgress?: ((fraction: number) => void) | undefined;
}): Promise<Result<Outcome>> {
  const { store, queries, transform, output, signal, onProgress } = request;
  const input = store.tableInfo(request.input);
  if (!input) return fail(missingTable(request.input));
  const stop = new AbortController();
  const cancelled = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const slices: Slice[] = [];
  const counts = { read: 0, written: 0, filtered: 0, failed: 0 };
  const errors: RecordError[] = [];

  try {
    const lookups = await readLookups(store, queries, request.lookups, cancelled);
    const guests = input.rows >= rowsForTwoGuests && availableParallelism() > 2 ? 2 : 1;
    const opened = await Promise.all(
      Array.from({ length: guests }, () =>
        openSlice({
          bundle: request.bundle,
          entry: { kind: "transform", name: transform },
          input: input.columns,
          output,
          lookups,
        }),
      ),
    );
    for (const slice of opened) if (slice.ok) slices.push(slice.value);
    for (const slice of opened)
      if (!slice.ok) return fail(placedInSource(slice.problem, request.sourceMap));
    const table = await queries.write({ columns: output, batches: outputs(), signal: cancelled });
    return table.ok
      ? ok({ table: table.value, ...counts, errors })
      : fail(placedInSource(table.problem, request.sourceMap));
  } catch (error) {
    if (error instanceof ProblemError)
      return fail(placedInSource(error.problem, request.sourceMap));
    throw error;
  } finally {
    stop.abort();
    await Promise.all(slices.map((slice) => slice.close()));
  }

  /** Batches go to the guests in turn, one ahead of each, and come back in row order. */
  async function* outputs() {
    const waiting: Promise<Result<SliceBatch>>[] = [];
    let sent = 0;
    for await (const batch of queries.read({ table: request.input, signal: cancelled })) {
      const slice = slices[sent++ % slices.length];
      if (!slice) return;
      waiting.push(slice.run(batch, cancelled));
      const oldest = waiting.length > slices.length * 2 ? waiting.shift() : undefined;
      if (oldest) yield take(await oldest);
    }
    for (const result of waiting) yield take(await result);
  }

  function take(result: Result<SliceBatch>) {
    if (!result.ok) throw new ProblemError(result.problem);
    const batch = result.value;
    const first = counts.read;
    for (const error of batch.errors) {
      if (errors.length >= keptErrors) break;
      const { row, message, ...place } = error;
      errors.push({ position: first + row, message, ...placeInSource(request.sourceMap, place) });
    }
    counts.read += batch.read;
    counts.filtered += batch.filtered;
    counts.failed += batch.errors.length;
    counts.written += batch.read - batch.filtered - batch.errors.length;
    onProgress?.(input && input.rows > 0 ? counts.read / input.rows : 1);
    return { rows: batch.rows, position: positions(first, batch.input), part: batch.part };
  }
}

/** Written as halves: a bigint for every row would cost more than the row's way through the host. */
function positions(first: number, input: Int32Array): BigInt64Array {
  const position = new BigInt64Array(input.length);
  const halves = new Uint32Array(position.buffer);
  for (let row = 0; row < input.length; row++) {
    const at = first + (input[row] ?? 0);
    halves[2 * row] = at;
    halves[2 * row + 1] = at / 4_294_967_296;
  }
  return position;
}

/** Every lookup's rows as the guest takes them: Arrow batches. */
export async function readLookups(
  store: ContentStore,
  queries: Queries,
  lookups: Record<string, { by: string[]; table: TableHash }>,
  signal?: AbortSignal,
): Promise<Record<string, { by: string[]; columns: Column[]; batches: Uint8Array[] }>> {
  const read: Record<string, { by: string[]; columns: Column[]; batches: Uint8Array[] }> = {};
  for (const [alias, { by, table }] of Object.entries(lookups)) {
    const info = store.tableInfo(table);
    if (!info) throw new ProblemError(missingTable(table));
    const batches: Uint8Array[] = [];
    for await (const batch of queries.read({ table, ...(signal ? { signal } : {}) }))
      batches.push(batch);
    read[alias] = { by, columns: info.columns, batches };
  }
  return read;
}

function missingTable(table: TableHash): Problem {
  return {
    code: "table-missing",
    message: `Table ${table.slice(0, 12)} is not in the content store.`,
    hint: "Run the cell that makes it again.",
  };
}
