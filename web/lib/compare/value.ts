import { number } from "../format.ts";
import { isNumeric } from "../grid/cell-text.ts";

export type Shown = { text: string; isOdd: boolean };

/** A value as a cell shows it. What is no ordinary value (null, NaN, empty text) is marked, so that none looks like another. */
export function shown(value: unknown, type = ""): Shown {
  if (value === null || value === undefined) return { text: "null", isOdd: true };
  if (typeof value === "number") return { text: number(value), isOdd: !Number.isFinite(value) };
  if (typeof value === "bigint") return { text: number(value), isOdd: false };
  if (value === "") return { text: "“” empty", isOdd: true };
  if (typeof value === "string")
    return { text: type.startsWith("TIMESTAMP") ? instant(value) : value, isOdd: false };
  if (typeof value === "boolean") return { text: String(value), isOdd: false };
  return { text: JSON.stringify(value), isOdd: false };
}

/** `2001-01-01T00:47:00` as `2001-01-01 00:47`; seconds and their parts only where there are any. */
function instant(text: string): string {
  return text.replace("T", " ").replace(/^(\S+ \d\d:\d\d):00(?:\.0+)?(?=\D|$)/, "$1");
}

const widths: [(type: string) => boolean, number][] = [
  [(type) => type.startsWith("TIMESTAMP"), 116],
  [(type) => type === "DATE", 92],
  [isNumeric, 84],
  [(type) => type === "BOOLEAN", 64],
];

/** The width a column of this type needs, in pixels: nothing moves when other rows come into view. */
export function widthOf(name: string, type: string | undefined, isChanged: boolean): number {
  const value = widths.find(([holds]) => holds(type ?? ""))?.[1] ?? 88;
  return Math.max(Math.min(220, name.length * 8 + 28), isChanged ? value * 2 + 12 : value + 24);
}

/** A figure DuckDB wrote as text, as a cell of this type shows it: `1234.5` as `1,234.5`, `-3` with a true minus sign. */
export function figureText(text: string, type: string): string {
  if (type.startsWith("TIMESTAMP") || type === "DATE")
    return instant(text).replace(type === "DATE" ? /[ T]00:00(?::00)?$/ : /(?!)/, "");
  if (!isNumeric(type) || !/^-?\d+(?:\.\d+)?$/.test(text)) return text;
  const value = Number(text);
  if (Number.isInteger(value)) return Number.isSafeInteger(value) ? number(value) : text;
  return number(Number(value.toPrecision(6)));
}

/** An estimated quantile to a thousandth of the column's range at most: digits beyond it say nothing. */
export function quantileText(
  text: string | undefined,
  { min, max }: { min: string | null; max: string | null },
  type: string,
): string | undefined {
  const [value, range] = [Number(text), Number(max) - Number(min)];
  if (!isNumeric(type) || !Number.isFinite(value) || !(range > 0)) return text;
  const decimals = Math.min(12, Math.max(0, 3 - Math.floor(Math.log10(range))));
  return String(Number(value.toFixed(type.includes("INT") ? 0 : decimals)) + 0);
}
