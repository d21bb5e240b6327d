import type { Physical } from "../arrow-read.ts";
import { unitsPerMillisecond } from "../expiry-column.ts";
import type { TypedColumn } from "../identity.ts";
import { split, viewOf } from "./encode-numbers.ts";
import { isNullAt } from "./encode.ts";

/** Cassandra's longest time to live, twenty years. */
const MAX_TTL_SECONDS = 630_720_000;
const FOREVER = Buffer.alloc(4);

/**
 * A row's time to live counted from its own `expiresAt`, not from the write, so that a replay does not start it again. NULL, and more
 * than Cassandra's twenty years, is for ever. `expired`: the row is to be deleted instead.
 */
export function timeToLive(
  column: TypedColumn | undefined,
  values: Physical,
  nowMs: number,
): (row: number) => Buffer | "expired" {
  const unit = column === undefined ? undefined : unitsPerMillisecond(column.type);
  if (unit === undefined || values.kind !== "fixed") return () => FOREVER;
  const view = viewOf(values.data);
  return (row) => {
    if (isNullAt(values, row)) return FOREVER;
    const seconds = Math.ceil((Number(split(view, row * 8, unit)[0]) - nowMs) / 1000);
    if (seconds <= 0) return "expired";
    if (seconds > MAX_TTL_SECONDS) return FOREVER;
    const ttl = Buffer.alloc(4);
    ttl.writeInt32BE(seconds);
    return ttl;
  };
}
