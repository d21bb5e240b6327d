import type { Decoded } from "../decode/decode.ts";
import type { SourceRecord } from "../ports.ts";
import type { Selection } from "./rewrites.ts";

/** Picks records, and takes in the identity of each that is named by its offset. */
export function openSelection(selection: Selection): {
  from(records: readonly SourceRecord[], decoded: Decoded): readonly SourceRecord[];
  selection(): Selection;
} {
  if (!("tokens" in selection)) return { from: (records) => records, selection: () => selection };
  const offsets = new Set(selection.offsets);
  const tokens = new Set(selection.tokens);
  const since = new Map<string | number, number>();
  return {
    from: (records, decoded) =>
      records.filter(({ offset }, i) => {
        const token = decoded.keyRow[i] === -1 ? undefined : decoded.token[i];
        const isNamed = offsets.has(offset);
        if (token === undefined) return isNamed;
        if (isNamed && !since.has(token)) since.set(token, offset);
        return tokens.has(token) || since.has(token);
      }),
    selection: () => ({ ...selection, since: [...since] }),
  };
}
