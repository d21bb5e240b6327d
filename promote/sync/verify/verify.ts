import type { DatabaseSync } from "node:sqlite";
import { fail, ok, ProblemError, type Result } from "#snapshots/problem.ts";
import { topicText } from "#snapshots/topic-choice.ts";
import { sinkRefusals } from "../dead-letters/dead-letters.ts";
import {
  noRoom,
  openRowLedger,
  type FoundRow,
  type LedgerCounts,
  type LedgerDifference,
  type LedgerFault,
  type ReadTime,
  type RowLedger,
} from "../embedded/row-ledger.ts";
import { isSameStretch, listEpochs, type Epoch, type PipelineId } from "../order/epochs.ts";
import type { Decoded } from "../decode/decode.ts";
import { effectsOf, selectOperations, type EffectsRequest } from "../pipeline/operations.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { Sink, SinkBatch, SinkContract, SourceRecord, TopicReader } from "../ports.ts";
import { readOffset } from "../order/stretch-offsets.ts";
import { listRewrites, type Rewrite } from "../rewrites/rewrites.ts";
import type { Runtimes } from "../pipeline/runtimes.ts";
import { decodeSettled } from "../pipeline/spec-decoder.ts";
import { runTopic, type Cut } from "./topic-run.ts";
import { FIRST_EPOCH, partsOfVersion } from "../order/version.ts";
import { expectedRows, foundRow, keysOf } from "./ledger-rows.ts";
import { topicsOf } from "../topics-of.ts";
import { clearing, openUnderWay } from "./under-way.ts";

export type VerifyOptions = {
  signal: AbortSignal;
  onProgress: (progress: VerifyProgress) => void;
  /** How many differences the report brings. */
  samples?: number;
  /** Every difference, a few at a time; of a sink no more than a million. */
  onFaults?: (sink: string, faults: readonly LedgerFault[]) => void;
};

export type VerifyParts = VerifyOptions & {
  id: PipelineId;
  spec: PipelineSpec;
  state: DatabaseSync;
  sinks: readonly Pick<Sink, "name" | "scan">[];
  reader: TopicReader;
  runtimes: Runtimes;
  now: () => Date;
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
const FOUND_AT_ONCE = 4096;
/** One repair heals at most this many differences of a sink; a verify after it tells whether some are left. */
const MOST_FAULTS = 1_000_000;

/**
 * Reads back every sink and compares it, at a cut, with what the topic's records give when each is run through the release of its epoch. Live traffic
 * may go on: identities with records beyond the cut are counted apart (`moving`), and rows whose record the log no longer holds, nor a
 * newer one of their identity, are `unverifiable`.
 */
export async function verify(parts: VerifyParts): Promise<Result<VerifyReport>> {
  const startedAt = performance.now();
  const ledger = await openRowLedger();
  try {
    const cut = await cutOf(parts);
    if (!cut.ok) return cut;
    const known = listRewrites(parts.state, parts.id);
    await expectAll(parts, cut.value, known, ledger);
    const sinks: SinkVerdict[] = [];
    for (const sink of parts.sinks) {
      const read = await findAll(parts, cut.value, sink, ledger);
      await moveOn(parts, cut.value, known, ledger);
      const counts = await ledger.counts(read);
      const isEqual = counts.changed + counts.added + counts.removed === 0;
      const differences = isEqual ? [] : await ledger.differences(parts.samples ?? SAMPLES);
      await tellFaults(parts, sink.name, ledger);
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
    const problem = cause instanceof ProblemError ? cause.problem : noRoom(cause);
    if (problem !== undefined) return fail(problem);
    throw cause;
  } finally {
    await ledger.close();
    await parts.runtimes.close();
  }
}

async function tellFaults(
  { onFaults, signal }: VerifyParts,
  sink: string,
  ledger: RowLedger,
): Promise<void> {
  if (onFaults === undefined) return;
  for await (const faults of ledger.faults(MOST_FAULTS)) {
    endIfAborted(signal);
    onFaults(sink, faults);
  }
}

function endIfAborted(signal: AbortSignal): void {
  if (signal.aborted)
    throw new ProblemError({ code: "stopped", message: "The verify was stopped." });
}

/** What the pipeline has committed, of what the topic still holds. */
async function cutOf({ id, spec, state, reader }: VerifyParts): Promise<Result<Cut[]>> {
  const cuts: Cut[] = [];
  for (const topic of await topicsOf(spec.topic, reader)) {
    const incarnation = await reader.incarnation(topic);
    const ranges = incarnation === undefined ? [] : await reader.ranges(topic);
    for (const { partition, first } of ranges) {
      const stretch = { topic, incarnation: incarnation ?? "", partition };
      const to = readOffset(state, id, stretch);
      if (to !== undefined) cuts.push({ ...stretch, from: firstOf(state, id, stretch, first), to });
    }
  }
  if (cuts.length > 0) return ok(cuts);
  return fail({
    code: "nothing-to-verify",
    message: `${id.environment}:${id.name} has not committed a record of ${topicText(spec.topic)} as it is now.`,
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
    .filter((epoch) => isSameStretch(epoch, stretch))
    .map((epoch) => epoch.firstOffset);
  return Math.max(first, Math.min(...begun));
}

async function expectAll(
  parts: VerifyParts,
  cuts: readonly Cut[],
  known: readonly Rewrite[],
  ledger: RowLedger,
): Promise<void> {
  const { id, state, reader, runtimes, signal, spec, sinks } = parts;
  const epochs = listEpochs(state, id);
  const rewrites = known.filter((rewrite) => !isUnderWay(rewrite));
  const open = known.filter(isUnderWay);
  const refusals = sinks.map((sink) => sinkRefusals(state, id, sink.name));
  ledger.move(clearing(open));
  let records = 0;
  const noting = { read: readNoting(reader, (gap) => ledger.skip(gap)) };
  const run = { reader: noting, runtimes, epochs, rewrites, signal };
  for (const cut of cuts) {
    const underWay = openUnderWay(open, cut);
    const refused = refusals.map(
      (places) => new Set(places.flatMap((one) => (isSameStretch(one, cut) ? [one.offset] : []))),
    );
    for await (const item of runTopic(run, cut)) {
      const chunks = item.chunks.length > 0 ? item.chunks : [undefined];
      const withouts = refused.map((offsets) => recordsAt(item.records, offsets));
      chunks.forEach((chunk, n) => {
        const { contract, portions, records, decoded } = item;
        const tombstones = n === 0 ? decoded.tombstones : [];
        const request = { contract, portions, records, decoded, tombstones, chunk };
        for (const batch of effectsOfAll(request, withouts))
          ledger.expect(expectedRows(batch, spec), contract.maxParts > 1);
      });
      ledger.move(underWay(item, item.contract));
      records += item.records.length;
      parts.onProgress({ step: "reading the topic", records });
    }
  }
}

/** Reads as `reader` does, and tells of the offsets that it passes over: by compaction, or since the log begins later by now. */
function readNoting(
  reader: TopicReader,
  note: (gap: { topic: string; partition: number; first: number; next: number }) => void,
): TopicReader["read"] {
  return async function* (topic, partition, from, to, signal) {
    let next = from;
    const passTo = (offset: number): void => {
      if (offset > next) note({ topic, partition, first: next, next: offset });
    };
    for await (const records of reader.read(topic, partition, from, to, signal)) {
      for (const { offset } of records) {
        passTo(offset);
        next = offset + 1;
      }
      yield records;
    }
    passTo(to);
  };
}

/** Numbers of the records at some offsets. */
function recordsAt(records: readonly SourceRecord[], offsets: ReadonlySet<number>): Set<number> {
  if (offsets.size === 0) return new Set();
  return new Set(records.flatMap(({ offset }, i) => (offsets.has(offset) ? [i] : [])));
}

/**
 * The effects of records for every sink, each once. Of an identity only the newest version in a batch has any; where a sink refused it, the version
 * before is the sink's newest. `withouts`: what each sink refused.
 */
function* effectsOfAll(
  request: Omit<EffectsRequest, "without">,
  withouts: readonly ReadonlySet<number>[],
): Generator<SinkBatch> {
  const given = new Set<number>();
  for (const without of [new Set<number>(), ...withouts.filter(({ size }) => size > 0)]) {
    const { batch, recordOf } = effectsOf({ ...request, without });
    const fresh = [...recordOf.keys()].filter((i) => !given.has(recordOf[i] ?? -1));
    yield selectOperations(batch, fresh);
    for (const record of recordOf) given.add(record);
  }
}

async function findAll(
  { id, state, spec, signal, onProgress, now }: VerifyParts,
  cuts: readonly Cut[],
  sink: VerifyParts["sinks"][number],
  ledger: RowLedger,
): Promise<ReadTime> {
  const fromMs = now().getTime();
  const epochs = listEpochs(state, id);
  const refused = sinkRefusals(state, id, sink.name);
  // Of a topic that was made again, the same offsets are other records.
  ledger.refuse(refused.filter((place) => cuts.some((cut) => isSameStretch(place, cut))));
  let rows: FoundRow[] = [];
  let records = 0;
  const keep = (): void => {
    ledger.find(rows);
    records += rows.length;
    rows = [];
    onProgress({ step: `reading ${sink.name}`, records });
  };
  for await (const stored of sink.scan()) {
    endIfAborted(signal);
    rows.push({ ...foundRow(stored, spec), isOld: isOlderThanLog(stored, cuts, epochs) });
    if (rows.length === FOUND_AT_ONCE) keep();
  }
  keep();
  return { fromMs, toMs: now().getTime() };
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
  // Made by hand, whatever version the sink gave it.
  if (partition < 0) return false;
  const cut = cuts.find((one) => one.topic === topic && one.partition === partition);
  const { epoch: number } = partsOfVersion(version);
  const epoch = epochs.findLast(
    (one) => one.epoch <= number && one.topic === topic && one.partition === partition,
  );
  const isBeforeLog = cut === undefined || offset < cut.from;
  // Either no record wrote it, or one under an epoch that was lost with its state database.
  if (epoch === undefined) return number >= FIRST_EPOCH && isBeforeLog;
  return isBeforeLog || epoch.incarnation !== cut.incarnation;
}

/** Identities that have changed since the cut was taken, by live traffic or by what was asked to be written again; asked after a sink was read. */
async function moveOn(
  parts: VerifyParts,
  cuts: readonly Cut[],
  known: readonly Rewrite[],
  ledger: RowLedger,
): Promise<void> {
  const { reader, runtimes, spec, signal } = parts;
  const fresh = listRewrites(parts.state, parts.id).filter((rewrite) => isNews(rewrite, known));
  ledger.move(clearing(fresh));
  const runtime = runtimes.of(spec.release);
  if ("code" in runtime) throw new ProblemError(runtime);
  const topics = [...new Set(cuts.map(({ topic }) => topic))];
  const ranges = (await Promise.all(topics.map((topic) => reader.ranges(topic)))).flat();
  for (const cut of cuts) {
    const { topic, partition, to } = cut;
    const end = ranges.find((one) => one.topic === topic && one.partition === partition)?.end ?? to;
    const underWay = openUnderWay(fresh, cut);
    const own = fresh.filter((rewrite) => isSameStretch(rewrite, cut));
    const from = Math.min(to, ...own.map((rewrite) => rewrite.from));
    for await (const records of reader.read(topic, partition, from, end, signal)) {
      const batch = { records, topic, partition };
      const decoded = await decodeSettled(runtime.decoder, batch, {
        signal,
        observe: () => undefined,
      });
      if ("code" in decoded) throw new ProblemError(decoded);
      ledger.move(underWay({ decoded, records }, runtime.contract));
      const since = records.findIndex(({ offset }) => offset >= to);
      if (since >= 0) ledger.move(keysFrom(decoded, since, runtime.contract));
    }
  }
}

/** Identities of records from number `since` on. */
function keysFrom(decoded: Decoded, since: number, contract: SinkContract): string[] {
  const keys = keysOf(decoded.keys(), contract.key);
  return [...decoded.keyRow.subarray(since)].flatMap((row) => keys[row] ?? []);
}

/** Asked since, or once more: what was expected goes by nothing of it, or by what was done before. */
function isNews({ rewrite, state, epoch }: Rewrite, known: readonly Rewrite[]): boolean {
  const before = known.find((one) => one.rewrite === rewrite);
  if (before === undefined) return true;
  return !isUnderWay(before) && (state === "asked" || epoch !== before.epoch);
}

function isUnderWay({ state }: Rewrite): boolean {
  return state === "asked" || state === "running";
}
