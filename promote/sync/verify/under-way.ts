import type { Decoded } from "../decode/decode.ts";
import type { SinkContract, SourceRecord } from "../ports.ts";
import type { Rewrite } from "../rewrites/rewrites.ts";
import type { Cut } from "./topic-run.ts";
import { keysOf } from "./ledger-rows.ts";

/** Batches of one partition, in offset order: the identities that a rewrite which is not done will change, or has changed already. */
export type UnderWay = (
  batch: { decoded: Decoded; records: readonly SourceRecord[] },
  contract: SinkContract,
) => string[];

export function openUnderWay(rewrites: readonly Rewrite[], cut: Cut): UnderWay {
  const here = rewrites.flatMap(({ topic, incarnation, partition, from, selection }) => {
    const isHere =
      topic === cut.topic && incarnation === cut.incarnation && partition === cut.partition;
    if (!isHere || "clears" in selection) return [];
    const some = "all" in selection ? undefined : selection;
    return [
      {
        from,
        isAll: some === undefined,
        offsets: new Set(some?.offsets),
        tokens: new Set(some?.tokens),
      },
    ];
  });
  return ({ decoded, records }, contract) => {
    if (here.length === 0) return [];
    const rows = new Set<number>();
    for (const { from, isAll, offsets, tokens } of here)
      records.forEach(({ offset }, i) => {
        const row = decoded.keyRow[i] ?? -1;
        const token = decoded.token[i];
        if (row < 0 || offset < from) return;
        if (offsets.has(offset) && token !== undefined) tokens.add(token);
        if (isAll || (token !== undefined && tokens.has(token))) rows.add(row);
      });
    if (rows.size === 0) return [];
    const keys = keysOf(decoded.keys(), contract.key);
    return [...rows].flatMap((row) => keys[row] ?? []);
  };
}

/** Identities that are being cleared. */
export function clearing(rewrites: readonly Rewrite[]): string[] {
  return rewrites.flatMap(({ selection }) =>
    "clears" in selection ? selection.clears.map(({ key }) => key) : [],
  );
}
