import type { DatabaseSync } from "node:sqlite";
import {
  nextNumber,
  openBy,
  type Epoch,
  type NewEpoch,
  type PipelineId,
  type Stretch,
} from "../order/epochs.ts";
import {
  growthsOf,
  layersOf,
  numbersFor,
  settledOffset,
  stretchesOf,
  type Layer,
} from "../order/layers.ts";
import { beginRewrite, listAsked, spreadRewrite, type RewriteHead } from "./rewrites.ts";

/** A rewrite that has begun: live traffic of its stretch goes on in `epoch`, what lies before is written in layers. */
export type Begun = { epoch: Epoch; lowest: number | undefined; layers: Layer[] };

/** How a rewrite begins. `alone`: what it writes has nothing newer in other partitions. */
export type Beginning =
  | { kind: "waits" }
  | { kind: "alone"; from: number }
  | { kind: "joins"; lowest: number }
  | { kind: "opens"; lowest: number; above: number; stretches: Stretch[] };

/**
 * Opens the epoch in which live traffic goes on while a rewrite writes below it, and keeps in the same transaction what the rewrite goes by. Undefined
 * when the stretch is another worker's, or has to be waited for.
 */
export function openRewrite(
  state: DatabaseSync,
  id: PipelineId,
  rewrite: RewriteHead,
  fresh: NewEpoch,
  worker: { owner: string; learnedAt: Date },
): Begun | undefined {
  let begun: Begun | undefined;
  openBy(state, id, fresh, worker.owner, (epochs) => {
    const together = listAsked(state, rewrite);
    const beginning = beginningOf(epochs, together, rewrite, {
      release: fresh.release,
      learnedAt: worker.learnedAt,
    });
    if (beginning.kind === "waits") return [];
    const number = beginning.kind === "opens" ? beginning.above : nextNumber(epochs, undefined);
    const epoch: Epoch = { ...fresh, ordering: "offset", epoch: number };
    if (beginning.kind === "opens") spreadRewrite(state, id, together, beginning.stretches);
    const lowest = beginning.kind === "alone" ? undefined : beginning.lowest;
    const { firstOffset: to, release } = epoch;
    const from = beginning.kind === "alone" ? beginning.from : rewrite.from;
    beginRewrite(state, rewrite.rewrite, { epoch: number, from, to, release, lowest });
    begun = { epoch, lowest, layers: layersOf(epochs, { epoch, lowest, to }) };
    return [epoch];
  });
  return begun;
}

/**
 * In a topic that has grown, an identity's records may lie in several partitions: what was asked together is written again under numbers that all its
 * partitions share. They are opened by the first and joined by the others; another release, or another growth, opens others, and all begin again.
 * What was asked of one partition alone leaves out the records that may have newer ones in another.
 */
export function beginningOf(
  epochs: readonly Epoch[],
  together: readonly RewriteHead[],
  rewrite: RewriteHead,
  { release, learnedAt }: { release: string; learnedAt: Date },
): Beginning {
  const settled = settledOffset(epochs, rewrite);
  if (settled === Infinity) return { kind: "waits" };
  if (together.length === 0) return { kind: "alone", from: Math.max(rewrite.from, settled) };
  const stretches = stretchesOf(epochs, rewrite);
  // A record of when all producers knew the partitions may settle its own earlier than others of the ask began by.
  const isShared = together.some(
    (one) => one.lowest !== undefined || one.from < settledOffset(epochs, one),
  );
  if (growthsOf(epochs, rewrite).length === 0 || !isShared)
    return { kind: "alone", from: rewrite.from };
  if (stretches.some((stretch) => settledOffset(epochs, stretch) === Infinity))
    return { kind: "waits" };
  const lowest = Math.max(0, ...together.map((one) => one.lowest ?? 0));
  const opener = together.find((one) => one.lowest === lowest);
  const isWhole =
    stretches.every(({ partition }) => together.some((one) => one.partition === partition)) &&
    growthsOf(epochs, rewrite).length === growthsOf(epochs, rewrite, lowest).length;
  if (opener !== undefined && opener.release === release && isWhole)
    return { kind: "joins", lowest };
  if (opener !== undefined && opener.release !== release && isNews(epochs, opener, learnedAt))
    return { kind: "waits" };
  const numbers = numbersFor(epochs, rewrite);
  return numbers === undefined ? { kind: "waits" } : { kind: "opens", ...numbers, stretches };
}

/** Another worker began it with a release that this one has not heard of yet. */
function isNews(epochs: readonly Epoch[], begun: RewriteHead, learnedAt: Date): boolean {
  const epoch = epochs.find(
    (one) => one.epoch === begun.epoch && one.partition === begun.partition,
  );
  return epoch !== undefined && new Date(epoch.openedAt) > learnedAt;
}
