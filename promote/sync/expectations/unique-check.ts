import { hash } from "node:crypto";
import { identityToken } from "../values/identity.ts";
import type { Stretch } from "../order/epochs.ts";
import type { Kept } from "../values/json-values.ts";
import type { Check } from "./check.ts";

type Place = { stretch: Stretch; offset: number };
type Entry = Place & { at: number };

/** At most this many values are remembered, about 100 MB. */
export const MOST_VALUES = 500_000;

/**
 * No value twice within a window of record time, or of rows. The window starts at the value's first record; what repeats within is
 * judged against that one and not remembered, so that a record delivered again is never taken for its own double, and its doubles fail
 * again. What is remembered changes record by record, so that it does not matter where batches are cut. After a restart the window is
 * empty: a double of what came before is missed, none is invented. Values with a NULL are all different, as in SQL.
 */
export function uniqueCheck(
  columns: readonly { name: string; at: number }[],
  within: number | { records: number },
  mostValues = MOST_VALUES,
): Check {
  const held = new Map<string | number, Entry>();
  const isCounted = typeof within === "object";
  const window = isCounted ? within.records : within;
  const names = columns.map(({ name }) => `\`${name}\``).join(", ");
  let rows = 0;
  let isCutShort = false;

  function isDouble(token: string | number, place: Place, at: number): Entry | undefined {
    const entry = held.get(token);
    if (entry !== undefined && !isGone(entry, place)) {
      // Delivered again: the later record that is held has taken its place already.
      if (isSamePartition(entry, place) && entry.offset >= place.offset) return undefined;
      if (Math.abs(at - entry.at) < window) return entry;
    }
    held.delete(token);
    held.set(token, { ...place, at });
    forget(at);
    return undefined;
  }

  /** Two for each that is added keeps up, and one record with a date in the far future costs two values, not all. */
  function forget(at: number): void {
    let left = 2;
    for (const [token, entry] of held) {
      const isOver = entry.at <= at - window;
      const isTooMany = held.size > mostValues;
      if (left-- === 0 || !(isOver || isTooMany)) return;
      if (!isOver) isCutShort = true;
      held.delete(token);
    }
  }

  return {
    isCutShort: () => isCutShort,
    bind({ decoded, records, stretch }) {
      return (row) => {
        const record = records[decoded.recordOfRow[row] ?? 0];
        const values = columns.map(({ at }): Kept => decoded.values[at]?.[row] ?? null);
        rows++;
        if (record === undefined || values.includes(null)) return undefined;
        const place = { stretch, offset: record.offset };
        const first = isDouble(ownToken(values), place, isCounted ? rows : record.timestampMs);
        return first === undefined
          ? undefined
          : `${names} repeats the record at ${first.stretch.topic}/${first.stretch.partition} offset ${first.offset}`;
      };
    },
  };
}

/** Of the topic as it was before it was made again, which nothing in the new one repeats. */
function isGone(known: Place, { stretch }: Place): boolean {
  return known.stretch.topic === stretch.topic && known.stretch.incarnation !== stretch.incarnation;
}

function isSamePartition(one: Place, { stretch }: Place): boolean {
  return one.stretch.topic === stretch.topic && one.stretch.partition === stretch.partition;
}

/** V8 keeps a longer part of a text as a view of the whole: what is remembered would keep its whole record. */
const LONGEST_COPIED = 12;

/** A token that holds on to nothing else, and is short however long the values are. */
function ownToken(values: readonly Kept[]): string | number {
  const token = identityToken(values);
  if (typeof token === "number" || token.length <= LONGEST_COPIED) return token;
  return hash("sha256", token, "base64url");
}
