/** A moment as whole days since 1970-01-01 and nanoseconds of that day; `zone` is what the text said about it. */
export type Moment = { days: number; nanoseconds: number; zone: "none" | "utc" | "offset" };

const SHAPE =
  /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?$/;
const DAY_NS = 86_400_000_000_000;

/** Reads ISO 8601 dates and date-times (`T` or a space between, up to nine digits of a second). Undefined for anything else. */
export function parseMoment(text: string): Moment | undefined {
  const plain = parsePlain(text);
  if (plain !== undefined) return plain;
  const found = SHAPE.exec(text);
  if (found === null) return undefined;
  const [, year, month, day, hours = "0", minutes = "0", seconds = "0", fraction = "", zone] =
    found;
  const days = daysFromCivil(Number(year), Number(month), Number(day));
  if (days === undefined) return undefined;
  const inDay = secondsOfDay(Number(hours), Number(minutes), Number(seconds));
  if (inDay === undefined) return undefined;
  const nanoseconds = inDay * 1e9 + Number(fraction.padEnd(9, "0"));
  if (zone === undefined) return { days, nanoseconds, zone: "none" };
  if (zone === "Z") return { days, nanoseconds, zone: "utc" };
  const away =
    (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) *
    60e9 *
    (zone.startsWith("-") ? -1 : 1);
  const utc = nanoseconds - away;
  const shift = Math.floor(utc / DAY_NS);
  return { days: days + shift, nanoseconds: utc - shift * DAY_NS, zone: "offset" };
}

/** `2001-04-01T00:05:00` with or without `Z`: what most records carry, without a regular expression. */
function parsePlain(text: string): Moment | undefined {
  const hasZone = text.length === 20 && text.charCodeAt(19) === 90;
  if (text.length !== 19 && !hasZone) return undefined;
  const separator = text.charCodeAt(10);
  if (separator !== 84 && separator !== 32) return undefined;
  if (
    text.charCodeAt(4) !== 45 ||
    text.charCodeAt(7) !== 45 ||
    text.charCodeAt(13) !== 58 ||
    text.charCodeAt(16) !== 58
  )
    return undefined;
  const year = digits(text, 0) * 100 + digits(text, 2);
  const days = daysFromCivil(year, digits(text, 5), digits(text, 8));
  const seconds = secondsOfDay(digits(text, 11), digits(text, 14), digits(text, 17));
  if (days === undefined || seconds === undefined) return undefined;
  return { days, nanoseconds: seconds * 1e9, zone: hasZone ? "utc" : "none" };
}

function digits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function secondsOfDay(hours: number, minutes: number, seconds: number): number | undefined {
  return hours < 24 && minutes < 60 && seconds < 60
    ? (hours * 60 + minutes) * 60 + seconds
    : undefined;
}

/** Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
function daysFromCivil(year: number, month: number, day: number): number | undefined {
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return undefined;
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 +
    yearOfEra * 365 +
    Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) +
    dayOfYear -
    719_468
  );
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
