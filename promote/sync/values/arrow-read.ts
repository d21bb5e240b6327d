import type { SqlType } from "#snapshots/types.ts";

/** A column of a record batch as Arrow's own buffers, nothing copied. `valid` is undefined when no value is null. */
export type Physical =
  | { kind: "fixed"; length: number; valid: Uint8Array | undefined; data: Uint8Array }
  | { kind: "bits"; length: number; valid: Uint8Array | undefined; data: Uint8Array }
  | {
      kind: "bytes";
      length: number;
      valid: Uint8Array | undefined;
      offsets: Int32Array;
      data: Uint8Array;
    }
  | {
      kind: "list";
      length: number;
      valid: Uint8Array | undefined;
      offsets: Int32Array;
      item: Physical;
    }
  | { kind: "struct"; length: number; valid: Uint8Array | undefined; fields: Physical[] };

/**
 * Reads the record batches of an Arrow IPC stream whose columns are known to be `types` (docs/types.md, column Arrow).
 * Lengths and ranges are checked, the schema message is the sender's affair. Throws RangeError for bytes that do not add up.
 */
export function readPhysical(
  stream: Uint8Array,
  types: readonly SqlType[],
): { length: number; columns: Physical[] }[] {
  const batches: { length: number; columns: Physical[] }[] = [];
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  for (let at = 0; at + 8 <= stream.length;) {
    if (view.getUint32(at, true) !== 0xffffffff)
      throw new RangeError("an Arrow message begins wrongly");
    const metadataLength = view.getInt32(at + 4, true);
    if (metadataLength === 0) break;
    const message = tableAt(stream, at + 8, metadataLength);
    const bodyAt = at + 8 + metadataLength;
    const bodyLength = message.long(3);
    const kind = message.byte(1);
    if (kind === RECORD_BATCH)
      batches.push(readBatch(message, stream.subarray(bodyAt, bodyAt + bodyLength), types));
    else if (kind !== SCHEMA)
      throw new RangeError(`an Arrow message of kind ${kind} (dictionaries are not used here)`);
    at = bodyAt + bodyLength;
  }
  return batches;
}

const SCHEMA = 1;
const RECORD_BATCH = 3;

function readBatch(
  message: Table,
  body: Uint8Array,
  types: readonly SqlType[],
): { length: number; columns: Physical[] } {
  const batch = message.table(2);
  const length = batch.long(0);
  const nodes = batch.longs(1);
  const ranges = batch.longs(2);
  if (batch.has(3)) throw new RangeError("an Arrow batch is compressed");
  let node = 0;
  let buffer = 0;
  const nextBuffer = (): Uint8Array => {
    const [from, size] = ranges[buffer++] ?? [-1, 0];
    if (from < 0 || size < 0 || from + size > body.length)
      throw new RangeError("an Arrow buffer lies outside its message");
    return body.subarray(from, from + size);
  };
  const read = (type: SqlType): Physical => {
    const [rows = 0, nulls = 0] = nodes[node++] ?? [];
    const bitmap = nextBuffer();
    const valid = nulls === 0 || bitmap.length === 0 ? undefined : sized(bitmap, (rows + 7) >> 3);
    switch (physicalKind(type)) {
      case "fixed":
        return {
          kind: "fixed",
          length: rows,
          valid,
          data: sized(nextBuffer(), rows * widthOf(type)),
        };
      case "bits":
        return { kind: "bits", length: rows, valid, data: sized(nextBuffer(), (rows + 7) >> 3) };
      case "bytes": {
        const offsets = offsetsOf(nextBuffer(), rows);
        return {
          kind: "bytes",
          length: rows,
          valid,
          offsets,
          data: sized(nextBuffer(), offsets[rows] ?? 0),
        };
      }
      case "list": {
        const offsets = offsetsOf(nextBuffer(), rows);
        return { kind: "list", length: rows, valid, offsets, item: read(itemType(type)) };
      }
      case "struct":
        return {
          kind: "struct",
          length: rows,
          valid,
          fields: type.kind === "struct" ? type.fields.map((field) => read(field.type)) : [],
        };
    }
  };
  return { length, columns: types.map(read) };
}

function offsetsOf(bytes: Uint8Array, rows: number): Int32Array {
  if (rows === 0) return new Int32Array(1);
  const whole = sized(bytes, (rows + 1) * 4);
  const aligned = whole.byteOffset % 4 === 0 ? whole : whole.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, rows + 1);
}

function sized(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length < size) throw new RangeError("an Arrow buffer is shorter than its column");
  return bytes.subarray(0, size);
}

/** What a list or map holds: a map is a list of (key, value). */
export function itemType(type: SqlType): SqlType {
  if (type.kind === "list") return type.item;
  if (type.kind !== "map") throw new RangeError(`${type.kind} holds no items`);
  return {
    kind: "struct",
    fields: [
      { name: "key", type: type.key },
      { name: "value", type: type.value },
    ],
  };
}

/** A column of a type without a value. */
export function emptyPhysical(type: SqlType): Physical {
  const [length, valid] = [0, undefined];
  const kind = physicalKind(type);
  switch (kind) {
    case "fixed":
    case "bits":
      return { kind, length, valid, data: new Uint8Array() };
    case "bytes":
      return { kind, length, valid, offsets: new Int32Array(1), data: new Uint8Array() };
    case "list":
      return {
        kind,
        length,
        valid,
        offsets: new Int32Array(1),
        item: emptyPhysical(itemType(type)),
      };
    case "struct": {
      const fields = type.kind === "struct" ? type.fields : [];
      return { kind, length, valid, fields: fields.map((field) => emptyPhysical(field.type)) };
    }
  }
}

export function physicalKind(type: SqlType): Physical["kind"] {
  if (type.kind === "list" || type.kind === "map") return "list";
  if (type.kind === "struct") return "struct";
  if (type.kind === "enum") return "bytes";
  if (type.kind === "decimal") return "fixed";
  if (type.name === "BOOLEAN") return "bits";
  return type.name === "VARCHAR" ||
    type.name === "JSON" ||
    type.name === "UUID" ||
    type.name === "BLOB"
    ? "bytes"
    : "fixed";
}

const WIDTHS: Record<string, number> = {
  TINYINT: 1,
  UTINYINT: 1,
  SMALLINT: 2,
  USMALLINT: 2,
  INTEGER: 4,
  UINTEGER: 4,
  FLOAT: 4,
  DATE: 4,
  HUGEINT: 16,
  UHUGEINT: 16,
};

/** Bytes of one value on the wire. */
export function widthOf(type: SqlType): number {
  return type.kind === "decimal" ? 16 : type.kind === "scalar" ? (WIDTHS[type.name] ?? 8) : 0;
}

/** A flatbuffers table: fields by number, absent ones 0. */
type Table = {
  has(field: number): boolean;
  byte(field: number): number;
  long(field: number): number;
  table(field: number): Table;
  /** A vector of structs of two 64-bit integers. */
  longs(field: number): [number, number][];
};

function tableAt(stream: Uint8Array, at: number, length: number): Table {
  const view = new DataView(stream.buffer, stream.byteOffset + at, length);
  const open = (position: number): Table => {
    const vtable = position - view.getInt32(position, true);
    const size = view.getUint16(vtable, true);
    const place = (field: number): number => {
      const slot = 4 + field * 2;
      const offset = slot < size ? view.getUint16(vtable + slot, true) : 0;
      return offset === 0 ? 0 : position + offset;
    };
    const follow = (field: number): number => place(field) + view.getUint32(place(field), true);
    return {
      has: (field) => place(field) !== 0,
      byte: (field) => (place(field) === 0 ? 0 : view.getUint8(place(field))),
      long: (field) => (place(field) === 0 ? 0 : Number(view.getBigInt64(place(field), true))),
      table: (field) => open(follow(field)),
      longs(field) {
        if (place(field) === 0) return [];
        const vector = follow(field);
        return Array.from({ length: view.getUint32(vector, true) }, (_, i) => [
          Number(view.getBigInt64(vector + 4 + i * 16, true)),
          Number(view.getBigInt64(vector + 12 + i * 16, true)),
        ]);
      },
    };
  };
  return open(view.getUint32(0, true));
}
