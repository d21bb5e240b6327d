import type { DatabaseSync } from "node:sqlite";
import { ProblemError, type Problem } from "#snapshots/problem.ts";
import type { Begun } from "./begin-rewrite.ts";
import { replaceDeadLetters } from "../dead-letters/dead-letters.ts";
import type { Decoded } from "../decode/decode.ts";
import { isSameStretch, type Epoch, type PipelineId, type Stretch } from "../order/epochs.ts";
import type { PipelineEvent } from "../events.ts";
import type { Layer } from "../order/layers.ts";
import { inBatches } from "../in-batches.ts";
import type { SourceRecord, TopicReader } from "../ports.ts";
import {
  askAgain,
  beginRewrite,
  countRewritten,
  endRewrites,
  finishRewrite,
  listAsked,
  listOpenRewrites,
  readSelection,
  type OpenRewrite,
  type RewriteHead,
  type Selection,
} from "./rewrites.ts";
import type { SettledBatch } from "../pipeline/settle-batch.ts";
import { inTransaction } from "../state.ts";
import type { Piece } from "../order/stretches.ts";
import type { Tuning } from "../tuning.ts";
import { openSelection } from "./selection.ts";
import { tombstones } from "./tombstones.ts";

/** A batch to write again, and what is done once every sink has it. */
export type RewritePiece = Omit<Piece, "claim"> & {
  decoded: Decoded;
  finish(settled: readonly SettledBatch[]): Promise<void>;
};

/** Nothing of what was just read is to be written again; more is to be read. */
export type Looking = "looking";

export type RewritingParts = {
  id: PipelineId;
  state: DatabaseSync;
  reader: TopicReader;
  /** Of one batch; they may change with the release. */
  limits: Pick<Tuning, "maxRecords" | "maxBytes">;
  signal: AbortSignal;
  /** The release that runs now. */
  release(): string;
  /** Begins a rewrite: live traffic of its stretch moves to a new epoch. Undefined when that cannot be just now. */
  renew(rewrite: RewriteHead): Begun | undefined;
  /** The stretches that are read here. */
  held(): Stretch[];
  /** Whether the pipeline reads a topic. */
  isRead(topic: string): boolean;
  /** A stretch's newest epoch. */
  newestOf(stretch: Stretch): Epoch | undefined;
  decode(epoch: Epoch, records: readonly SourceRecord[]): Promise<Decoded | Problem>;
  /** Without the records that an expectation keeps out. */
  judge(epoch: Epoch, records: readonly SourceRecord[], decoded: Decoded): Decoded | Problem;
  /** Every record of every partition was written again by `release`; false where the sinks do not stand ready for it just now. */
  turnReaders(release: string): Promise<Problem | boolean>;
  /** Tombstones whose keys are JSON, whatever format the topic's own have. */
  decodeTombstones(epoch: Epoch, records: readonly SourceRecord[]): Decoded | Problem;
  rewritten(done: Omit<Extract<PipelineEvent, { kind: "rewritten" }>, "kind">): void;
};

/**
 * The rewrites of the stretches read here, one after another, batch by batch; between two batches the pipeline reads on. One that was cut short
 * by a kill or a rebalance begins again under a new epoch: what it wrote is then older.
 */
export async function* rewriting(
  parts: RewritingParts,
): AsyncGenerator<RewritePiece | Problem | Looking | undefined> {
  const begun = new Map<number, Begun>();
  for (;;) {
    const isGone = askedOnce(parts);
    const open = await openHere(parts, isGone);
    const next = await nextOf(parts, begun, open, isGone);
    // What is there to do by now is looked up again.
    if (next === "begun") continue;
    if (next === undefined) {
      const written = open.filter(({ state }) => state === "written");
      const refused = await endBackfills(parts, written, isGone);
      if (refused !== undefined) yield refused;
    } else {
      yield* next;
    }
    yield undefined;
  }
}

/** The first that can be written, or has begun just now; what has to wait holds up nothing else. */
async function nextOf(
  parts: RewritingParts,
  begun: Map<number, Begun>,
  open: readonly OpenRewrite[],
  isGone: IsGone,
): Promise<AsyncGenerator<RewritePiece | Problem | Looking> | "begun" | undefined> {
  for (const rewrite of open) {
    if (rewrite.state === "written" || isWaiting(parts, begun, rewrite)) continue;
    if (await isGone(rewrite)) continue;
    if (rewrite.kind === "clears") return clear(parts, rewrite);
    const known = begunAs(parts, begun, rewrite);
    begun.delete(rewrite.rewrite);
    if (known !== undefined) return rewriteOne(parts, rewrite, known);
    const fresh = parts.renew(rewrite);
    if (fresh === undefined) continue;
    begun.set(rewrite.rewrite, fresh);
    return "begun";
  }
  return undefined;
}

/** What a rewrite began with here, if nobody has begun it again since and the release still runs. */
function begunAs(
  parts: RewritingParts,
  begun: ReadonlyMap<number, Begun>,
  rewrite: OpenRewrite,
): Begun | undefined {
  const known = begun.get(rewrite.rewrite);
  if (known === undefined) return undefined;
  const isSame =
    rewrite.state === "running" &&
    rewrite.epoch === known.epoch.epoch &&
    rewrite.lowest === known.lowest &&
    rewrite.release === parts.release();
  return isSame ? known : undefined;
}

/**
 * Whether it has begun and others of the same ask have not: what it writes would be newer than live traffic of their partitions, in which newer records
 * of the same identities may come.
 */
function isWaiting(
  parts: RewritingParts,
  begun: ReadonlyMap<number, Begun>,
  rewrite: OpenRewrite,
): boolean {
  const lowest = begunAs(parts, begun, rewrite)?.lowest;
  if (lowest === undefined) return false;
  return listAsked(parts.state, rewrite).some((other) => other.lowest !== lowest);
}

/** What can be done here; what was asked of a topic that was made again since is over, also in partitions that it has no more. */
async function openHere(parts: RewritingParts, isGone: IsGone): Promise<OpenRewrite[]> {
  const held = parts.held();
  const open = listOpenRewrites(parts.state, parts.id);
  const gone: OpenRewrite[] = [];
  for (const rewrite of open) {
    const here = held.filter(({ topic }) => topic === rewrite.topic);
    const isOther = here.every(({ incarnation }) => incarnation !== rewrite.incarnation);
    // It may be what is held here that is not there any more.
    if (here.length > 0 && isOther && (await isGone(rewrite))) gone.push(rewrite);
  }
  if (gone.length > 0) endRewrites(parts.state, gone);
  return open.filter((rewrite) => isHeld(parts, rewrite));
}

/**
 * Turns readers once every partition of a backfill is written by the release that runs now. What another release wrote, before a swap, is written
 * again. Only then is the backfill done: a kill before leaves it to whoever comes next.
 */
async function endBackfills(
  parts: RewritingParts,
  here: readonly OpenRewrite[],
  isGone: IsGone,
): Promise<Problem | undefined> {
  const [one] = here;
  if (one === undefined) return undefined;
  const release = parts.release();
  const outdated = here.filter((rewrite) => rewrite.release !== release);
  if (outdated.length > 0) {
    askAgain(parts.state, outdated);
    return undefined;
  }
  const all = listOpenRewrites(parts.state, parts.id).filter(
    ({ topic, kind }) => kind === "all" && parts.isRead(topic),
  );
  const left = all.filter((other) => other.state !== "written" || other.release !== release);
  if (left.length > 0) {
    // Nobody reads, and so nobody will write, what was asked of a topic that is deleted or made again since.
    const gone: OpenRewrite[] = [];
    for (const one of left) if (!isHeld(parts, one) && (await isGone(one))) gone.push(one);
    if (gone.length > 0) endRewrites(parts.state, gone);
    return undefined;
  }
  const turned = await parts.turnReaders(release);
  if (typeof turned === "object") return turned;
  if (turned) endRewrites(parts.state, all);
  return undefined;
}

type PieceOf = (epoch: Epoch, records: readonly SourceRecord[], decoded: Decoded) => RewritePiece;

/** The pieces of a rewrite that has begun under an epoch, and when every sink has them all. */
function openPieces(parts: RewritingParts, rewrite: OpenRewrite, begunAt: number) {
  const { id, state, signal } = parts;
  const { topic, incarnation, partition, kind } = rewrite;
  const begun = { rewrite: rewrite.rewrite, epoch: begunAt };
  let unsettled = 0;
  let onSettled: () => void = () => undefined;

  const pieceOf: PieceOf = (epoch, records, decoded) => {
    unsettled++;
    const next = (records.at(-1)?.offset ?? 0) + 1;
    const piece = { stretch: { topic, incarnation, partition }, epoch, records, next };
    return {
      ...piece,
      decoded,
      async finish([settled]) {
        if (settled === undefined) return;
        const { counts, deadLetters } = settled;
        const offsets = records.map(({ offset }) => offset);
        const isOurs = inTransaction(state, () => {
          if (!countRewritten(state, begun, counts)) return false;
          // What is cleared is no record of the topic: it has no letters.
          if (kind !== "clears") replaceDeadLetters(state, id, rewrite, offsets, deadLetters);
          return true;
        });
        if (isOurs) parts.rewritten({ reason: rewrite.reason, piece, ...settled });
        unsettled--;
        onSettled();
      },
    };
  };

  async function settled(): Promise<void> {
    const isWaiting = (): boolean => unsettled > 0 && !signal.aborted;
    while (isWaiting()) {
      await new Promise<void>((resolve) => {
        onSettled = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  return { pieceOf, settled };
}

async function* rewriteOne(
  parts: RewritingParts,
  rewrite: OpenRewrite,
  { epoch, layers }: Begun,
): AsyncGenerator<RewritePiece | Problem | Looking> {
  const { pieceOf, settled } = openPieces(parts, rewrite, epoch.epoch);
  const chosen = openSelection(readSelection(parts.state, rewrite));
  for (const layer of layers) {
    for await (const records of readHere(parts, rewrite, layer)) {
      if ("code" in records) {
        yield records;
        return;
      }
      const all = await parts.decode(epoch, records);
      const wanted = "code" in all ? records : chosen.from(records, all);
      if (wanted.length === 0) {
        yield "looking";
        continue;
      }
      const decoded = wanted === records ? all : await parts.decode(epoch, wanted);
      const judged = "code" in decoded ? decoded : parts.judge(epoch, wanted, decoded);
      yield "code" in judged ? judged : pieceOf(layer.epoch, wanted, judged);
      if ("code" in judged) return;
    }
  }
  await settled();
  await finish(parts, rewrite, { epoch: epoch.epoch, selection: chosen.selection() });
}

async function* clear(
  parts: RewritingParts,
  rewrite: OpenRewrite,
): AsyncGenerator<RewritePiece | Problem> {
  const epoch = parts.newestOf(rewrite);
  if (epoch === undefined) return;
  const { pieceOf, settled } = openPieces(parts, rewrite, epoch.epoch);
  const { from } = rewrite;
  const selection = readSelection(parts.state, rewrite);
  const clears = "clears" in selection ? selection.clears : [];
  const begun = { epoch: epoch.epoch, from, to: from, release: epoch.release, lowest: undefined };
  beginRewrite(parts.state, rewrite.rewrite, begun);
  for (const { number, records } of tombstones(clears)) {
    for (const some of inBatches(records, parts.limits)) {
      const decoded = parts.decodeTombstones(epoch, some);
      if ("code" in decoded) {
        yield decoded;
        return;
      }
      yield pieceOf({ ...epoch, epoch: number, ordering: "offset" }, some, decoded);
    }
  }
  await settled();
  await finish(parts, rewrite, { epoch: epoch.epoch, selection });
}

/** Unless it was cut short. */
async function finish(
  parts: RewritingParts,
  rewrite: OpenRewrite,
  done: { epoch: number; selection: Selection },
): Promise<void> {
  if (parts.signal.aborted || !isHeld(parts, rewrite)) return;
  if (await isTopicGone(parts, rewrite)) return;
  finishRewrite(parts.state, rewrite.rewrite, done);
}

/** Records of a layer, for as long as the stretch is read here and its topic is the one it was. */
async function* readHere(
  parts: RewritingParts,
  rewrite: OpenRewrite,
  layer: Layer,
): AsyncGenerator<readonly SourceRecord[] | Problem> {
  const { reader, signal } = parts;
  try {
    const { topic, partition } = rewrite;
    const from = Math.max(rewrite.from, layer.from);
    for await (const read of reader.read(topic, partition, from, layer.to, signal))
      for (const records of inBatches(read, parts.limits)) {
        if (!isHeld(parts, rewrite)) return;
        yield records;
      }
  } catch (cause) {
    if (!(cause instanceof ProblemError)) throw cause;
    // The source will tell of the new topic.
    if (!(await isTopicGone(parts, rewrite))) yield cause.problem;
  }
}

/** Deleted, or made again under its name. */
async function isTopicGone(
  { reader, signal }: RewritingParts,
  rewrite: RewriteHead,
): Promise<boolean> {
  try {
    return (await reader.incarnation(rewrite.topic, signal)) !== rewrite.incarnation;
  } catch {
    return false;
  }
}

type IsGone = (rewrite: RewriteHead) => Promise<boolean>;

/** As `isTopicGone`, for one look: a hundred partitions of one may wait, and live ones be read no further meanwhile. */
function askedOnce(parts: RewritingParts): IsGone {
  const asked = new Map<string, Promise<boolean>>();
  return (rewrite) => {
    const making = JSON.stringify([rewrite.topic, rewrite.incarnation]);
    const answer = asked.get(making) ?? isTopicGone(parts, rewrite);
    asked.set(making, answer);
    return answer;
  };
}

function isHeld(parts: RewritingParts, rewrite: OpenRewrite): boolean {
  return parts.held().some((stretch) => isSameStretch(stretch, rewrite));
}
