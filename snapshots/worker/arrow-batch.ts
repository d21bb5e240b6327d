import { ByteBuilder, ValidityBuilder, type ArrowBuffers } from "../arrow-buffers.ts";
import type { SqlType } from "../types.ts";
import { isText, isValid, widthOf, type Raw } from "./raw.ts";

/** Collects pieces of a column, in row order, into the Arrow buffers of one record batch. */
export type ColumnBuilder = { append(raw: Raw): void; finish(): ArrowBuffers };

export function columnBuilder(type: SqlType, capacity: number): ColumnBuilder {
  if (type.kind === "struct")
    return structBuilder(type.fields.map((field) => columnBuilder(field.type, capacity)));
  if (type.kind === "list") return listBuilder(columnBuilder(type.item, capacity));
  if (type.kind === "map") {
    const entries = [columnBuilder(type.key, capacity), columnBuilder(type.value, capacity)];
    return listBuilder(structBuilder(entries));
  }
  if (isText(type)) return textBuilder(capacity);
  if (type.kind === "enum") {
    const names = type.values.map((value) => Buffer.from(value));
    return writtenBuilder(
      capacity,
      widthOf(type),
      (bits) => names[Number(bits)] ?? Buffer.alloc(0),
    );
  }
  if (type.kind === "decimal") return wideBuilder(capacity, widthOf(type));
  if (type.name === "BOOLEAN") return boolBuilder(capacity);
  if (type.name === "UUID") return writtenBuilder(capacity, 16, uuidText);
  return fixedBuilder(capacity * widthOf(type));
}

function fixedBuilder(capacity: number): ColumnBuilder {
  return valuesBuilder(capacity, (raw, out) => out.append(raw.data));
}

/** DuckDB keeps a DECIMAL in 2, 4, 8 or 16 bytes; Arrow's Decimal128 is always 16. */
function wideBuilder(capacity: number, width: number): ColumnBuilder {
  if (width === 16) return fixedBuilder(capacity * 16);
  return valuesBuilder(capacity * 16, (raw, out) => {
    out.reserve(raw.rows * 16);
    const from = new DataView(raw.data.buffer, raw.data.byteOffset, raw.data.byteLength);
    const to = new DataView(out.bytes.buffer, out.length);
    for (let i = 0; i < raw.rows; i += 1) {
      const high =
        width === 2 ? from.getInt16(i * 2, true) : from.getInt32(i * width + width - 4, true);
      if (width === 8) to.setUint32(i * 16, from.getUint32(i * 8, true), true);
      else to.setInt32(i * 16, high, true);
      to.setInt32(i * 16 + 4, width === 8 ? high : high >> 31, true);
      to.setInt32(i * 16 + 8, high >> 31, true);
      to.setInt32(i * 16 + 12, high >> 31, true);
    }
    out.length += raw.rows * 16;
  });
}

function valuesBuilder(
  capacity: number,
  write: (raw: Extract<Raw, { shape: "fixed" }>, out: ByteBuilder) => void,
): ColumnBuilder {
  const validity = new ValidityBuilder();
  const out = new ByteBuilder(capacity);
  let rows = 0;
  return {
    append(raw) {
      if (raw.shape !== "fixed") throw new Error(`expected fixed width, got ${raw.shape}`);
      validity.append(raw.nulls.bits, raw.nulls.count, raw.rows);
      write(raw, out);
      rows += raw.rows;
    },
    finish: () => ({
      length: rows,
      nullCount: validity.nullCount,
      validity: validity.finish(),
      values: out.finish(),
    }),
  };
}

function boolBuilder(capacity: number): ColumnBuilder {
  const bytes = fixedBuilder(capacity);
  return {
    append: (raw) => bytes.append(raw),
    finish() {
      const { values = new Uint8Array(0), ...rest } = bytes.finish();
      const bits = new Uint8Array(Math.ceil(values.length / 8));
      for (let i = 0; i < values.length; i += 1) {
        if (values[i]) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
      }
      return { ...rest, values: bits };
    },
  };
}

function textBuilder(capacity: number): ColumnBuilder {
  const validity = new ValidityBuilder();
  const offsets = new ByteBuilder((capacity + 1) * 4);
  const out = new ByteBuilder(capacity * 12);
  offsets.append(new Uint8Array(4));
  let rows = 0;
  return {
    append(raw) {
      if (raw.shape !== "text") throw new Error(`expected text, got ${raw.shape}`);
      validity.append(raw.nulls.bits, raw.nulls.count, raw.rows);
      rows += raw.rows;
      const { views, long } = raw;
      const words = new Uint32Array(views.buffer, views.byteOffset, raw.rows * 4);
      offsets.reserve(raw.rows * 4);
      const ends = new Int32Array(offsets.bytes.buffer, offsets.length, raw.rows);
      const bytes = out.reserve(raw.rows * 12 + long.length);
      let at = out.length;
      let longAt = 0;
      for (let i = 0; i < raw.rows; i += 1) {
        const length = words[i * 4] ?? 0;
        if (length <= 12) {
          const from = i * 16 + 4;
          for (let b = 0; b < length; b += 1) bytes[at + b] = views[from + b] ?? 0;
        } else {
          copy(long, longAt, length, bytes, at);
          longAt += length;
        }
        at += length;
        ends[i] = at;
      }
      out.length = at;
      offsets.length += raw.rows * 4;
    },
    finish: () => ({
      length: rows,
      nullCount: validity.nullCount,
      validity: validity.finish(),
      offsets: offsets.finish(),
      values: out.finish(),
    }),
  };
}

/** Short runs are quicker byte by byte than through a call. */
function copy(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length > 48) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  for (let b = 0; b < length; b += 1) to[at + b] = from[start + b] ?? 0;
}

/** For the types whose text is made here: a value's bits in, its text out. */
function writtenBuilder(
  capacity: number,
  width: number,
  write: (bits: bigint) => Uint8Array,
): ColumnBuilder {
  const validity = new ValidityBuilder();
  const offsets = new ByteBuilder((capacity + 1) * 4);
  const out = new ByteBuilder(capacity * 8);
  offsets.append(new Uint8Array(4));
  let rows = 0;
  return {
    append(raw) {
      if (raw.shape !== "fixed") throw new Error(`expected fixed width, got ${raw.shape}`);
      validity.append(raw.nulls.bits, raw.nulls.count, raw.rows);
      rows += raw.rows;
      const ends = new Int32Array(raw.rows);
      const view = new DataView(raw.data.buffer, raw.data.byteOffset, raw.data.byteLength);
      for (let i = 0; i < raw.rows; i += 1) {
        if (raw.nulls.bits === null || isValid(raw.nulls.bits, i))
          out.append(write(bitsAt(view, i, width)));
        ends[i] = out.length;
      }
      offsets.append(new Uint8Array(ends.buffer));
    },
    finish: () => ({
      length: rows,
      nullCount: validity.nullCount,
      validity: validity.finish(),
      offsets: offsets.finish(),
      values: out.finish(),
    }),
  };
}

function bitsAt(view: DataView, row: number, width: number): bigint {
  if (width === 1) return BigInt(view.getUint8(row));
  if (width === 2) return BigInt(view.getUint16(row * 2, true));
  if (width === 4) return BigInt(view.getUint32(row * 4, true));
  return (view.getBigUint64(row * 16 + 8, true) << 64n) | view.getBigUint64(row * 16, true);
}

/** DuckDB keeps a UUID as a signed 128-bit number with the top bit flipped, so that it sorts as text. */
function uuidText(bits: bigint): Uint8Array {
  const hex = (bits ^ (1n << 127n)).toString(16).padStart(32, "0");
  return Buffer.from(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
  );
}

function listBuilder(child: ColumnBuilder): ColumnBuilder {
  const validity = new ValidityBuilder();
  const offsets = new ByteBuilder(1024);
  offsets.append(new Uint8Array(4));
  let rows = 0;
  let total = 0;
  return {
    append(raw) {
      if (raw.shape !== "list") throw new Error(`expected a list, got ${raw.shape}`);
      validity.append(raw.nulls.bits, raw.nulls.count, raw.rows);
      rows += raw.rows;
      const ends = Int32Array.from(raw.lengths, (length) => (total += length));
      offsets.append(new Uint8Array(ends.buffer));
      child.append(raw.child);
    },
    finish: () => ({
      length: rows,
      nullCount: validity.nullCount,
      validity: validity.finish(),
      offsets: offsets.finish(),
      children: [child.finish()],
    }),
  };
}

function structBuilder(children: ColumnBuilder[]): ColumnBuilder {
  const validity = new ValidityBuilder();
  let rows = 0;
  return {
    append(raw) {
      if (raw.shape !== "struct") throw new Error(`expected a struct, got ${raw.shape}`);
      validity.append(raw.nulls.bits, raw.nulls.count, raw.rows);
      rows += raw.rows;
      raw.children.forEach((piece, index) => children[index]?.append(piece));
    },
    finish: () => ({
      length: rows,
      nullCount: validity.nullCount,
      validity: validity.finish(),
      children: children.map((child) => child.finish()),
    }),
  };
}
