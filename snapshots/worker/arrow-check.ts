import { isAscii, isUtf8 } from "node:buffer";
import { Type, type Batch, type DataType } from "@uwdata/flechette";
import { arrowType, isSameArrowType } from "../arrow-type.ts";
import { ProblemError } from "../problem.ts";
import { formatType, type SqlType } from "../types.ts";
import { isText, isValid } from "./raw.ts";

/** A column of a record batch whose buffers were found long enough and whose offsets and texts were found sound. */
export type ArrowColumn = {
  length: number;
  nullCount: number;
  validity: Uint8Array;
  values?: Uint8Array;
  /** `length + 1` ends into `values` or the child. */
  offsets?: Int32Array;
  children?: ArrowColumn[];
};

/**
 * Checks a decoded column against the type it is to have. Throws a `ProblemError` naming the column where the Arrow type, a buffer's length,
 * an offset or a text is wrong: nothing unchecked may be copied into DuckDB's memory.
 */
export function checkArrowType(
  name: string,
  type: SqlType,
  arrow: DataType,
  batches: readonly Batch<unknown>[],
  length: number,
): ArrowColumn {
  if (length === 0) return empty(type);
  const [batch, ...more] = batches;
  if (batch === undefined || more.length > 0 || batch.length !== length) {
    refuse(name, "comes in a number of batches other than one");
  }
  return checkBatch(name, type, arrow, batch, length);
}

/** flechette's batch, as far as its buffers go. */
type Buffers = {
  length: number;
  nullCount: number;
  validity?: Uint8Array;
  values?: ArrayBufferView;
  offsets?: ArrayBufferView;
  children?: Buffers[];
  dictionary?: { type: DataType; length: number; data: Buffers[] };
};

function checkBatch(
  name: string,
  type: SqlType,
  arrow: DataType,
  batch: Buffers,
  length: number,
): ArrowColumn {
  if (arrow.typeId === Type.Dictionary) return undictionary(name, type, batch, length);
  const wanted = arrowType(type);
  if (!isSameArrowType(wanted, arrow)) {
    refuse(
      name,
      `arrives as Arrow ${describe(arrow)}, but ${formatType(type)} travels as ${describe(wanted)}`,
    );
  }
  if (batch.length !== length)
    refuse(name, `has ${batch.length} values where ${length} were expected`);
  const validity = batch.nullCount > 0 ? (batch.validity ?? new Uint8Array(0)) : new Uint8Array(0);
  if (batch.nullCount > 0 && validity.length < Math.ceil(length / 8))
    refuse(name, "has a validity bitmap that is too short");
  const base = { length, nullCount: batch.nullCount, validity };

  if (type.kind === "struct") {
    const children = type.fields.map((field, index) =>
      checkChild(`${name}.${field.name}`, field.type, arrow, batch, index, length),
    );
    return { ...base, children };
  }
  if (type.kind === "list" || type.kind === "map") {
    const offsets = checkOffsets(name, batch, length);
    const item: SqlType = type.kind === "list" ? type.item : entriesOf(type);
    const childLength = batch.children?.[0]?.length ?? 0;
    if ((offsets[length] ?? 0) > childLength) refuse(name, "has offsets beyond its items");
    return { ...base, offsets, children: [checkChild(name, item, arrow, batch, 0, childLength)] };
  }
  if (isText(type)) {
    const offsets = checkOffsets(name, batch, length);
    const values = bytesOf(batch.values);
    if ((offsets[length] ?? 0) > values.length) refuse(name, "has offsets beyond its bytes");
    if (type.kind !== "scalar" || type.name !== "BLOB") checkUtf8(name, values, offsets, length);
    return { ...base, offsets, values };
  }
  const values = bytesOf(batch.values);
  const bits = type.kind === "decimal" ? 128 : bitWidth(type);
  if (values.length * 8 < length * bits) refuse(name, "has fewer values than rows");
  if (type.kind === "scalar" && type.name === "TIME") checkTime(name, values, base);
  return { ...base, values };
}

function checkChild(
  name: string,
  type: SqlType,
  arrow: DataType,
  batch: Buffers,
  index: number,
  length: number,
): ArrowColumn {
  const child = batch.children?.[index];
  const childType = childrenOf(arrow)[index]?.type;
  if (child === undefined || childType === undefined) refuse(name, "lacks a child column");
  return checkBatch(name, type, childType, child, length);
}

function entriesOf(type: Extract<SqlType, { kind: "map" }>): SqlType {
  return {
    kind: "struct",
    fields: [
      { name: "key", type: type.key },
      { name: "value", type: type.value },
    ],
  };
}

/** Dictionaries hold a batch's few texts once; they are written out here, since DuckDB finds its own. */
function undictionary(name: string, type: SqlType, batch: Buffers, length: number): ArrowColumn {
  const dictionary = batch.dictionary;
  const [words, ...more] = dictionary?.data ?? [];
  if (!isText(type) || dictionary === undefined || words === undefined || more.length > 0) {
    refuse(name, "arrives as a dictionary that cannot be read");
  }
  const source = checkBatch(name, type, dictionary.type, words, words.length);
  const keys = batch.values as unknown as ArrayLike<number | bigint>;
  const validity = batch.nullCount > 0 ? (batch.validity ?? new Uint8Array(0)) : new Uint8Array(0);
  if (keys.length < length || (batch.nullCount > 0 && validity.length < Math.ceil(length / 8))) {
    refuse(name, "has fewer values than rows");
  }
  const bits = new Uint8Array(Math.ceil(length / 8));
  const offsets = new Int32Array(length + 1);
  const pieces: Uint8Array[] = [];
  let nullCount = 0;
  for (let i = 0, end = 0; i < length; i += 1) {
    const key = Number(keys[i]);
    const isNull = batch.nullCount > 0 && !isValid(validity, i);
    if (!isNull && !(key >= 0 && key < source.length))
      refuse(name, "refers to a text its dictionary does not hold");
    if (isNull || (source.nullCount > 0 && !isValid(source.validity, key))) nullCount += 1;
    else {
      bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
      const piece =
        source.values?.subarray(source.offsets?.[key], source.offsets?.[key + 1]) ??
        new Uint8Array(0);
      pieces.push(piece);
      end += piece.length;
    }
    offsets[i + 1] = end;
  }
  return {
    length,
    nullCount,
    validity: nullCount > 0 ? bits : new Uint8Array(0),
    offsets,
    values: Buffer.concat(pieces),
  };
}

function checkOffsets(name: string, batch: Buffers, length: number): Int32Array {
  const offsets = batch.offsets;
  if (!(offsets instanceof Int32Array) || offsets.length < length + 1)
    refuse(name, "has too few offsets");
  let last = offsets[0] ?? -1;
  if (last < 0) refuse(name, "has a negative offset");
  for (let i = 1; i <= length; i += 1) {
    const next = offsets[i] ?? -1;
    if (next < last) refuse(name, "has offsets that go backwards");
    last = next;
  }
  return offsets;
}

function checkUtf8(name: string, values: Uint8Array, offsets: Int32Array, length: number): void {
  const used = values.subarray(offsets[0], offsets[length]);
  if (isAscii(used)) return;
  if (!isUtf8(used)) refuse(name, "holds text that is not UTF-8");
  for (let i = 0; i <= length; i += 1) {
    const at = offsets[i] ?? 0;
    const isInside = at < (offsets[length] ?? 0) && ((values[at] ?? 0) & 0xc0) === 0x80;
    if (isInside) refuse(name, "holds text cut inside a character");
  }
}

const dayMicros = 86_400_000_000n;

function checkTime(
  name: string,
  values: Uint8Array,
  base: { length: number; nullCount: number; validity: Uint8Array },
): void {
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  for (let i = 0; i < base.length; i += 1) {
    if (base.nullCount > 0 && !isValid(base.validity, i)) continue;
    const time = view.getBigInt64(i * 8, true);
    if (time < 0n || time > dayMicros) refuse(name, "holds a time of day outside 00:00 to 24:00");
  }
}

function childrenOf(type: DataType): { type: DataType }[] {
  return "children" in type && Array.isArray(type.children) ? type.children : [];
}

function describe(type: DataType): string {
  const name =
    Object.entries(Type).find(([, id]) => id === type.typeId)?.[0] ?? String(type.typeId);
  const detail =
    "bitWidth" in type
      ? String(type.bitWidth)
      : "unit" in type
        ? `(unit ${String(type.unit)})`
        : "";
  return name + detail;
}

function bitWidth(type: SqlType): number {
  const arrow = arrowType(type);
  if (arrow.typeId === Type.Bool) return 1;
  if (arrow.typeId === Type.Date) return 32;
  if (arrow.typeId === Type.Timestamp) return 64;
  if (arrow.typeId === Type.Float) return type.kind === "scalar" && type.name === "FLOAT" ? 32 : 64;
  return "bitWidth" in arrow ? arrow.bitWidth : 128;
}

function bytesOf(values: ArrayBufferView | undefined): Uint8Array {
  if (values === undefined) return new Uint8Array(0);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function empty(type: SqlType): ArrowColumn {
  const children = type.kind === "struct" ? type.fields.map((field) => empty(field.type)) : [];
  return {
    length: 0,
    nullCount: 0,
    validity: new Uint8Array(0),
    values: new Uint8Array(0),
    offsets: new Int32Array(1),
    children,
  };
}

function refuse(name: string, what: string): never {
  throw new ProblemError({
    code: "bad-batch",
    message: `Column \`${name}\` ${what}.`,
    hint: "The guest that made these rows does not keep to its contract; run it again.",
  });
}
