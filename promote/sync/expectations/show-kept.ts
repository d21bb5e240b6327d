import type { SqlType } from "#snapshots/types.ts";
import { show, type Kept } from "../values/json-values.ts";
import { momentText } from "../values/moment-json.ts";

/** A column's value as a person should see it in a reason. */
export function showKept(type: SqlType, value: Kept): string {
  if (type.kind === "decimal" && typeof value === "bigint") return pointed(value, type.scale);
  if (type.kind === "scalar" && (typeof value === "number" || typeof value === "bigint")) {
    const moment = momentText(type.name, value);
    if (moment !== undefined) return moment;
  }
  if (typeof value === "bigint") return value.toString();
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
