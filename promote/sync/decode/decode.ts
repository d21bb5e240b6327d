import { isUtf8 } from "node:buffer";
import { encodeStream } from "#snapshots/arrow-ipc.ts";
import { ok, type Result } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { formatType } from "#snapshots/types.ts";
import { layOut } from "../arrow-layout.ts";
import { identityColumns, identityToken, typedColumns, type TypedColumn } from "../identity.ts";
import { converterFor, show, type Converted, type Kept } from "../json-values.ts";
import type { SourceRecord } from "../ports.ts";

/**
 * A batch of records, checked against the input contract. Records fall into three: rows for the transform, tombstones, and
 * failures. Rows and tombstones have an identity; `keyRow` numbers those in record order.
 */
export type Decoded = {
  /** Number of rows for the transform, and the record each came from. */
  rows: number;
  recordOfRow: Int32Array;
  /** Rows `from..to` as Arrow IPC of the input contract. */
  encode(from: number, to: number): Uint8Array;
  /** Identities as Arrow IPC of the key columns. */
  keys: Uint8Array;
  /** By record: row in `keys`, −1 for a failure. */
  keyRow: Int32Array;
  /** By record: equal exactly for versions of one thing. */
  token: (string | number)[];
  tombstones: number[];
  /** `reason` names the column and the value. */
  failures: { record: number; reason: string }[];
};

/** `key` names the columns of `Decoded.keys`. */
export type Decoder = {
  key: Column[];
  decode: (records: readonly SourceRecord[], partition: number) => Decoded;
};

/** What identifies an event, that is a record of a source without identity columns. */
const POSITION: TypedColumn[] = [
  { name: "partition", type: { kind: "scalar", name: "INTEGER" }, nullable: false },
  { name: "offset", type: { kind: "scalar", name: "BIGINT" }, nullable: false },
];

/** JSON records to typed columns. What is broken, missing, of the wrong type or out of range fails with its reason and never stops the rest. */
export function openDecoder(contract: {
  input: readonly Column[];
  key: readonly string[];
}): Result<Decoder> {
  const typed = typedColumns(contract.input);
  if (!typed.ok) return typed;
  const identity = identityColumns(typed.value, contract.key);
  if (!identity.ok) return identity;
  const input = typed.value.map((column) =>
    contract.key.includes(column.name) ? { ...column, nullable: false } : column,
  );
  const isEvent = identity.value.length === 0;
  const key = isEvent ? POSITION : identity.value.map((column) => ({ ...column, nullable: false }));
  const columns = input.map(readerOf);
  const keyReaders = isEvent ? [] : key.map(readerOf);
  const keyAt = isEvent
    ? []
    : key.map((column) => input.findIndex((candidate) => candidate.name === column.name));

  function decode(records: readonly SourceRecord[], partition: number): Decoded {
    const values: Kept[][] = columns.map(() => []);
    const keys: Kept[][] = key.map(() => []);
    const recordOfRow = new Int32Array(records.length);
    const keyRow = new Int32Array(records.length).fill(-1);
    const token: (string | number)[] = Array.from({ length: records.length }, () => 0);
    const tombstones: number[] = [];
    const failures: Decoded["failures"] = [];
    const row: Kept[] = columns.map(() => null);
    let rows = 0;
    let identified = 0;

    const identify = (record: number, of: readonly Kept[]): void => {
      of.forEach((value, i) => keys[i]?.push(value));
      keyRow[record] = identified++;
      token[record] = identityToken(of);
    };

    records.forEach((record, index) => {
      if (record.value === null) {
        const found = identityOfKey(record.key, keyReaders);
        if ("reason" in found) {
          failures.push({ record: index, reason: found.reason });
          return;
        }
        tombstones.push(index);
        identify(index, found.values);
        return;
      }
      const reason = readRow(record.value, columns, row);
      if (reason !== undefined) {
        failures.push({ record: index, reason });
        return;
      }
      for (let c = 0; c < columns.length; c++) values[c]?.push(row[c] ?? null);
      recordOfRow[rows++] = index;
      identify(index, isEvent ? [partition, record.offset] : keyAt.map((at) => row[at] ?? null));
    });

    return {
      rows,
      recordOfRow: recordOfRow.subarray(0, rows),
      encode: (from, to) => encodeColumns(input, values, from, to),
      keys: encodeColumns(key, keys, 0, identified),
      keyRow,
      token,
      tombstones,
      failures,
    };
  }

  return ok({ key: key.map((column) => ({ ...column, type: formatType(column.type) })), decode });
}

type Reader = {
  name: string;
  nullable: boolean;
  convert: (value: unknown) => Converted;
  isInherited: boolean;
};

function readerOf(column: TypedColumn): Reader {
  return {
    name: column.name,
    nullable: column.nullable,
    convert: converterFor(column.type),
    isInherited: column.name in {},
  };
}

/** Fills `row`; a reason when the record does not hold to the contract. */
function readRow(value: Uint8Array, columns: readonly Reader[], row: Kept[]): string | undefined {
  if (!isUtf8(value)) return "the value is not UTF-8 text";
  const parsed = parseJson(text(value));
  if (parsed === undefined) return `the value is not JSON: ${show(text(value))}`;
  const object = parsed.value;
  if (typeof object !== "object" || object === null || Array.isArray(object))
    return `the value is ${show(object)}, which is not an object`;
  const fields = object as Record<string, unknown>; // a JSON object, compared in the line above
  for (let c = 0; c < columns.length; c++) {
    const column = columns[c];
    if (column === undefined) continue;
    const field =
      column.isInherited && !Object.hasOwn(fields, column.name) ? undefined : fields[column.name];
    if (field === undefined) return `column \`${column.name}\` is missing`;
    if (field === null) {
      if (!column.nullable)
        return `column \`${column.name}\` is null, which the contract does not allow`;
      row[c] = null;
      continue;
    }
    const converted = column.convert(field);
    if ("reason" in converted) return `column \`${column.name}\` ${converted.reason}`;
    row[c] = converted.value;
  }
  return undefined;
}

/** A tombstone's identity is in its key: the value itself, or an array, or an object by column name. Text may stand unquoted. */
function identityOfKey(
  key: Uint8Array | null,
  readers: readonly Reader[],
): { values: Kept[] } | { reason: string } {
  if (readers.length === 0)
    return {
      reason:
        "a tombstone (null value) in a stream of events: the source declares no identity to delete",
    };
  if (key === null)
    return { reason: "a tombstone (null value) without a key: nothing says what it deletes" };
  if (!isUtf8(key)) return { reason: "the key is not UTF-8 text" };
  const raw = text(key);
  const parsed = parseJson(raw);
  const whole = parsed?.value;
  const isObject = typeof whole === "object" && whole !== null && !Array.isArray(whole);
  const values: Kept[] = [];
  for (const [i, reader] of readers.entries()) {
    const part = isObject
      ? Reflect.get(whole, reader.name)
      : Array.isArray(whole)
        ? whole[i]
        : readers.length === 1
          ? (whole ?? raw)
          : undefined;
    if (part === undefined || part === null)
      return { reason: `the key ${show(raw)} holds no \`${reader.name}\`` };
    let converted = reader.convert(part);
    if ("reason" in converted && readers.length === 1) converted = reader.convert(raw);
    if ("reason" in converted)
      return { reason: `the key's \`${reader.name}\` ${converted.reason}` };
    values.push(converted.value);
  }
  return { values };
}

function parseJson(source: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(source) };
  } catch {
    return undefined;
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function encodeColumns(
  of: readonly TypedColumn[],
  data: readonly Kept[][],
  from: number,
  to: number,
): Uint8Array {
  return encodeStream(
    [...of],
    of.map((column, c) => layOut(column.type, data[c] ?? [], from, to)),
  );
}
