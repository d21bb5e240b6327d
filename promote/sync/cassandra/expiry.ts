import type { SqlType } from "#snapshots/types.ts";
import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { Physical } from "../arrow-read.ts";
import type { TypedColumn } from "../identity.ts";
import { split, viewOf } from "./encode-numbers.ts";
import { isNullAt } from "./encode.ts";

/** Cassandra's longest time to live, twenty years. */
const MAX_TTL_SECONDS = 630_720_000;
const FOREVER = Buffer.alloc(4);

const PER_MILLISECOND: Record<string, number> = {
  TIMESTAMP_S: 0.001,
  TIMESTAMP_MS: 1,
  TIMESTAMP: 1000,
  "TIMESTAMP WITH TIME ZONE": 1000,
  TIMESTAMP_NS: 1_000_000,
};

/**
 * A row's time to live counted from its own `expiresAt`, not from the write, so that a replay does not start it again. NULL, and more
 * than Cassandra's twenty years, is for ever. `expired`: the row is to be deleted instead.
 */
export function timeToLive(
  column: TypedColumn | undefined,
  values: Physical,
  nowMs: number,
): (row: number) => Buffer | "expired" {
  const unit = column === undefined ? undefined : unitOf(column.type);
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

/** The position of the column that says when rows expire; −1 where rows do not. */
export function expiryColumn(
  columns: readonly TypedColumn[],
  expiresAt: string | undefined,
): Result<number> {
  if (expiresAt === undefined) return ok(-1);
  const at = columns.findIndex((column) => column.name === expiresAt);
  const type = columns[at]?.type;
  if (type !== undefined && unitOf(type) !== undefined) return ok(at);
  return fail({
    code: "sink-expires-at",
    message:
      type === undefined
        ? `The environment says that rows expire at \`${expiresAt}\`, a column the release does not write.`
        : `The environment says that rows expire at \`${expiresAt}\`, which is no timestamp in the release.`,
    hint: "Name a timestamp column of the output under expiresAt in environments/*.yaml, or promote a release that writes it.",
  });
}

function unitOf(type: SqlType): number | undefined {
  return type.kind === "scalar" ? PER_MILLISECOND[type.name] : undefined;
}
