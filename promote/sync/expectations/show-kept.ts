import type { SqlType } from "#snapshots/types.ts";
import { show, type Kept } from "../values/json-values.ts";

const PER_MS: Record<string, number> = {
  TIMESTAMP_S: 0.001,
  TIMESTAMP_MS: 1,
  TIMESTAMP: 1000,
  "TIMESTAMP WITH TIME ZONE": 1000,
  TIMESTAMP_NS: 1_000_000,
  DATE: 1 / 86_400_000,
};

/** A column's value as a person should see it in a reason. */
export function showKept(type: SqlType, value: Kept): string {
  if (type.kind === "decimal" && typeof value === "bigint") return pointed(value, type.scale);
  if (typeof value === "bigint") return value.toString();
  const perMs = type.kind === "scalar" ? PER_MS[type.name] : undefined;
  if (perMs !== undefined && typeof value === "number") {
    const date = new Date(value / perMs);
    if (Number.isNaN(date.getTime())) return String(value);
    const text = date.toISOString();
    return type.kind === "scalar" && type.name === "DATE" ? text.slice(0, 10) : text;
  }
  if (typeof value === "number")
    return type.kind === "scalar" && type.name === "FLOAT" ? shortest(value) : String(value);
  if (value instanceof Uint8Array) return show(Buffer.from(value).toString("hex"));
  return type.kind === "list" || type.kind === "map" || type.kind === "struct"
    ? "such a value"
    : show(value);
}

/** The fewest digits that are this FLOAT and no other. */
function shortest(value: number): string {
  const held = Math.fround(value);
  const digits = [6, 7, 8].find((n) => Math.fround(Number(held.toPrecision(n))) === held) ?? 9;
  return String(Number(held.toPrecision(digits)));
}

function pointed(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const sign = unscaled < 0n ? "-" : "";
  return scale === 0 ? sign + whole : `${sign}${whole}.${digits.slice(-scale)}`;
}
