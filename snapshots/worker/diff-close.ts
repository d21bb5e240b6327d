import { durationNanoseconds, exactAmount, type DiffRule } from "../diff-rules.ts";
import { isFloat } from "./diff-canonical.ts";

/** SQL for how far two numbers are apart; NULL where that is no finite number of the type. */
export function distanceSql(left: string, right: string, type: string): string {
  if (isFloat(type)) {
    return `CASE WHEN isfinite(${left}) AND isfinite(${right}) THEN abs(${left}::DOUBLE - ${right}::DOUBLE) END`;
  }
  const [a, b] = [left, right].map((sql) => wide(sql, type));
  // `greatest` and `least` pass NULLs over.
  return `TRY(CASE WHEN ${left} IS NOT NULL AND ${right} IS NOT NULL THEN greatest(${a}, ${b}) - least(${a}, ${b}) END)`;
}

/** SQL for how far a number moved from left to right, its sign included; NULL as above. Of UHUGEINT, which knows no sign, the distance. */
export function movedSql(left: string, right: string, type: string): string {
  if (type === "UHUGEINT") return distanceSql(left, right, type);
  if (isFloat(type)) {
    return `CASE WHEN isfinite(${left}) AND isfinite(${right}) THEN ${right}::DOUBLE - ${left}::DOUBLE END`;
  }
  return `TRY(${wide(right, type)} - ${wide(left, type)})`;
}

/** A type in which the distance of two whole numbers fits, where there is one. */
function wide(sql: string, type: string): string {
  if (/^(U?(TINY|SMALL)INT|U?INTEGER)$/.test(type)) return `${sql}::BIGINT`;
  return /^U?BIGINT$/.test(type) ? `${sql}::HUGEINT` : sql;
}

/**
 * SQL for whether two values are as close as the rule allows; undefined where it allows nothing. |a−b| ≤ max(absolute, relative·max(|a|,|b|)),
 * or a time apart. Whole numbers and decimals are compared with the limit exactly; infinities equal only themselves.
 */
export function closeSql(
  left: string,
  right: string,
  type: string,
  rule: DiffRule | undefined,
): string | undefined {
  if (rule?.duration !== undefined) return durationSql(left, right, type, rule.duration);
  const limits = [
    ...(rule?.absolute === undefined ? [] : [absoluteSql(left, right, type, rule.absolute)]),
    ...(rule?.relative === undefined ? [] : [relativeSql(left, right, type, rule.relative)]),
  ];
  return limits.length === 0
    ? undefined
    : limits.map((sql) => `coalesce(${sql}, false)`).join(" OR ");
}

function absoluteSql(left: string, right: string, type: string, amount: string): string {
  const distance = distanceSql(left, right, type);
  if (isFloat(type)) return `${distance} <= '${amount}'::DOUBLE`;
  const scale = scaleOf(type);
  const limit = scaled(amount, scale);
  // Beyond every distance there can be.
  if (limit >= 10n ** 38n) return `${left} IS NOT NULL AND ${right} IS NOT NULL`;
  const digits = limit.toString().padStart(scale + 1, "0");
  const literal =
    scale === 0
      ? digits
      : `${digits.slice(0, digits.length - scale)}.${digits.slice(digits.length - scale)}`;
  return scale === 0
    ? `${distance} <= '${literal}'::${type === "UHUGEINT" ? "UHUGEINT" : "HUGEINT"}`
    : `${distance} <= '${literal}'::DECIMAL(38,${scale})`;
}

/** d ≤ (digits / 10^scale)·m is d·10^scale ≤ digits·m, in whole numbers as far as they fit in a HUGEINT. */
function relativeSql(left: string, right: string, type: string, amount: string): string {
  const distance = distanceSql(left, right, type);
  const double = (sql: string) => `abs((${sql})::DOUBLE)`;
  const largest = `greatest(${double(left)}, ${double(right)})`;
  const rounded = `(${distance})::DOUBLE <= '${amount}'::DOUBLE * ${largest}`;
  if (isFloat(type)) return rounded;
  const { digits, scale } = exactAmount(amount) ?? { digits: 0n, scale: 0 };
  if (digits >= 10n ** 37n || scale > 37) return rounded;
  const magnitude = (sql: string) => (type.startsWith("U") ? whole(sql) : `abs(${whole(sql)})`);
  const exact = `TRY(${whole(distance)} * ${10n ** BigInt(scale)}::HUGEINT <= ${digits}::HUGEINT * greatest(${magnitude(left)}, ${magnitude(right)}))`;
  return `coalesce(${exact}, ${rounded})`;
}

/** A number without its point, which the other one has at the same place. */
function whole(sql: string): string {
  return `replace((${sql})::VARCHAR, '.', '')::HUGEINT`;
}

function scaleOf(type: string): number {
  return Number(/^DECIMAL\(\d+,(\d+)\)$/.exec(type)?.[1] ?? 0);
}

/** The amount in units of 10^−scale, rounded down: no distance lies between. */
function scaled(amount: string, scale: number): bigint {
  const exact = exactAmount(amount) ?? { digits: 0n, scale: 0 };
  return (exact.digits * 10n ** BigInt(scale)) / 10n ** BigInt(exact.scale);
}

const dayNanoseconds = 86_400_000_000_000n;

function durationSql(left: string, right: string, type: string, text: string): string {
  const limit = durationNanoseconds(text) ?? 0n;
  const apart = (a: string, b: string, unit: bigint) =>
    `abs((${a})::HUGEINT - (${b})::HUGEINT) <= ${limit / unit}::HUGEINT`;
  if (type === "DATE") {
    const days = (sql: string) => `CASE WHEN isfinite(${sql}) THEN ${sql} - DATE '1970-01-01' END`;
    return apart(days(left), days(right), dayNanoseconds);
  }
  if (type === "INTERVAL") return apart(intervalSql(left), intervalSql(right), 1000n);
  return type.endsWith("_NS")
    ? apart(`epoch_ns(${left})`, `epoch_ns(${right})`, 1n)
    : apart(`epoch_us(${left})`, `epoch_us(${right})`, 1000n);
}

/** An interval, compared as text, in microseconds; a month counts 30 days. */
function intervalSql(text: string): string {
  const of = (part: string) => `datepart('${part}', ${text}::INTERVAL)::HUGEINT`;
  const days = `(${of("year")} * 12 + ${of("month")}) * 30 + ${of("day")}`;
  const minutes = `((${days}) * 24 + ${of("hour")}) * 60 + ${of("minute")}`;
  return `(${minutes}) * 60000000 + ${of("microsecond")}`;
}
