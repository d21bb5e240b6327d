import type { ArrowBuffers } from "#snapshots/arrow-buffers.ts";
import type { ScalarName, SqlType } from "#snapshots/types.ts";
import type { Kept } from "./json-values.ts";

/**
 * Lays out `values[from..to)` as Arrow buffers (docs/types.md, column Arrow). Written for the sync's hot path: values arrive
 * already checked, so nothing is looked at twice.
 */
export function layOut(
  type: SqlType,
  values: readonly Kept[],
  from: number,
  to: number,
): ArrowBuffers {
  const head = { length: to - from, ...validityOf(values, from, to) };
  switch (type.kind) {
    case "enum":
      return { ...head, ...texts(values, from, to) };
    case "decimal":
      return { ...head, values: wide(values, from, to) };
    case "list": {
      const { offsets, flat } = flatten(values, from, to);
      return { ...head, offsets, children: [layOut(type.item, flat, 0, flat.length)] };
    }
    case "struct":
      return { ...head, children: layOutFields(type, values, from, to) };
    case "map": {
      const { offsets, flat } = flatten(values, from, to);
      const entries = {
        kind: "struct" as const,
        fields: [
          { name: "key", type: type.key },
          { name: "value", type: type.value },
        ],
      };
      return { ...head, offsets, children: [layOut(entries, flat, 0, flat.length)] };
    }
    case "scalar":
      return { ...head, ...scalar(type.name, values, from, to) };
  }
}

function layOutFields(
  type: SqlType & { kind: "struct" },
  values: readonly Kept[],
  from: number,
  to: number,
): ArrowBuffers[] {
  return type.fields.map((field, n) => {
    const inner = values
      .slice(from, to)
      .map((value) => (Array.isArray(value) ? (value[n] ?? null) : null));
    return layOut(field.type, inner, 0, inner.length);
  });
}

type Data = { values?: Uint8Array; offsets?: Uint8Array };

function scalar(name: ScalarName, values: readonly Kept[], from: number, to: number): Data {
  switch (name) {
    case "VARCHAR":
    case "JSON":
    case "UUID":
      return texts(values, from, to);
    case "BLOB":
      return blobs(values, from, to);
    case "BOOLEAN":
      return { values: bits(values, from, to) };
    case "HUGEINT":
    case "UHUGEINT":
      return { values: wide(values, from, to) };
    case "BIGINT":
    case "UBIGINT":
    case "TIME":
    case "TIMESTAMP":
    case "TIMESTAMP_S":
    case "TIMESTAMP_MS":
    case "TIMESTAMP_NS":
    case "TIMESTAMP WITH TIME ZONE":
      return { values: longs(values, from, to) };
    default:
      return { values: numbers(new NUMBERS[name](to - from), values, from) };
  }
}

const NUMBERS = {
  TINYINT: Int8Array,
  SMALLINT: Int16Array,
  INTEGER: Int32Array,
  DATE: Int32Array,
  UTINYINT: Uint8Array,
  USMALLINT: Uint16Array,
  UINTEGER: Uint32Array,
  FLOAT: Float32Array,
  DOUBLE: Float64Array,
};

type NumberArray = InstanceType<(typeof NUMBERS)[keyof typeof NUMBERS]>;

function numbers(target: NumberArray, values: readonly Kept[], from: number): Uint8Array {
  for (let i = 0; i < target.length; i++) target[i] = Number(values[from + i] ?? 0);
  return bytesOf(target);
}

/** 64-bit integers; a safe integer is split by arithmetic, which is far cheaper than making a bigint of it. */
function longs(values: readonly Kept[], from: number, to: number): Uint8Array {
  const halves = new Uint32Array((to - from) * 2);
  const whole = new BigUint64Array(halves.buffer);
  for (let i = from; i < to; i++) {
    const value = values[i];
    const at = (i - from) * 2;
    if (typeof value === "number") {
      halves[at] = value;
      halves[at + 1] = Math.floor(value / 0x100000000);
    } else if (typeof value === "bigint") whole[i - from] = value;
  }
  return bytesOf(halves);
}

function wide(values: readonly Kept[], from: number, to: number): Uint8Array {
  const words = new BigUint64Array((to - from) * 2);
  for (let i = from; i < to; i++) {
    const value = BigInt(
      typeof values[i] === "bigint" || typeof values[i] === "number"
        ? (values[i] as bigint | number)
        : 0,
    ); // just compared
    words[(i - from) * 2] = value;
    words[(i - from) * 2 + 1] = value >> 64n;
  }
  return bytesOf(words);
}

function bits(values: readonly Kept[], from: number, to: number): Uint8Array {
  const packed = new Uint8Array((to - from + 7) >> 3);
  for (let i = from; i < to; i++) if (values[i] === true) setBit(packed, i - from);
  return packed;
}

function validityOf(
  values: readonly Kept[],
  from: number,
  to: number,
): { nullCount: number; validity: Uint8Array } {
  let nullCount = 0;
  for (let i = from; i < to; i++) if (values[i] === null) nullCount++;
  if (nullCount === 0) return { nullCount, validity: NONE };
  const bitmap = new Uint8Array((to - from + 7) >> 3);
  for (let i = from; i < to; i++) if (values[i] !== null) setBit(bitmap, i - from);
  return { nullCount, validity: bitmap };
}

const NONE = new Uint8Array();

/** Offsets and UTF-8 bytes. Short ASCII, which most columns hold, is copied by hand: a native call each costs more. */
function texts(values: readonly Kept[], from: number, to: number): Data {
  const offsets = new Int32Array(to - from + 1);
  let data: Buffer = Buffer.allocUnsafeSlow((to - from) * 16 + 64);
  let at = 0;
  for (let i = from; i < to; i++) {
    const value = values[i];
    if (typeof value === "string") {
      if (at + value.length * 3 > data.length) data = grown(data, at + value.length * 3);
      at = value.length <= 24 ? shortText(value, data, at) : at + data.write(value, at, "utf8");
    }
    offsets[i - from + 1] = at;
  }
  return { offsets: bytesOf(offsets), values: data.subarray(0, at) };
}

function shortText(text: string, data: Buffer, at: number): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return at + data.write(text, at, "utf8");
    data[at + i] = code;
  }
  return at + text.length;
}

function grown(data: Buffer, needed: number): Buffer {
  const bigger = Buffer.allocUnsafeSlow(Math.max(needed, data.length * 2));
  bigger.set(data);
  return bigger;
}

function blobs(values: readonly Kept[], from: number, to: number): Data {
  const offsets = new Int32Array(to - from + 1);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (let i = from; i < to; i++) {
    const value = values[i];
    if (value instanceof Uint8Array) {
      parts.push(value);
      at += value.length;
    }
    offsets[i - from + 1] = at;
  }
  return { offsets: bytesOf(offsets), values: Buffer.concat(parts) };
}

function flatten(
  values: readonly Kept[],
  from: number,
  to: number,
): { offsets: Uint8Array; flat: Kept[] } {
  const offsets = new Int32Array(to - from + 1);
  const flat: Kept[] = [];
  for (let i = from; i < to; i++) {
    const value = values[i];
    if (Array.isArray(value)) for (const item of value) flat.push(item);
    offsets[i - from + 1] = flat.length;
  }
  return { offsets: bytesOf(offsets), flat };
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function setBit(bitmap: Uint8Array, index: number): void {
  bitmap[index >> 3] = (bitmap[index >> 3] ?? 0) | (1 << (index & 7));
}
