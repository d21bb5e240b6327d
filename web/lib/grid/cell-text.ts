import { Type, type DataType } from "@uwdata/flechette";
import { number } from "../format.ts";

/**
 * What a cell shows. `missing` values are told apart by their words: `null`, `NaN`, `“”`. `whole` is there where the text is rounded:
 * a float of more than six decimals, whose every digit stands in the tooltip and in what is copied.
 */
export type CellText = { text: string; tone: "value" | "quiet" | "missing"; whole?: string };

const mostDecimals = 6;

const ticksPerSecond = [1n, 1_000n, 1_000_000n, 1_000_000_000n];

/** A value as the grid writes it: exact, with thousands separators and a true minus sign. `decimals` pads a column's fractions. */
export function cellText(value: unknown, type: DataType | undefined, decimals = 0): CellText {
  if (value === null || value === undefined) return { text: "null", tone: "missing" };
  if (value === "") return { text: "“” empty", tone: "missing" };
  if (typeof value === "number" && Number.isNaN(value)) return { text: "NaN", tone: "missing" };
  if (typeof value === "boolean") return { text: String(value), tone: value ? "value" : "quiet" };
  const text = plain(value, type);
  if (typeof value !== "number" || type?.typeId !== Type.Float) return { text, tone: "value" };
  const short = rounded(value, text);
  const shown = padded(short, decimals);
  return short === text
    ? { text: shown, tone: "value" }
    : { text: shown, tone: "value", whole: text };
}

/** A value as another program reads it: numbers without separators and with a plain minus sign. */
export function bareText(value: unknown, type: DataType | undefined): string {
  if (typeof value === "bigint" && type?.typeId === Type.Int) return String(value);
  if (typeof value === "number" && type?.typeId === Type.Float) return String(value);
  const text = cellText(value, type).text;
  return type?.typeId === Type.Decimal ? text.replaceAll(",", "").replace("\u2212", "-") : text;
}

/** The digits after the point that a column of floats needs to line up. */
export function decimalsNeeded(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) return 0;
  const digits = String(value).split(".")[1]?.length ?? 0;
  return Math.min(mostDecimals, Math.max(1, digits));
}

/** True where a column's values stand at the right edge. */
export function isNumeric(duckdbType: string): boolean {
  return /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|FLOAT|DOUBLE|REAL|DECIMAL)(?:\(|$)/.test(
    duckdbType,
  );
}

function plain(value: unknown, type: DataType | undefined): string {
  switch (type?.typeId) {
    case Type.Timestamp:
      return instant(value as bigint, type.unit) + (type.timezone ? "Z" : "");
    case Type.Date:
      return instant(BigInt(Math.trunc(Number(value))), 1).slice(0, 10);
    case Type.Time:
      return instant(BigInt(value as bigint | number), type.unit).slice(11);
    case Type.Decimal:
      return scaled(BigInt(value as bigint | number), type.scale);
    default:
      return nested(value);
  }
}

function nested(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return number(value);
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return hex(value);
  if (value instanceof Map) {
    return `{${[...value].map(([key, item]) => `${nested(key)}: ${nested(item)}`).join(", ")}}`;
  }
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    return `[${Array.from(value as ArrayLike<unknown>, nested).join(", ")}]`;
  }
  if (value && typeof value === "object") {
    return `{${Object.entries(value)
      .map(([key, item]) => `${key}: ${nested(item)}`)
      .join(", ")}}`;
  }
  return String(value);
}

/** `2001-01-01 00:47`, with seconds and their parts only where there are any. */
function instant(ticks: bigint, unit: number): string {
  const perSecond = ticksPerSecond[unit] ?? 1_000_000n;
  const rest = ((ticks % perSecond) + perSecond) % perSecond;
  const seconds = (ticks - rest) / perSecond;
  const date = new Date(Number(seconds) * 1_000);
  if (Number.isNaN(date.getTime())) return `${ticks}`;
  const iso = date.toISOString();
  const text = iso.slice(0, iso.indexOf("T") + 9).replace("T", " ");
  if (rest !== 0n)
    return `${text}.${String(rest)
      .padStart(String(perSecond).length - 1, "0")
      .replace(/0+$/, "")}`;
  return text.endsWith(":00") ? text.slice(0, -3) : text;
}

function scaled(value: bigint, scale: number): string {
  const sign = value < 0n ? "\u2212" : "";
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  const whole = number(BigInt(digits.slice(0, digits.length - scale) || "0"));
  return scale > 0 ? `${sign}${whole}.${digits.slice(-scale)}` : `${sign}${whole}`;
}

function rounded(value: number, text: string): string {
  // Beyond what a float counts by ones, its digits say nothing, and there are up to 309 of them.
  if (Number.isFinite(value) && Math.abs(value) >= 1e16)
    return value.toExponential(3).replaceAll("-", "\u2212");
  if ((text.split(".")[1]?.length ?? 0) <= mostDecimals) return text;
  // A value near zero keeps its first digits rather than becoming zero.
  const isSmall = Math.abs(value) < 1e-3;
  return isSmall
    ? value.toExponential(3).replaceAll("-", "\u2212")
    : number(Number(value.toFixed(mostDecimals)));
}

function padded(text: string, decimals: number): string {
  if (decimals === 0 || /[e∞]/.test(text)) return text;
  const [whole, fraction = ""] = text.split(".");
  return fraction.length > decimals ? text : `${whole}.${fraction.padEnd(decimals, "0")}`;
}

function hex(bytes: Uint8Array): string {
  const shown = Array.from(bytes.subarray(0, 32), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
  return bytes.length > 32 ? `\\x${shown}… ${bytes.length} bytes` : `\\x${shown}`;
}
