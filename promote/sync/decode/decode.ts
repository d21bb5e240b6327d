import { encodeStream } from "#snapshots/arrow-ipc.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { formatType } from "#snapshots/types.ts";
import { layOut } from "../values/arrow-layout.ts";
import { identityToken, type TypedColumn } from "../values/identity.ts";
import type { Kept } from "../values/json-values.ts";
import type { SourceRecord } from "../ports.ts";
import { jsonKeys, jsonRows } from "./json-rows.ts";
import { layoutOf, type Contract, type Layout } from "./layout.ts";
import { textsOf, type KeyReader, type RowReader } from "./rows.ts";

/**
 * A batch of records, checked against the input contract. Records fall into three: rows for the transform, tombstones, and
 * failures. Rows and tombstones have an identity; `keyRow` numbers those in record order.
 */
export type Decoded = {
  /** Number of rows for the transform, and the record each came from. */
  rows: number;
  recordOfRow: Int32Array;
  /** The rows by column of the input contract. */
  columns: readonly TypedColumn[];
  values: readonly (readonly Kept[])[];
  /** Rows `from..to` as Arrow IPC of the input contract. */
  encode(from: number, to: number): Uint8Array;
  /** Identities by key column, and as Arrow IPC of the key columns. */
  key: readonly TypedColumn[];
  identities: readonly (readonly Kept[])[];
  keys(): Uint8Array;
  /** By record: number of its identity, −1 for a failure. */
  keyRow: Int32Array;
  /** By record: equal exactly for versions of one thing. */
  token: (string | number)[];
  tombstones: number[];
  /** `reason` names the column and the value. `validate`: an expectation refused it. */
  failures: { record: number; stage: "decode" | "validate"; reason: string }[];
  /** What schemas of this batch cannot be read, once each; their records are among the failures. */
  conflicts: SchemaConflict[];
};

/** A writer's schema that the input contract cannot read, both as Avro JSON, to be shown side by side. */
export type SchemaConflict = {
  part: "value" | "key";
  subject?: string;
  schemaId: number;
  writerSchema: string;
  readerSchema: string;
  /** The field, and the types that do not meet. */
  conflict: string;
};

/** `key` names the columns of `Decoded.keys`. */
export type Decoder = {
  key: Column[];
  decode: (records: readonly SourceRecord[], partition: number) => Decoded;
};

/** A decoder of JSON. `open-decoder.ts` has one for every format. */
export function openJsonDecoder(contract: Contract): Result<Decoder> {
  const layout = layoutOf(contract);
  if (!layout.ok) return layout;
  const readRow = jsonRows(layout.value.input);
  const readKey = jsonKeys(layout.value.key);
  return ok({
    key: keyColumns(layout.value),
    decode: (records, partition) =>
      decodeBatch(layout.value, { readRow, readKey }, records, partition),
  });
}

export function keyColumns(layout: Layout): Column[] {
  return layout.key.map((column) => ({ ...column, type: formatType(column.type) }));
}

/** Records to typed columns. What is broken, missing, of the wrong type or out of range fails with its reason and never stops the rest. */
export function decodeBatch(
  layout: Layout,
  { readRow, readKey }: { readRow: RowReader; readKey: KeyReader },
  records: readonly SourceRecord[],
  partition: number,
): Decoded {
  const { input, key, keyAt, isEvent } = layout;
  const values: Kept[][] = input.map(() => []);
  const keys: Kept[][] = key.map(() => []);
  const recordOfRow = new Int32Array(records.length);
  const keyRow = new Int32Array(records.length).fill(-1);
  const token: (string | number)[] = Array.from({ length: records.length }, () => 0);
  const tombstones: number[] = [];
  const failures: Decoded["failures"] = [];
  const row: Kept[] = input.map(() => null);
  const read = valueReader(readRow, records);
  let rows = 0;
  let identified = 0;

  const identify = (record: number, of: readonly Kept[]): void => {
    token[record] = identityToken(of);
    for (let i = 0; i < keys.length; i++) keys[i]?.push(of[i] ?? null);
    keyRow[record] = identified++;
  };

  // One for all records: it is looked at and let go.
  const identity: Kept[] = key.map(() => null);
  /** A row or a tombstone more, or why the record is neither; nothing is added before all that may fail is done. */
  function take(index: number, record: SourceRecord): string | undefined {
    if (record.value === null) {
      const found = isEvent ? NO_IDENTITY : record.key === null ? NO_KEY : readKey(record.key);
      if ("reason" in found) return found.reason;
      identify(index, found.values);
      tombstones.push(index);
      return undefined;
    }
    const reason = read(index, record.value, row);
    if (reason !== undefined) return reason;
    if (isEvent) {
      identity[0] = partition;
      identity[1] = record.offset;
    } else {
      for (let i = 0; i < keyAt.length; i++) identity[i] = row[keyAt[i] ?? 0] ?? null;
    }
    identify(index, identity);
    for (let c = 0; c < input.length; c++) values[c]?.push(row[c] ?? null);
    recordOfRow[rows++] = index;
    return undefined;
  }

  for (const [index, record] of records.entries()) {
    let reason: string | undefined;
    try {
      reason = take(index, record);
    } catch (cause) {
      // What a reader trips over is still one record, which must not stop those behind it.
      reason = `reading it failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    }
    if (reason !== undefined) failures.push({ record: index, stage: "decode", reason });
  }

  return {
    ...rowsOf(input, values, recordOfRow.subarray(0, rows)),
    ...identitiesOf(key, keys, identified),
    keyRow,
    token,
    tombstones,
    failures,
    conflicts: [],
  };
}

function valueReader(
  reader: RowReader,
  records: readonly SourceRecord[],
): (record: number, value: Uint8Array, row: Kept[]) => string | undefined {
  if (reader.of === "bytes") return (_, value, row) => reader.read(value, row);
  const texts = textsOf(records);
  return (record, _, row) => {
    const text = texts(record);
    return text === undefined ? "the value is not UTF-8 text" : reader.read(text, row);
  };
}

const NO_IDENTITY = {
  reason:
    "a tombstone (null value) in a stream of events: the source declares no identity to delete",
};
const NO_KEY = { reason: "a tombstone (null value) without a key: nothing says what it deletes" };

/** A batch without some of its rows, which become failures: an expectation refused them. */
export function withoutRows(decoded: Decoded, refused: ReadonlyMap<number, string>): Decoded {
  if (refused.size === 0) return decoded;
  const keep = (_: unknown, row: number): boolean => !refused.has(row);
  const failures = [...refused].map(([row, reason]) => ({
    record: decoded.recordOfRow[row] ?? 0,
    stage: "validate" as const,
    reason,
  }));
  return {
    ...decoded,
    ...rowsOf(
      decoded.columns,
      decoded.values.map((column) => column.filter(keep)),
      decoded.recordOfRow.filter(keep),
    ),
    failures: [...decoded.failures, ...failures],
  };
}

/** Batches that one decoder read, as the one they are one after another. */
export function joinDecoded(batches: readonly Decoded[]): Decoded {
  const [first] = batches;
  if (first === undefined) throw new RangeError("nothing to join");
  if (batches.length === 1) return first;
  let records = 0;
  let identified = 0;
  const recordOfRow: number[] = [];
  const keyRow: number[] = [];
  const tombstones: number[] = [];
  const failures: Decoded["failures"] = [];
  for (const batch of batches) {
    const [before, known] = [records, identified];
    for (const record of batch.recordOfRow) recordOfRow.push(before + record);
    for (const row of batch.keyRow) {
      keyRow.push(row < 0 ? row : known + row);
      if (row >= 0) identified++;
    }
    for (const record of batch.tombstones) tombstones.push(before + record);
    for (const failure of batch.failures)
      failures.push({ ...failure, record: before + failure.record });
    records += batch.keyRow.length;
  }
  const values = first.values.map((_, c) => batches.flatMap((batch) => batch.values[c] ?? []));
  const identities = first.identities.map((_, c) =>
    batches.flatMap((batch) => batch.identities[c] ?? []),
  );
  return {
    ...rowsOf(first.columns, values, Int32Array.from(recordOfRow)),
    ...identitiesOf(first.key, identities, identified),
    keyRow: Int32Array.from(keyRow),
    token: batches.flatMap((batch) => batch.token),
    tombstones,
    failures,
    conflicts: batches.flatMap((batch) => batch.conflicts),
  };
}

function rowsOf(
  columns: readonly TypedColumn[],
  values: readonly (readonly Kept[])[],
  recordOfRow: Int32Array,
): Pick<Decoded, "rows" | "recordOfRow" | "columns" | "values" | "encode"> {
  return {
    rows: recordOfRow.length,
    recordOfRow,
    columns,
    values,
    encode: (from, to) => encodeColumns(columns, values, from, to),
  };
}

function identitiesOf(
  key: readonly TypedColumn[],
  identities: readonly (readonly Kept[])[],
  count: number,
): Pick<Decoded, "key" | "identities" | "keys"> {
  let encoded: Uint8Array | undefined;
  return { key, identities, keys: () => (encoded ??= encodeColumns(key, identities, 0, count)) };
}

function encodeColumns(
  of: readonly TypedColumn[],
  data: readonly (readonly Kept[])[],
  from: number,
  to: number,
): Uint8Array {
  return encodeStream(
    [...of],
    of.map((column, c) => layOut(column.type, data[c] ?? [], from, to)),
  );
}
