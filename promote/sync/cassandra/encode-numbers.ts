import type { Physical } from "../values/arrow-read.ts";
import type { Cell } from "./storage.ts";

/** The value at a row, in Cassandra's wire format. */
export type At = (row: number) => Buffer;
type Fixed = Physical & { kind: "fixed" };

const TWO_32 = 0x1_0000_0000;

/** Little-endian values turned around, all at once. */
export function bigEndian(data: Uint8Array, width: 1 | 2 | 4 | 8): At {
  const bytes = Buffer.from(data);
  if (width === 2) bytes.swap16();
  else if (width === 4) bytes.swap32();
  else if (width === 8) bytes.swap64();
  return slices(bytes, width);
}

function slices(bytes: Buffer, width: number): At {
  return (row) => bytes.subarray(row * width, row * width + width);
}

/** What Cassandra keeps wider, shifted or in another unit: unsigned integers, dates around 2^31, times in nanoseconds. */
export function widened(
  name: "UTINYINT" | "USMALLINT" | "UINTEGER" | "DATE" | "TIME",
  { data, length }: Fixed,
): At {
  const from = viewOf(data);
  const bytes = Buffer.alloc(length * 8);
  switch (name) {
    case "UTINYINT":
      for (let i = 0; i < length; i++) bytes.writeInt16BE(from.getUint8(i), i * 2);
      return slices(bytes, 2);
    case "USMALLINT":
      for (let i = 0; i < length; i++) bytes.writeInt32BE(from.getUint16(i * 2, true), i * 4);
      return slices(bytes, 4);
    case "UINTEGER":
      for (let i = 0; i < length; i++) bytes.writeUInt32BE(from.getUint32(i * 4, true), i * 8 + 4);
      return slices(bytes, 8);
    case "DATE":
      for (let i = 0; i < length; i++)
        bytes.writeUInt32BE((from.getInt32(i * 4, true) ^ 0x8000_0000) >>> 0, i * 4);
      return slices(bytes, 4);
    case "TIME":
      for (let i = 0; i < length; i++) writeLong(bytes, i * 8, safeLong(from, i * 8) * 1000);
      return slices(bytes, 8);
  }
}

/**
 * A timestamp as milliseconds and, where the type has digits below them, what remains. `perMillisecond` is how many of the type's units
 * a millisecond has.
 */
export function moments(
  { data, length }: Fixed,
  perMillisecond: number,
  cells: readonly Cell[],
): At[] {
  const from = viewOf(data);
  const millis = Buffer.alloc(length * 8);
  const below = Buffer.alloc(length * 4);
  for (let i = 0; i < length; i++) {
    const [whole, rest] = split(from, i * 8, perMillisecond);
    if (typeof whole === "number") writeLong(millis, i * 8, whole);
    else millis.writeBigInt64BE(whole, i * 8);
    below.writeInt32BE(rest, i * 4);
  }
  const at = [slices(millis, 8)];
  for (const cell of cells.slice(1))
    at.push(
      cell.cql === "smallint"
        ? (row) => below.subarray(row * 4 + 2, row * 4 + 4)
        : slices(below, 4),
    );
  return at;
}

/** Whole milliseconds and the units below them of the 64-bit integer at `at`. */
export function split(
  from: DataView,
  at: number,
  perMillisecond: number,
): [whole: number | bigint, rest: number] {
  const value = safeLong(from, at);
  if (Number.isSafeInteger(value)) {
    if (perMillisecond < 1) return [value * Math.round(1 / perMillisecond), 0];
    const whole = Math.floor(value / perMillisecond);
    return [whole, value - whole * perMillisecond];
  }
  const exact = from.getBigInt64(at, true);
  if (perMillisecond < 1) return [BigInt.asIntN(64, exact * 1000n), 0];
  const unit = BigInt(perMillisecond);
  const rest = ((exact % unit) + unit) % unit;
  return [(exact - rest) / unit, Number(rest)];
}

/** Two's complement in as few bytes as hold it, as Java's BigInteger writes it: a key's bytes are its identity. */
export function varints({ data, length }: Fixed, width: 8 | 16, isSigned: boolean): At {
  const bytes = Buffer.alloc(length * (width + 1));
  const starts = new Int32Array(length);
  for (let i = 0; i < length; i++) starts[i] = writeVarint(bytes, i, data, width, isSigned);
  return (row) => bytes.subarray(starts[row] ?? 0, (row + 1) * (width + 1));
}

/** Writes the varint against the end of its slot; answers where it begins. */
function writeVarint(
  target: Buffer,
  slot: number,
  data: Uint8Array,
  width: 8 | 16,
  isSigned: boolean,
): number {
  const end = (slot + 1) * (width + 1);
  const from = slot * width;
  for (let i = 0; i < width; i++) target[end - 1 - i] = data[from + i] ?? 0;
  const sign = isSigned && (data[from + width - 1] ?? 0) > 127 ? 255 : 0;
  let start = end - width - 1;
  target[start] = sign;
  while (start < end - 1 && target[start] === sign && (target[start + 1] ?? 0) >> 7 === (sign & 1))
    start++;
  return start;
}

/** The scale as 32 bits, then the unscaled integer as a varint. */
export function decimals(column: Fixed, scale: number): At {
  const unscaled = varints(column, 16, true);
  const head = Buffer.alloc(4);
  head.writeInt32BE(scale);
  return (row) => Buffer.concat([head, unscaled(row)]);
}

/** Exact where the result is a safe integer. */
export function safeLong(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

/** A safe integer as 64 bits. */
export function writeLong(target: Buffer, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  target.writeInt32BE(high, at);
  target.writeUInt32BE(value - high * TWO_32, at + 4);
}

export function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}
