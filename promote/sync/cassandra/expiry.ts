import type { Physical } from "../values/arrow-read.ts";
import { unitsPerMillisecond } from "../values/expiry-column.ts";
import type { TypedColumn } from "../values/identity.ts";
import { split, viewOf } from "./encode-numbers.ts";
import { isNullAt } from "./encode.ts";

/**
 * A time to live that ends after 2038-01-19T03:14:06Z is refused, unless a cluster's `storage_compatibility_mode` is `NONE` (CASSANDRA-14227). A day
 * less, for clocks that differ.
 */
const LATEST_MS = Date.UTC(2038, 0, 18);
const FOREVER = Buffer.alloc(4);

/**
 * A row's time to live counted from its own `expiresAt`, not from the write, so that a replay does not start it again. NULL, and later
 * than Cassandra counts, is for ever. `expired`: the row is to be deleted instead.
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
    const expiresMs = Number(split(view, row * 8, unit)[0]);
    if (expiresMs <= nowMs) return "expired";
    if (expiresMs > LATEST_MS) return FOREVER;
    const seconds = Math.ceil((expiresMs - nowMs) / 1000);
    const ttl = Buffer.alloc(4);
    ttl.writeInt32BE(seconds);
    return ttl;
  };
}
