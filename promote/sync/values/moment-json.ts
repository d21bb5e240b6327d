import type { ScalarName } from "#snapshots/types.ts";
import { JsonText } from "./json-text.ts";

const QUOTE = 0x22;
const DASH = 0x2d;
const COLON = 0x3a;
const POINT = 0x2e;
const TWO_32 = 0x1_0000_0000;

/** Days since 1970 as `"2001-03-14"`; years that four digits cannot hold as ISO 8601 and JavaScript write them, `"-000043-03-15"`. */
export function writeDate(out: JsonText, days: number): void {
  out.byte(QUOTE);
  writeDays(out, days);
  out.byte(QUOTE);
}

/** Microseconds of a day as `"15:09:26.5"`. */
export function writeTime(out: JsonText, view: DataView, at: number): void {
  const micros = view.getInt32(at + 4, true) * TWO_32 + view.getUint32(at, true);
  out.byte(QUOTE);
  writeClock(out, Math.floor(micros / 1e6), micros % 1e6, 6);
  out.byte(QUOTE);
}

const DIGITS: Partial<Record<ScalarName, number>> = {
  TIMESTAMP_S: 0,
  TIMESTAMP_MS: 3,
  TIMESTAMP_NS: 9,
};

/** A timestamp in its type's unit since 1970 as `"2001-03-14T15:09:26.535897"`, with `Z` where the type has a zone. */
export function writeMoment(out: JsonText, view: DataView, at: number, name: ScalarName): void {
  const digits = DIGITS[name] ?? 6;
  const perSecond = 10 ** digits;
  const value = view.getInt32(at + 4, true) * TWO_32 + view.getUint32(at, true);
  let seconds = Math.floor(value / perSecond);
  let rest = value - seconds * perSecond;
  if (!Number.isSafeInteger(value)) {
    const exact = view.getBigInt64(at, true);
    const unit = BigInt(perSecond);
    rest = Number(((exact % unit) + unit) % unit);
    seconds = Number((exact - BigInt(rest)) / unit);
  }
  const days = Math.floor(seconds / 86_400);
  out.byte(QUOTE);
  writeDays(out, days);
  out.byte(0x54);
  writeClock(out, seconds - days * 86_400, rest, digits);
  if (name === "TIMESTAMP WITH TIME ZONE") out.byte(0x5a);
  out.byte(QUOTE);
}

function writeClock(out: JsonText, seconds: number, fraction: number, digits: number): void {
  out.digits(Math.floor(seconds / 3600), 2);
  out.byte(COLON);
  out.digits(Math.floor(seconds / 60) % 60, 2);
  out.byte(COLON);
  out.digits(seconds % 60, 2);
  if (fraction === 0) return;
  let shown = fraction;
  let count = digits;
  for (; shown % 10 === 0; count--) shown /= 10;
  out.byte(POINT);
  out.digits(shown, count);
}

/** Days since 1970-01-01 to a proleptic Gregorian date (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
function writeDays(out: JsonText, days: number): void {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  writeYear(out, yearOfEra + era * 400 + (month <= 2 ? 1 : 0));
  out.byte(DASH);
  out.digits(month, 2);
  out.byte(DASH);
  out.digits(day, 2);
}

function writeYear(out: JsonText, year: number): void {
  if (year >= 0 && year <= 9999) {
    out.digits(year, 4);
    return;
  }
  out.byte(year < 0 ? DASH : 0x2b);
  out.ascii(String(Math.abs(year)).padStart(6, "0"));
}

const text = new JsonText(64);
const long = new DataView(new ArrayBuffer(8));

/** A date in days, a time in microseconds or a timestamp in its type's units, as JSON has it, without the quotes; undefined for another type. */
export function momentText(name: ScalarName, units: number | bigint): string | undefined {
  if (name !== "DATE" && name !== "TIME" && !name.startsWith("TIMESTAMP")) return undefined;
  text.reset();
  long.setBigInt64(0, BigInt(units), true);
  if (name === "DATE") writeDate(text, Number(units));
  else if (name === "TIME") writeTime(text, long, 0);
  else writeMoment(text, long, 0, name);
  return text.bytes.toString("latin1", 1, text.length - 1);
}
