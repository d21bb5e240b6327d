import { fail, ok, type Result } from "#snapshots/problem.ts";
import type { SqlType } from "#snapshots/types.ts";
import type { TypedColumn } from "./identity.ts";

const PER_MILLISECOND: Record<string, number> = {
  TIMESTAMP_S: 0.001,
  TIMESTAMP_MS: 1,
  TIMESTAMP: 1000,
  "TIMESTAMP WITH TIME ZONE": 1000,
  TIMESTAMP_NS: 1_000_000,
};

/** The position of the column that says when rows expire; −1 where rows do not. */
export function expiryColumn(
  columns: readonly TypedColumn[],
  expiresAt: string | undefined,
): Result<number> {
  if (expiresAt === undefined) return ok(-1);
  const at = columns.findIndex((column) => column.name === expiresAt);
  const type = columns[at]?.type;
  if (type !== undefined && unitsPerMillisecond(type) !== undefined) return ok(at);
  return fail({
    code: "sink-expires-at",
    message:
      type === undefined
        ? `The environment says that rows expire at \`${expiresAt}\`, a column the release does not write.`
        : `The environment says that rows expire at \`${expiresAt}\`, which is no timestamp in the release.`,
    hint: "Name a timestamp column of the output under expiresAt in environments/*.yaml, or promote a release that writes it.",
  });
}

/** How a timestamp counts; undefined for what is none. */
export function unitsPerMillisecond(type: SqlType): number | undefined {
  return type.kind === "scalar" ? PER_MILLISECOND[type.name] : undefined;
}
