import type { JsonText } from "./json-text.ts";

const TWO_32 = 0x1_0000_0000;

/** A signed 64-bit integer as JSON: a number within ±2^53, else its digits as text. */
export function writeLong(out: JsonText, view: DataView, at: number): void {
  const value = view.getInt32(at + 4, true) * TWO_32 + view.getUint32(at, true);
  if (Number.isSafeInteger(value)) out.integer(value);
  else writeText(out, view.getBigInt64(at, true));
}

export function writeUnsignedLong(out: JsonText, view: DataView, at: number): void {
  const value = view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
  if (Number.isSafeInteger(value)) out.integer(value);
  else writeText(out, view.getBigUint64(at, true));
}

/** The digits of a signed 64-bit integer, however long, without quotes. */
export function writeLongDigits(out: JsonText, view: DataView, at: number): void {
  const value = view.getInt32(at + 4, true) * TWO_32 + view.getUint32(at, true);
  if (Number.isSafeInteger(value)) out.integer(value);
  else out.ascii(String(view.getBigInt64(at, true)));
}

/** A 128-bit integer as JSON. */
export function writeWide(out: JsonText, view: DataView, at: number, isSigned: boolean): void {
  const value = isSigned ? signed(view, at) : unsigned(view, at);
  if (value >= -MAX_SAFE && value <= MAX_SAFE) out.integer(Number(value));
  else writeText(out, value);
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** An unscaled 128-bit integer as text with `scale` digits after the point. */
export function writeDecimal(out: JsonText, view: DataView, at: number, scale: number): void {
  const low = view.getInt32(at + 4, true) * TWO_32 + view.getUint32(at, true);
  const sign = low < 0 ? -1 : 0;
  const isNarrow =
    Number.isSafeInteger(low) &&
    view.getInt32(at + 8, true) === sign &&
    view.getInt32(at + 12, true) === sign;
  const value = isNarrow ? low : signed(view, at);
  const digits = String(value < 0 ? -value : value).padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const fraction = scale === 0 ? "" : `.${digits.slice(digits.length - scale)}`;
  out.ascii(`"${value < 0 ? "-" : ""}${whole}${fraction}"`);
}

function writeText(out: JsonText, value: bigint): void {
  out.ascii(`"${value}"`);
}

function signed(view: DataView, at: number): bigint {
  return (view.getBigInt64(at + 8, true) << 64n) | view.getBigUint64(at, true);
}

function unsigned(view: DataView, at: number): bigint {
  return (view.getBigUint64(at + 8, true) << 64n) | view.getBigUint64(at, true);
}
