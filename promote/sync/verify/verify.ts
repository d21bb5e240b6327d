import type { DatabaseSync } from "node:sqlite";
import { fail, ok, ProblemError, type Result } from "#snapshots/problem.ts";
import { sinkRefusals } from "../dead-letters.ts";
import {
  openRowLedger,
  type LedgerCounts,
  type LedgerDifference,
  type RowLedger,
} from "../embedded/row-ledger.ts";
import { listEpochs, type Epoch, type PipelineId, type Stretch } from "../epochs.ts";
import { effectsOf } from "../operations.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { PartitionRange, Sink, TopicReader } from "../ports.ts";
import { readOffset } from "../progress.ts";
import { listRewrites } from "../rewrites.ts";
import type { Runtimes } from "../runtimes.ts";
import { decodeSettled } from "../spec-decoder.ts";
import { runTopic, type Cut } from "../topic-run.ts";
import { partsOfVersion } from "../version.ts";
import { expectedRows, foundRow, keysOf } from "./ledger-rows.ts";

export type VerifyParts = {
  id: PipelineId;
  spec: PipelineSpec;
  state: DatabaseSync;
  sinks: readonly Sink[];
  reader: TopicReader;
  runtimes: Runtimes;
  signal: AbortSignal;
  onProgress: (progress: VerifyProgress) => void;
};

export type VerifyProgress = {
  step: "asking the servers" | "reading the topic" | `reading ${string}`;
  records: number;
};

/** One sink against a batch run of the topic. left: what should be there; right: what is. Counts are defined in row-ledger.ts and add up. */
export type SinkVerdict = {
  sink: string;
  isEqual: boolean;
  counts: LedgerCounts;
  /** The first of them by key. */
  differences: LedgerDifference[];
};

export type VerifyReport = {
  environment: string;
  name: string;
  release: string;
  /** The offsets that were compared, by partition. */
  cut: Cut[];
  sinks: SinkVerdict[];
  isEqual: boolean;
  elapsedMs: number;
};

const SAMPLES = 20;

/**
 * Reads back every sink and compares it, at a cut, with what the topic's records give when each is run through the release of its epoch. Live traffic
 * may go on: identities with records beyond the cut are counted apart (`moving`), and rows from before the log's start are `unverifiable`.
 */
export async function verify(parts: VerifyParts, samples = SAMPLES): Promise<Result<VerifyReport>> {
  const startedAt = performance.now();
  const ledger = await openRowLedger();
  try {
    const cut = await cutOf(parts);
    if (!cut.ok) return cut;
    await expectAll(parts, cut.value, ledger);
    const sinks: SinkVerdict[] = [];
    for (const sink of parts.sinks) {
      await findAll(parts, cut.value, sink, ledger);
      await moveOn(parts, cut.value, ledger);
      const counts = await ledger.counts();
      const differences = await ledger.differences(samples);
      const isEqual = counts.changed + counts.added + counts.removed === 0;
      sinks.push({ sink: sink.name, isEqual, counts, differences });
      await ledger.forget();
    }
    return ok({
      ...parts.id,
      release: parts.spec.release,
      cut: cut.value,
      sinks,
      isEqual: sinks.every((sink) => sink.isEqual),
      elapsedMs: Math.round(performance.now() - startedAt),
    });
  } catch (cause) {
    if (cause instanceof ProblemError) return fail(cause.problem);
    throw cause;
  } finally {
    await ledger.close();
    await parts.runtimes.close();
  }
}

/** What the pipeline has committed, of what the topic still holds. */
async function cutOf({ id, spec, state, reader }: VerifyParts): Promise<Result<Cut[]>> {
  const { topic } = spec;
  const incarnation = await reader.incarnation(topic);
  const ranges = incarnation === undefined ? [] : await reader.ranges(topic);
  const cuts = ranges.flatMap(({ partition, first }): Cut[] => {
    const stretch = { topic, incarnation: incarnation ?? "", partition };
    const to = readOffset(state, id, stretch);
    return to === undefined ? [] : [{ ...stretch, from: firstOf(state, id, stretch, first), to }];
  });
  if (cuts.length > 0) return ok(cuts);
  return fail({
    code: "nothing-to-verify",
    message: `${id.environment}:${id.name} has not committed a record of topic ${topic} as it is now.`,
    hint: "Start the pipeline, then verify what it has done.",
  });
}

/** Where the pipeline began: earlier records were never its own. */
function firstOf(
  state: DatabaseSync,
  id: PipelineId,
  stretch: Omit<Cut, "from" | "to">,
  first: number,
): number {
  const begun = listEpochs(state, id)
    .filter((epoch) => isOf(epoch, stretch))
    .map((epoch) => epoch.firstOffset);
  return Math.max(first, Math.min(...begun));
}

async function expectAll(
  parts: VerifyParts,
  cuts: readonly Cut[],
  ledger: RowLedger,
): Promise<void> {
  const { id, state, reader, runtimes, signal, spec } = parts;
  const epochs = listEpochs(state, id);
  const rewrites = listRewrites(state, id).filter((rewrite) => rewrite.state !== "asked");
  let records = 0;
  for (const cut of cuts) {
    for await (const item of runTopic({ reader, runtimes, epochs, rewrites, signal }, cut)) {
      const chunks = item.chunks.length > 0 ? item.chunks : [undefined];
      chunks.forEach((chunk, n) => {
        const { batch } = effectsOf({
          contract: item.contract,
          portions: item.portions,
          records: item.records,
          decoded: item.decoded,
          tombstones: n === 0 ? item.decoded.tombstones : [],
          chunk,
          without: new Set(),
        });
        ledger.expect(expectedRows(batch, spec.output));
      });
      records += item.records.length;
      parts.onProgress({ step: "reading the topic", records });
    }
  }
}

async function findAll(
  { id, state, spec, signal, onProgress }: VerifyParts,
  cuts: readonly Cut[],
  sink: Sink,
  ledger: RowLedger,
): Promise<void> {
  const epochs = listEpochs(state, id);
  const refused = sinkRefusals(state, id, sink.name);
  // Of a topic that was made again, the same offsets are other records.
  ledger.refuse(refused.filter((place) => cuts.some((cut) => isOf(place, cut))));
  let records = 0;
  for await (const stored of sink.scan()) {
    if (signal.aborted)
      throw new ProblemError({ code: "stopped", message: "The verify was stopped." });
    const isOld = isOlderThanLog(stored, cuts, epochs);
    ledger.find([{ ...foundRow(stored, spec.output), isOld }]);
    records++;
    if (records % 10_000 === 0) onProgress({ step: `reading ${sink.name}`, records });
  }
}

/** A row whose record the log no longer holds: of an earlier making of the topic, or from before its start. */
function isOlderThanLog(
  {
    version,
    topic,
    partition,
    offset,
  }: { version: bigint; topic: string; partition: number; offset: number },
  cuts: readonly Cut[],
  epochs: readonly Epoch[],
): boolean {
  const cut = cuts.find((one) => one.topic === topic && one.partition === partition);
  const { epoch: number } = partsOfVersion(version);
  const epoch = epochs.findLast(
    (one) => one.epoch <= number && one.topic === topic && one.partition === partition,
  );
  if (epoch === undefined) return false;
  return cut === undefined || epoch.incarnation !== cut.incarnation || offset < cut.from;
}

/** Identities that have changed since the cut was taken; asked after a sink was read. */
async function moveOn(parts: VerifyParts, cuts: readonly Cut[], ledger: RowLedger): Promise<void> {
  const { reader, runtimes, spec, signal } = parts;
  const runtime = runtimes.of(spec.release);
  if ("code" in runtime) throw new ProblemError(runtime);
  const ranges: PartitionRange[] = await reader.ranges(spec.topic);
  for (const { topic, partition, to } of cuts) {
    const end = ranges.find((range) => range.partition === partition)?.end ?? to;
    for await (const records of reader.read(topic, partition, to, end, signal)) {
      const batch = { records, topic, partition };
      const decoded = await decodeSettled(runtime.decoder, batch, {
        signal,
        observe: () => undefined,
      });
      if ("code" in decoded) throw new ProblemError(decoded);
      ledger.move(keysOf(decoded.keys(), runtime.contract.key));
    }
  }
}

function isOf(
  epoch: Stretch,
  stretch: { topic: string; incarnation: string; partition: number },
): boolean {
  return (
    epoch.topic === stretch.topic &&
    epoch.incarnation === stretch.incarnation &&
    epoch.partition === stretch.partition
  );
}
