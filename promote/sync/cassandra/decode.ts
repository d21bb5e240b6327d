import { types } from "cassandra-driver";
import { jsonReader } from "#snapshots/json-values.ts";
import type { SqlType } from "#snapshots/types.ts";
import { layOut } from "../values/arrow-layout.ts";
import type { Kept } from "../values/json-values.ts";
import { cellsOf } from "./storage.ts";

/** A column's values, as the driver read its cells, mapped as docs/types.md maps values to JSON. */
export function jsonColumn(type: SqlType, cells: readonly (readonly unknown[])[]): unknown[] {
  const [values = [], rest = []] = cells;
  if (type.kind === "list" || type.kind === "struct" || type.kind === "map")
    return values.map((value) => (typeof value === "string" ? JSON.parse(value) : null));
  const kept = values.map((value, row) =>
    value === null || value === undefined ? null : keptOf(type, value, rest[row]),
  );
  const read = jsonReader(type, layOut(type, kept, 0, kept.length));
  return kept.map((_, row) => read(row));
}

/** What Arrow's column builders take (arrow-layout.ts): days, microseconds, the timestamp's own unit, the unscaled decimal. */
function keptOf(type: SqlType, value: unknown, rest: unknown): Kept {
  if (value instanceof types.BigDecimal) {
    const bytes = types.BigDecimal.toBuffer(value).subarray(4);
    return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString("hex") || "0"}`));
  }
  if (value instanceof types.LocalDate) return (value.toBuffer().readUInt32BE() ^ 0x8000_0000) | 0;
  if (value instanceof types.LocalTime) return value.getTotalNanoseconds().toNumber() / 1000;
  if (value instanceof Date) return momentOf(type, value.getTime(), rest);
  if (value instanceof types.Uuid) return value.toString();
  if (
    typeof value === "number" ||
    typeof value === "bigint" ||
    typeof value === "string" ||
    typeof value === "boolean" ||
    value instanceof Uint8Array
  )
    return value;
  throw new TypeError(`Cassandra answered with ${Object.prototype.toString.call(value)}`);
}

function momentOf(type: SqlType, milliseconds: number, rest: unknown): bigint {
  const whole = BigInt(milliseconds);
  if (type.kind === "scalar" && type.name === "TIMESTAMP_S") return whole / 1000n;
  const [, below] = cellsOf(type);
  if (below === undefined) return whole;
  const perMillisecond = below.suffix === "_us" ? 1000n : 1_000_000n;
  return whole * perMillisecond + BigInt(Number(rest ?? 0));
}
