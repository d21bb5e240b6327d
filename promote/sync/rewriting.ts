import type { DatabaseSync } from "node:sqlite";
import type { Problem } from "#snapshots/problem.ts";
import { replaceDeadLetters } from "./dead-letters.ts";
import type { Decoded } from "./decode/decode.ts";
import type { Epoch, PipelineId, Stretch } from "./epochs.ts";
import type { SourceRecord, TopicReader } from "./ports.ts";
import {
  beginRewrite,
  countRewritten,
  finishRewrite,
  listRewrites,
  type Rewrite,
  type Selection,
} from "./rewrites.ts";
import type { SettledBatch } from "./settle-batch.ts";
import { inTransaction } from "./state.ts";
import type { Piece } from "./stretches.ts";

/** A batch to write again, and what is done once every sink has it. */
export type RewritePiece = Omit<Piece, "claim"> & {
  decoded: Decoded;
  finish(settled: readonly SettledBatch[]): Promise<void>;
};

export type RewritingParts = {
  id: PipelineId;
  state: DatabaseSync;
  reader: TopicReader;
  signal: AbortSignal;
  /** Moves live traffic of a stretch to a new epoch; undefined when that cannot be just now. */
  renew(stretch: Stretch, reason: string): { epoch: Epoch; at: number } | undefined;
  /** Whether the stretch is still read here. */
  isHeld(stretch: Stretch): boolean;
  decode(epoch: Epoch, records: readonly SourceRecord[]): Promise<Decoded | Problem>;
  /** Every record of every partition has been written again. */
  backfilled(): Promise<Problem | undefined>;
  /** Tombstones whose keys are JSON, whatever format the topic's own have. */
  decodeTombstones(epoch: Epoch, records: readonly SourceRecord[]): Decoded | Problem;
};

/**
 * The rewrites of the stretches read here, one after another, batch by batch; between two batches the pipeline reads on. One that was cut short
 * by a kill or a rebalance begins again under a new epoch: what it wrote is then older.
 */
export async function* rewriting(
  parts: RewritingParts,
): AsyncGenerator<RewritePiece | Problem | undefined> {
  for (;;) {
    const next = listRewrites(parts.state, parts.id).find(
      (rewrite) => rewrite.state !== "done" && parts.isHeld(rewrite),
    );
    if (next !== undefined) yield* rewriteOne(parts, next);
    yield undefined;
  }
}

async function* rewriteOne(
  parts: RewritingParts,
  rewrite: Rewrite,
): AsyncGenerator<RewritePiece | Problem> {
  const { id, state, reader, signal } = parts;
  const moved = parts.renew(rewrite, rewrite.reason);
  if (moved === undefined) return;
  const { epoch, at } = moved;
  beginRewrite(state, rewrite.rewrite, { epoch: epoch.epoch, to: at, release: epoch.release });
  const { selection } = rewrite;
  const chosen = openSelection(selection);
  const { topic, incarnation, partition } = rewrite;
  let unsettled = 0;
  let onSettled: () => void = () => undefined;

  function pieceOf(records: readonly SourceRecord[], decoded: Decoded): RewritePiece {
    unsettled++;
    return {
      stretch: { topic, incarnation, partition },
      epoch,
      records,
      decoded,
      next: (records.at(-1)?.offset ?? 0) + 1,
      async finish([settled]) {
        if (settled === undefined) return;
        const { counts, deadLetters } = settled;
        const offsets = records.map(({ offset }) => offset);
        inTransaction(state, () => {
          replaceDeadLetters(state, id, rewrite, offsets, deadLetters);
          countRewritten(state, rewrite.rewrite, counts);
        });
        unsettled--;
        onSettled();
      },
    };
  }

  if ("clears" in selection) {
    // Below where live traffic goes on, so that an identity which comes to life meanwhile stays.
    const records = selection.clears.map((key) => tombstone(key, Math.max(0, at - 1)));
    const decoded = parts.decodeTombstones(epoch, records);
    if ("code" in decoded) {
      yield decoded;
      return;
    }
    yield pieceOf(records, decoded);
  } else {
    for await (const records of reader.read(topic, partition, rewrite.from, at, signal)) {
      if (!parts.isHeld(rewrite)) return;
      const all = await parts.decode(epoch, records);
      if ("code" in all) {
        yield all;
        return;
      }
      const wanted = chosen.from(records, all);
      if (wanted.length === 0) continue;
      const decoded = wanted === records ? all : await parts.decode(epoch, wanted);
      yield "code" in decoded ? decoded : pieceOf(wanted, decoded);
      if ("code" in decoded) return;
    }
  }
  const isWaiting = (): boolean => unsettled > 0 && !signal.aborted;
  while (isWaiting()) {
    await new Promise<void>((resolve) => {
      onSettled = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
  if (signal.aborted || !parts.isHeld(rewrite)) return;
  finishRewrite(state, rewrite.rewrite, chosen.selection());
  const isOver = listRewrites(state, id).every(
    (other) => other.state === "done" || !("all" in other.selection),
  );
  const problem = "all" in selection && isOver ? await parts.backfilled() : undefined;
  if (problem !== undefined) yield problem;
}

function tombstone(key: string, offset: number): SourceRecord {
  return { offset, timestampMs: 0, key: Buffer.from(key), value: null, headers: [] };
}

/** Picks records, and takes in the identity of each that is named by its offset. */
function openSelection(selection: Selection): {
  from(records: readonly SourceRecord[], decoded: Decoded): readonly SourceRecord[];
  selection(): Selection;
} {
  if (!("tokens" in selection)) return { from: (records) => records, selection: () => selection };
  const offsets = new Set(selection.offsets);
  const tokens = new Set(selection.tokens);
  return {
    from: (records, decoded) =>
      records.filter(({ offset }, i) => {
        const token = decoded.keyRow[i] === -1 ? undefined : decoded.token[i];
        const isNamed = offsets.has(offset);
        if (isNamed && token !== undefined) tokens.add(token);
        return isNamed || (token !== undefined && tokens.has(token));
      }),
    selection: () => ({ offsets: [...offsets], tokens: [...tokens] }),
  };
}
