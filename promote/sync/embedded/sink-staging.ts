import type { DuckDBDataChunk } from "@duckdb/node-api";
import type { SqlType } from "#snapshots/types.ts";
import { emptyPhysical, readPhysical, type Physical } from "../values/arrow-read.ts";
import type { TypedColumn } from "../values/identity.ts";
import { WRITE, type SinkBatch } from "../ports.ts";
import { gatheredChunks, type Gather } from "./duckdb-vectors.ts";

/** A range of a batch's operations as chunks for the staging table. */
export type Staged = (from: number, to: number) => DuckDBDataChunk[];

/** Of whole batches: every sink of a pipeline gets the same one, and it is gathered once. */
const gathered = new WeakMap<SinkBatch, DuckDBDataChunk[]>();

export function openStaged(
  batch: SinkBatch,
  { key, columns }: { key: TypedColumn[]; columns: TypedColumn[] },
): Staged {
  const gather = (from: number, to: number): DuckDBDataChunk[] => {
    const keys = onlyBatch(batch.keys, key);
    const rows = onlyBatch(batch.rows, columns);
    const staged = [
      ...gathers(keys, key, batch.keyRow),
      ...ownColumns(batch),
      ...gathers(rows, columns, batch.row),
    ];
    return gatheredChunks(staged, { from, to });
  };
  const whole = gathered.get(batch) ?? gather(0, batch.count);
  gathered.set(batch, whole);
  return (from, to) => (to - from === batch.count ? whole : gather(from, to));
}

type Batch = { length: number; columns: Physical[] };

function onlyBatch(stream: Uint8Array, columns: readonly TypedColumn[]): Batch {
  const types = columns.map((column) => column.type);
  const batches = readPhysical(stream, types).filter((batch) => batch.length > 0);
  const [first, ...rest] = batches;
  if (rest.length > 0) throw new RangeError("a sink batch holds one Arrow record batch");
  return first ?? { length: 0, columns: types.map(emptyPhysical) };
}

function gathers(batch: Batch, columns: readonly TypedColumn[], rows: Int32Array): Gather[] {
  for (const row of rows)
    if (row >= batch.length) throw new RangeError("an operation names a row beyond its batch");
  return columns.map((column, i) => ({
    column: batch.columns[i] ?? emptyPhysical(column.type),
    type: column.type,
    rows,
  }));
}

/** operation, part, version, source_offset, place, alive: one value per operation. */
function ownColumns({ count, part, version, offset, place, kind }: SinkBatch): Gather[] {
  const rows = new Int32Array(count);
  // 64 bits as two halves: a bigint each would cost more than all the rest.
  const halves = new Uint32Array(count * 2);
  const alive = new Uint8Array((count + 7) >> 3);
  for (let i = 0; i < count; i++) {
    const at = offset[i] ?? 0;
    rows[i] = i;
    halves[i * 2] = at;
    halves[i * 2 + 1] = at / 2 ** 32;
    if (kind[i] === WRITE) alive[i >> 3] = (alive[i >> 3] ?? 0) | (1 << (i & 7));
  }
  const fixed = (values: Int32Array | Uint32Array | BigInt64Array): Physical => ({
    kind: "fixed",
    length: count,
    valid: undefined,
    data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  return [
    { column: fixed(rows), type: INTEGER, rows },
    { column: fixed(part), type: INTEGER, rows },
    { column: fixed(version), type: BIGINT, rows },
    { column: fixed(halves), type: BIGINT, rows },
    { column: fixed(Int32Array.from(place)), type: INTEGER, rows },
    { column: { kind: "bits", length: count, valid: undefined, data: alive }, type: BOOLEAN, rows },
  ];
}

const INTEGER: SqlType = { kind: "scalar", name: "INTEGER" };
const BIGINT: SqlType = { kind: "scalar", name: "BIGINT" };
const BOOLEAN: SqlType = { kind: "scalar", name: "BOOLEAN" };
