import type { Decoded } from "../decode/decode.ts";
import type { Chunk } from "../guest/poison.ts";
import {
  CLEAR,
  WRITE,
  type Header,
  type SinkBatch,
  type SinkContract,
  type SourceRecord,
} from "../ports.ts";
import { carriedTrace } from "./trace.ts";
import type { Stretch } from "../order/epochs.ts";
import type { Portion } from "../order/stretches.ts";
import { transitionVersionWriter, versionWriter } from "../order/version.ts";

/** A chunk's effects on keyed state, and which record each operation comes from. */
export type Effects = { batch: SinkBatch; recordOf: Int32Array };

export type EffectsRequest = {
  contract: SinkContract;
  /** One after another, they are `records`. */
  portions: readonly Portion[];
  records: readonly SourceRecord[];
  decoded: Decoded;
  /** Tombstones (record numbers) that go along with this chunk. */
  tombstones: readonly number[];
  chunk: Chunk | undefined;
  /** Records a sink has rejected: as if they had not come. */
  without: ReadonlySet<number>;
  /** Parts of records a sink has rejected (`record · maxParts + part`): they are cleared, so that no part of an older version stands beside the others. */
  withoutParts?: ReadonlySet<number>;
};

/**
 * Every version of an identity writes all its parts: the rows the transform made as writes, absent ones as clears. So a corrected record
 * that is now filtered, or makes fewer parts, takes away what its earlier version wrote. Only the newest version within the chunk
 * becomes operations.
 */
export function effectsOf(request: EffectsRequest): Effects {
  const { contract, decoded, records, chunk, withoutParts } = request;
  const { maxParts } = contract;
  const live = liveRecords(request);
  const portionOf = portionFinder(request);
  const isNewer = newerOf(request, portionOf);
  const newest = new Map<string | number, number>();
  for (const record of live) {
    const token = decoded.token[record] ?? 0;
    const held = newest.get(token);
    if (held === undefined || isNewer(record, held)) newest.set(token, record);
  }
  const winners = [...newest.values()];
  const count = winners.length * maxParts;
  const rowOf = outputRows(request, maxParts);
  const { places, placeOf } = placesOf(request.portions);
  const batch: SinkBatch = {
    contract,
    places,
    place: new Uint16Array(count),
    count,
    kind: new Uint8Array(count),
    version: new BigInt64Array(count),
    offset: new Float64Array(count),
    part: new Int32Array(count),
    keyRow: new Int32Array(count),
    keys: decoded.keys(),
    row: new Int32Array(count).fill(-1),
    rows: chunk !== undefined && "output" in chunk ? chunk.output.rows : EMPTY,
  };
  const recordOf = new Int32Array(count);
  const setVersion = versions(request, portionOf, batch.version);
  let i = 0;
  for (const record of winners) {
    const offset = records[record]?.offset ?? 0;
    const place = placeOf[portionOf(record)] ?? 0;
    for (let part = 0; part < maxParts; part++, i++) {
      const isRejected = withoutParts?.has(record * maxParts + part) === true;
      const row = isRejected ? -1 : rowOf(record, part);
      const kind = row < 0 ? CLEAR : WRITE;
      batch.kind[i] = kind;
      setVersion(i, record, kind);
      batch.offset[i] = offset;
      batch.place[i] = place;
      batch.part[i] = part;
      batch.keyRow[i] = decoded.keyRow[record] ?? -1;
      batch.row[i] = row;
      recordOf[i] = record;
    }
  }
  batch.headers = (operation) =>
    carriedTrace(records[recordOf[operation] ?? 0]?.headers ?? NO_HEADERS);
  return { batch, recordOf };
}

const NO_HEADERS: readonly Header[] = [];

const EMPTY = new Uint8Array();

/** The partitions that portions come from, and by portion which of them. */
function placesOf(portions: readonly Portion[]): { places: Stretch[]; placeOf: number[] } {
  const places: Stretch[] = [];
  const placeOf = portions.map(({ stretch: { topic, incarnation, partition } }) => {
    const known = places.findIndex(
      (place) => place.topic === topic && place.partition === partition,
    );
    return known >= 0 ? known : places.push({ topic, incarnation, partition }) - 1;
  });
  return { places, placeOf };
}

/** By record: which portion it is of. */
function portionFinder({ portions, records }: EffectsRequest): (record: number) => number {
  if (portions.length === 1) return () => 0;
  const portionOf = new Uint16Array(records.length);
  let from = 0;
  for (const [n, portion] of portions.entries()) {
    portionOf.fill(n, from, from + portion.records.length);
    from += portion.records.length;
  }
  return (record) => portionOf[record] ?? 0;
}

/** Within a portion records are numbered in offset order; versions tell where an identity is in two of them. */
function newerOf(
  request: EffectsRequest,
  portionOf: (record: number) => number,
): (record: number, than: number) => boolean {
  const { portions } = request;
  const both = new BigInt64Array(2);
  const setVersion = versions(request, portionOf, both);
  return (record, than) => {
    const portion = portionOf(record);
    if (portion === portionOf(than) && portions[portion]?.epoch.ordering === "offset")
      return record > than;
    setVersion(0, than, WRITE);
    setVersion(1, record, WRITE);
    return (both[1] ?? 0n) > (both[0] ?? 0n);
  };
}

function versions(
  { portions, records }: EffectsRequest,
  portionOf: (record: number) => number,
  target: BigInt64Array,
): (index: number, record: number, kind: 0 | 1) => void {
  const byOffset = versionWriter(target);
  const byTime = transitionVersionWriter(target);
  return (index, record, kind) => {
    const epoch = portions[portionOf(record)]?.epoch;
    const found = records[record];
    if (epoch === undefined || found === undefined) return;
    const { offset, timestampMs } = found;
    if (epoch.ordering === "offset") byOffset(index, epoch.epoch, offset, kind);
    else byTime(index, epoch, timestampMs, offset, kind);
  };
}

/** Records of the chunk that have an effect, in offset order. */
function liveRecords({ decoded, chunk, tombstones, without }: EffectsRequest): number[] {
  const failed = new Set(
    chunk !== undefined && "output" in chunk
      ? chunk.output.errors.map((error) => error.row + chunk.from)
      : [],
  );
  const live: number[] = [];
  if (chunk !== undefined && "output" in chunk) {
    for (let row = chunk.from; row < chunk.to; row++) {
      if (!failed.has(row)) live.push(decoded.recordOfRow[row] ?? 0);
    }
  }
  for (const record of tombstones) live.push(record);
  return without.size === 0 ? live : live.filter((record) => !without.has(record));
}

/** The output row that a record's part became; −1 for none. */
function outputRows(
  { decoded, chunk, records }: EffectsRequest,
  maxParts: number,
): (record: number, part: number) => number {
  const rows = new Int32Array(records.length * maxParts).fill(-1);
  if (chunk !== undefined && "output" in chunk) {
    const { input, part } = chunk.output;
    for (let row = 0; row < input.length; row++) {
      const record = decoded.recordOfRow[chunk.from + (input[row] ?? 0)] ?? 0;
      rows[record * maxParts + (part[row] ?? 0)] = row;
    }
  }
  return (record, part) => rows[record * maxParts + part] ?? -1;
}

/** What is made once of each partition that a batch comes from, by operation. */
export function byPlace<T>(
  { places, place }: Pick<SinkBatch, "places" | "place">,
  make: (place: SinkBatch["places"][number]) => T,
): (operation: number) => T {
  const made = places.map((one) => ({ value: make(one) }));
  return (operation) => {
    const found = made[place[operation] ?? -1];
    if (found === undefined) throw new RangeError("an operation names no place");
    return found.value;
  };
}

/** The operations at `indices` as a batch of their own; Arrow bytes are shared. */
export function selectOperations(batch: SinkBatch, indices: readonly number[]): SinkBatch {
  const at = Int32Array.from(indices);
  const { headers } = batch;
  return {
    ...batch,
    ...(headers === undefined ? {} : { headers: (i: number) => headers(at[i] ?? 0) }),
    count: at.length,
    kind: Uint8Array.from(at, (i) => batch.kind[i] ?? CLEAR),
    version: BigInt64Array.from(indices, (i) => batch.version[i] ?? 0n),
    offset: Float64Array.from(at, (i) => batch.offset[i] ?? 0),
    part: at.map((i) => batch.part[i] ?? 0),
    place: Uint16Array.from(at, (i) => batch.place[i] ?? 0),
    keyRow: at.map((i) => batch.keyRow[i] ?? -1),
    row: at.map((i) => batch.row[i] ?? -1),
  };
}
