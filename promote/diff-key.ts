import type { DiffKey } from "#snapshots/diff.ts";
import type { TableHash } from "#snapshots/table.ts";
import type { StoredSide } from "./diff-side.ts";

/** How rows are paired when nobody says it. `input`: the table whose columns may explain what differs. */
export type DefaultPairing = { key: DiffKey; input?: TableHash };

/**
 * By position where both sides were made from one table; else by the key both declare, or the only one does where the other is a file, which declares
 * nothing; else not at all: rows compare as a multiset.
 */
export function defaultPairing(left: StoredSide | null, right: StoredSide | null): DefaultPairing {
  const positions = left?.positions ?? null;
  if (positions !== null && positions === right?.positions)
    return { key: "position", input: positions };
  const [one, other] = [left ?? right, right ?? left];
  const isSame = JSON.stringify(one?.key) === JSON.stringify(other?.key);
  return { key: isSame && one && one.key.length > 0 ? one.key : null };
}
