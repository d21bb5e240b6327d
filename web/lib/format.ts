const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const minus = (text: string) => text.replace("-", "\u2212");

/** 1477912 → "1,477,912". A count is never abbreviated. */
export function count(value: number | bigint): string {
  return minus(whole.format(value));
}

/** "1 row", "2 rows". */
export function counted(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** A number as it is, with thousands separators and a true minus sign; never cut. */
export function number(value: number | bigint): string {
  if (typeof value === "bigint" || Number.isInteger(value)) return count(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "\u2212∞";
  const [integer = "", fraction] = String(value).split(".");
  if (fraction === undefined || integer.includes("e") || fraction.includes("e"))
    return minus(String(value));
  const sign = integer.startsWith("-") ? "\u2212" : "";
  return `${sign}${whole.format(Math.abs(Number(integer)))}.${fraction}`;
}

/** A share of 1 as a percentage that says "0 %" only for none and "100 %" only for all. */
export function percent(share: number, digits = 1): string {
  if (share === 0 || share === 1 || Number.isNaN(share)) return `${share * 100} %`;
  const smallest = 10 ** -digits;
  if (share * 100 < smallest) return `< ${smallest} %`;
  if (share * 100 > 100 - smallest) return `> ${(100 - smallest).toFixed(digits)} %`;
  return `${minus((share * 100).toFixed(digits))} %`;
}

/** 840 → "840 ms", 4200 → "4.2 s", 190000 → "3 min 10 s". */
export function duration(ms: number): string {
  if (ms < 1) return "< 1 ms";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes} min ${Math.round((ms % 60_000) / 1_000)} s`;
}

export function bytes(size: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = size === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(size) / 3));
  const value = size / 1000 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[step]}`;
}

const two = (value: number) => String(value).padStart(2, "0");

/** "2026-11-21 09:12", in the reader's own time zone. */
export function moment(at: string | number | Date): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** "just now", "4 min ago", "3 h ago", then the date. */
export function ago(at: string | number | Date, now: number = Date.now()): string {
  const seconds = (now - new Date(at).getTime()) / 1_000;
  if (seconds < 45) return "just now";
  if (seconds < 3_600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h ago`;
  return moment(at).slice(0, 10);
}

/** The six digits by which a hash is called. */
export function shortHash(hash: string): string {
  return hash.slice(0, 6);
}

/** What people say for DuckDB's type names; the rest in lower case as it is. */
export function typeName(type: string): string {
  const names: Record<string, string> = {
    VARCHAR: "text",
    BOOLEAN: "bool",
    TINYINT: "int8",
    SMALLINT: "int16",
    INTEGER: "int32",
    BIGINT: "int64",
    HUGEINT: "int128",
    UTINYINT: "uint8",
    USMALLINT: "uint16",
    UINTEGER: "uint32",
    UBIGINT: "uint64",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
  };
  return names[type] ?? type.toLowerCase();
}
