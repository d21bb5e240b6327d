import { types } from "cassandra-driver";
import { readPhysical, type Physical } from "../values/arrow-read.ts";
import type { TypedColumn } from "../values/identity.ts";
import { byPlace } from "../pipeline/operations.ts";
import { WRITE, type SinkBatch } from "../ports.ts";
import { encodeColumn, encodeKey, isNullAt, type Encoded } from "./encode.ts";
import { writeLong, type At } from "./encode-numbers.ts";
import { timeToLive } from "./expiry.ts";
import type { CassandraTable } from "./table-plan.ts";

/** Parameters of a statement, already in Cassandra's wire format (or unset). */
export type Parameters = (Buffer | typeof types.unset)[];

/** What an operation asks: to remove a row, to insert one, or to do both at once. */
export type Request = { remove?: Parameters; insert?: Parameters };

export type EncodeOptions = {
  table: CassandraTable;
  key: readonly TypedColumn[];
  columns: readonly TypedColumn[];
  /** Position in `columns` of the one that says when a row expires; −1 for none. */
  expiresAt: number;
  nowMs: number;
};

/**
 * What each operation of a batch asks of Cassandra. A row that leaves nothing of the table unset is one INSERT. Any other is a DELETE just
 * below its version and an INSERT at it, so that what an earlier version wrote in those columns vanishes; one row deletion also costs a
 * reader less than a tombstone a column. Version − 1 is the same record's clear (version.ts), so nothing else stands between.
 */
export function encodeBatch(
  batch: SinkBatch,
  options: EncodeOptions,
): (operation: number) => Request | { reason: string } {
  const { table, key, columns, expiresAt, nowMs } = options;
  const keys = onlyBatch(batch.keys, key);
  const rows = onlyBatch(batch.rows, columns);
  const keyCells = encoded(key, keys, encodeKey);
  const rowCells = encoded(columns, rows, encodeColumn);
  const head = {
    version: longs(batch.version),
    below: longs(batch.version.map((version) => version - 1n)),
    part: ints(batch.part),
    source: sources(batch),
  };
  const ttlAt =
    expiresAt < 0 ? undefined : timeToLive(columns[expiresAt], columnAt(rows, expiresAt), nowMs);

  const placeOf = (operation: number, keyRow: number): Buffer[] => {
    const place: Buffer[] = [];
    for (const { cells } of keyCells) for (const cell of cells) place.push(cell(keyRow));
    place.push(head.part(operation));
    return place;
  };

  return (operation) => {
    const keyRow = inside(batch.keyRow[operation], keys.length);
    const refusedKey = reasonAt(keyCells, keyRow);
    if (refusedKey !== undefined) return refusedKey;
    const place = placeOf(operation, keyRow);
    const version = head.version(operation);
    const remove: Request = { remove: [version, ...place] };
    if (batch.kind[operation] !== WRITE) return remove;

    const row = inside(batch.row[operation], rows.length);
    const refused = reasonAt(rowCells, row);
    if (refused !== undefined) return refused;
    const ttl = ttlAt?.(row);
    if (ttl === "expired") return remove;
    const isWhole = !table.hasOthers && !rowCells.some(({ column }) => isNullAt(column, row));
    const insert: Parameters = [...place];
    insert.push(head.source(operation));
    for (const { cells, column } of rowCells) {
      const isNull = isNullAt(column, row);
      for (const cell of cells) insert.push(isNull ? types.unset : cell(row));
    }
    insert.push(version);
    if (ttl !== undefined) insert.push(ttl);
    return isWhole ? { insert } : { remove: [head.below(operation), ...place], insert };
  };
}

type EncodedColumn = Encoded & { name: string; column: Physical };

function encoded(
  columns: readonly TypedColumn[],
  batch: Batch,
  encode: typeof encodeColumn,
): EncodedColumn[] {
  if (batch.length === 0) return [];
  return columns.map(({ name, type }, i) => {
    const column = columnAt(batch, i);
    return { name, column, ...encode(type, column) };
  });
}

type Batch = { length: number; columns: Physical[] };
const NOTHING: Physical = { kind: "fixed", length: 0, valid: undefined, data: new Uint8Array() };

function onlyBatch(stream: Uint8Array, columns: readonly TypedColumn[]): Batch {
  const types = columns.map((column) => column.type);
  const [first, ...rest] = readPhysical(stream, types).filter((batch) => batch.length > 0);
  if (rest.length > 0) throw new RangeError("a sink batch holds one Arrow record batch");
  return first ?? { length: 0, columns: [] };
}

function columnAt(batch: Batch, index: number): Physical {
  return batch.columns[index] ?? NOTHING;
}

function inside(row: number | undefined, length: number): number {
  if (row === undefined || row < 0 || row >= length)
    throw new RangeError("an operation names a row beyond its batch");
  return row;
}

function reasonAt(columns: readonly EncodedColumn[], row: number): { reason: string } | undefined {
  for (const { name, refused } of columns) {
    const reason = refused?.get(row);
    if (reason !== undefined) return { reason: `column \`${name}\` ${reason}` };
  }
  return undefined;
}

function longs(values: BigInt64Array): At {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const turned = Buffer.from(bytes).swap64();
  return (i) => turned.subarray(i * 8, i * 8 + 8);
}

function ints(values: Int32Array): At {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeInt32BE(value, i * 4));
  return (i) => (values[i] === 0 ? ZERO : bytes.subarray(i * 4, i * 4 + 4));
}

const ZERO = Buffer.alloc(4);

/** Where each operation's record stands, as a tuple of topic, partition and offset: each behind its length. */
function sources(batch: SinkBatch): At {
  const placeOf = byPlace(batch, ({ topic, partition }) => {
    const name = Buffer.from(topic);
    const bytes = Buffer.alloc(4 + name.length + 8 + 12);
    const next = name.copy(bytes, 4) + 4;
    bytes.writeInt32BE(name.length);
    bytes.writeInt32BE(4, next);
    bytes.writeInt32BE(partition, next + 4);
    bytes.writeInt32BE(8, next + 8);
    return bytes;
  });
  return (i) => {
    const bytes = Buffer.from(placeOf(i));
    writeLong(bytes, bytes.length - 8, batch.offset[i] ?? 0);
    return bytes;
  };
}
