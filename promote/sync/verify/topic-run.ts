import { ProblemError, type Problem } from "#snapshots/problem.ts";
import { endOfEpoch, epochOf, isSameStretch, type Epoch, type Stretch } from "../order/epochs.ts";
import { inBatches } from "../in-batches.ts";
import { layersOf, type Layer } from "../order/layers.ts";
import type { SourceRecord, TopicReader } from "../ports.ts";
import type { Rewrite, Selection } from "../rewrites/rewrites.ts";
import type { Runtime, Runtimes } from "../pipeline/runtimes.ts";
import type { Transformed } from "../pipeline/settle-batch.ts";
import { decodeSettled } from "../pipeline/spec-decoder.ts";
import { recordsAtOnce, tuningOf } from "../tuning.ts";

const LIMITS = tuningOf(undefined, true);

/** Offsets of one partition: `from` … before `to`. */
export type Cut = Stretch & { from: number; to: number };

export type TopicRunParts = {
  reader: Pick<TopicReader, "read">;
  runtimes: Runtimes;
  epochs: readonly Epoch[];
  /** Those that are done or running: their records are handled by the rewrite's release, under its epoch. */
  rewrites: readonly Rewrite[];
  signal: AbortSignal;
};

/**
 * A stretch of a topic as a pipeline would have handled it, record by record under the epoch and release that each belongs to. Nothing is written.
 * Throws a `ProblemError` where a record belongs to no epoch, or a release can no longer be run.
 */
export async function* runTopic(parts: TopicRunParts, cut: Cut): AsyncGenerator<Transformed> {
  const { reader, epochs, signal } = parts;
  for await (const records of reader.read(cut.topic, cut.partition, cut.from, cut.to, signal)) {
    for (let from = 0; from < records.length;) {
      const epoch = epochOf(epochs, cut, records[from]?.offset ?? 0);
      if (epoch === undefined) throw new ProblemError(noEpoch(cut, records[from]?.offset ?? 0));
      const end = endOfEpoch(epochs, cut, epoch);
      const found = records.findIndex((record, i) => i > from && record.offset >= end);
      const to = found < 0 ? records.length : found;
      yield* runPiece(parts, cut, epoch, records.slice(from, to));
      from = to;
    }
  }
}

async function* runPiece(
  parts: TopicRunParts,
  cut: Cut,
  epoch: Epoch,
  records: readonly SourceRecord[],
): AsyncGenerator<Transformed> {
  const runtime = orThrow(parts.runtimes.of(epoch.release));
  const maxRecords = recordsAtOnce(LIMITS, runtime.contract.maxParts);
  for (const batch of inBatches(records, { ...LIMITS, maxRecords }))
    yield* runBatch(parts, cut, { epoch, runtime, records: batch });
}

async function* runBatch(
  parts: TopicRunParts,
  cut: Cut,
  { epoch, runtime, records }: { epoch: Epoch; runtime: Runtime; records: readonly SourceRecord[] },
): AsyncGenerator<Transformed> {
  const { signal } = parts;
  const waiting = { signal, observe: () => undefined };
  const batch = { records, topic: cut.topic, partition: cut.partition };
  const decoded = orThrow(await decodeSettled(runtime.decoder, batch, waiting));
  const later = rewrittenBy(parts, cut, epoch, records, (i) =>
    decoded.keyRow[i] === -1 ? undefined : decoded.token[i],
  );
  if (later.size > 0) {
    const own = records.filter((_, i) => !later.has(i));
    if (own.length > 0) yield* runPiece({ ...parts, rewrites: [] }, cut, epoch, own);
    for (const [under, these] of groupsOf(later, records))
      yield* runPiece({ ...parts, rewrites: [] }, cut, under, these);
    return;
  }
  const chunks = await runtime.guest.run(decoded, signal);
  if (!chunks.ok) throw new ProblemError(chunks.problem);
  const { topic, incarnation, partition } = cut;
  yield {
    portions: [{ stretch: { topic, incarnation, partition }, epoch, records }],
    contract: runtime.contract,
    records,
    decoded,
    chunks: chunks.value,
    sourceMap: runtime.release.sourceMap,
  };
}

/** By record number: the epoch it was last written again under. */
function rewrittenBy(
  { rewrites, epochs }: TopicRunParts,
  cut: Cut,
  own: Epoch,
  records: readonly SourceRecord[],
  tokenOf: (record: number) => string | number | undefined,
): Map<number, Epoch> {
  const found = new Map<number, Epoch>();
  for (const rewrite of rewrites) {
    const { from, to = 0, selection } = rewrite;
    if (!isSameStretch(rewrite, cut) || "clears" in selection) continue;
    const layers = layersFor(rewrite, epochs);
    const chosen = "all" in selection ? undefined : setsOf(selection);
    records.forEach(({ offset }, i) => {
      if (offset < from || offset >= to) return;
      const epoch = layers.find((layer) => offset < layer.to)?.epoch;
      const newest = found.get(i) ?? own;
      if (epoch === undefined || epoch.epoch <= newest.epoch) return;
      const token = tokenOf(i);
      const isChosen =
        chosen === undefined ||
        chosen.offsets.has(offset) ||
        (token !== undefined && offset >= (chosen.since.get(token) ?? Infinity));
      if (isChosen) found.set(i, epoch);
    });
  }
  return found;
}

const layers = new WeakMap<Rewrite, Layer[]>();

/** Made once of a rewrite. */
function layersFor(rewrite: Rewrite, epochs: readonly Epoch[]): Layer[] {
  const known = layers.get(rewrite);
  if (known !== undefined) return known;
  const { to = 0, lowest } = rewrite;
  const epoch = epochs.find((one) => one.epoch === rewrite.epoch && isSameStretch(one, rewrite));
  const made = epoch === undefined ? [] : layersOf(epochs, { epoch, lowest, to });
  layers.set(rewrite, made);
  return made;
}

type Some = Extract<Selection, { tokens: unknown }>;
type Chosen = { offsets: Set<number>; since: Map<string | number, number> };
const sets = new WeakMap<Some, Chosen>();

/** Made once of a selection, which may name a million identities. */
function setsOf(selection: Some): Chosen {
  const known = sets.get(selection);
  if (known !== undefined) return known;
  const since = new Map(selection.since);
  for (const token of selection.tokens) since.set(token, 0);
  const made = { offsets: new Set(selection.offsets), since };
  sets.set(selection, made);
  return made;
}

function groupsOf(
  later: ReadonlyMap<number, Epoch>,
  records: readonly SourceRecord[],
): Map<Epoch, SourceRecord[]> {
  const groups = new Map<Epoch, SourceRecord[]>();
  for (const [record, epoch] of later) {
    const found = records[record];
    const group = groups.get(epoch);
    if (found === undefined) continue;
    if (group === undefined) groups.set(epoch, [found]);
    else group.push(found);
  }
  for (const group of groups.values()) group.sort((a, b) => a.offset - b.offset);
  return groups;
}

function orThrow<T extends object>(value: T | Problem): T {
  if ("code" in value) throw new ProblemError(value);
  return value;
}

function noEpoch({ topic, partition }: Stretch, offset: number): Problem {
  return {
    code: "no-epoch",
    message: `The state database has no epoch for offset ${offset} of ${topic}/${partition}, so nothing says which release handled it.`,
    hint: "It was handled by a Penstock whose .penstock/state.db is not here.",
    at: { offset },
  };
}
