import { placeInSource } from "#kernel/source-map.ts";
import type { Problem } from "#snapshots/problem.ts";
import { deadLetter, type DeadLetter, type Stage } from "../dead-letters/dead-letters.ts";
import type { Decoded } from "../decode/decode.ts";
import type { Chunk } from "../guest/poison.ts";
import { effectsOf, type Effects, type EffectsRequest } from "./operations.ts";
import { WRITE, type Sink, type SinkContract, type SourceRecord } from "../ports.ts";
import { NOTHING, type Counts } from "../order/progress.ts";
import type { Portion } from "../order/stretches.ts";
import { writeSettled, type RetryOptions, type Settled } from "./retry.ts";

/** Records after the transform, on their way to the sinks. */
export type Transformed = {
  /** All by one release. One after another, they are `records`. */
  portions: readonly Portion[];
  contract: SinkContract;
  records: readonly SourceRecord[];
  decoded: Decoded;
  chunks: readonly Chunk[];
  /** To tell the place of an error in the notebook. A release of before maps were kept has none. */
  sourceMap: string | undefined;
};

/** What a portion of a batch came to, once every sink has it. */
export type SettledBatch = { counts: Counts; deadLetters: DeadLetter[] };

/** By record. `retracted`: the parts (`record · maxParts + part`) that took a living row away, however often they were sent. */
type SinkReport = { written: Uint8Array; rejected: Map<number, string>; retracted: Set<number> };

/** As many batches at a time for each sink as it takes, begun in the order they came. */
export type Turns = <T>(sink: Taker, work: () => Promise<T>) => Promise<T>;
type Taker = Pick<Sink, "writesAtOnce">;

export function openTurns(): Turns {
  const lanes = new Map<Taker, { turns: Promise<unknown>[]; next: number }>();
  return (sink, work) => {
    const known = lanes.get(sink) ?? {
      turns: Array.from({ length: sink.writesAtOnce ?? 1 }, () => Promise.resolve()),
      next: 0,
    };
    lanes.set(sink, known);
    const lane = known.next++ % known.turns.length;
    const turn = (known.turns[lane] ?? Promise.resolve()).then(work);
    known.turns[lane] = turn.catch(() => undefined);
    return turn;
  };
}

/**
 * Brings a batch into every sink at once and says what became of each portion. A problem: some sink cannot go on. `refused` is told of it while others
 * are still at it, which may be for ever unless the signal is aborted.
 */
export async function settleBatch(
  sinks: readonly Sink[],
  item: Transformed,
  options: RetryOptions & { at: string; turns?: Turns; refused?: (problem: Problem) => void },
): Promise<SettledBatch[] | Problem> {
  const pieces = piecesOf(item);
  const { turns = openTurns(), refused, signal } = options;
  const write = async (sink: Sink): Promise<SinkReport | Problem> => {
    const report = await turns(sink, () => writePieces(sink, item, pieces, options));
    if ("code" in report && !signal.aborted) refused?.(report);
    return report;
  };
  const reports = await Promise.all(sinks.map(write));
  const done: SinkReport[] = [];
  for (const report of reports) {
    if ("code" in report) return report;
    done.push(report);
  }
  return tally(sinks, item, pieces, done, options.at);
}

type Piece = { chunk: Chunk | undefined; tombstones: readonly number[]; effects: Effects };

/** One piece per chunk; tombstones go with the first. Versions order them, so it does not matter which. */
function piecesOf(item: Transformed): Piece[] {
  const chunks: (Chunk | undefined)[] = item.chunks.length > 0 ? [...item.chunks] : [undefined];
  return chunks.map((chunk, i) => {
    const tombstones = i === 0 ? item.decoded.tombstones : [];
    return { chunk, tombstones, effects: effectsFor(item, chunk, tombstones, openRejected()) };
  });
}

/** What a sink has rejected, whole records or parts of them: see `EffectsRequest`. */
type Rejected = Required<Pick<EffectsRequest, "without" | "withoutParts">>;

function openRejected(): { [K in keyof Rejected]: Set<number> } {
  return { without: new Set(), withoutParts: new Set() };
}

function effectsFor(
  item: Transformed,
  chunk: Chunk | undefined,
  tombstones: readonly number[],
  rejected: Rejected,
): Effects {
  const { contract, portions, records, decoded } = item;
  return effectsOf({ contract, portions, records, decoded, tombstones, chunk, ...rejected });
}

async function writePieces(
  sink: Sink,
  item: Transformed,
  pieces: readonly Piece[],
  options: RetryOptions,
): Promise<SinkReport | Problem> {
  const report: SinkReport = {
    written: new Uint8Array(item.records.length),
    rejected: new Map(),
    retracted: new Set(),
  };
  for (const piece of pieces) {
    let { effects } = piece;
    const rejected = openRejected();
    // A rejected newest version leaves room for the one before it, as if it had never come: whatever the batching, the same state. Of several parts,
    // one that is rejected is missing: the others may be written already, over what came before.
    for (let isSettled = false; !isSettled;) {
      if (effects.batch.count === 0) break;
      const settled = await writeSettled(sink, effects.batch, options);
      if (!Array.isArray(settled)) return settled;
      isSettled = !noteOutcomes(settled, effects, report, rejected);
      if (!isSettled) effects = effectsFor(item, piece.chunk, piece.tombstones, rejected);
    }
  }
  return report;
}

/** True when something was rejected that had not been. */
function noteOutcomes(
  settled: readonly Settled[],
  { batch, recordOf }: Effects,
  report: SinkReport,
  rejected: ReturnType<typeof openRejected>,
): boolean {
  const { maxParts } = batch.contract;
  let hasRejected = false;
  settled.forEach((outcome, i) => {
    const record = recordOf[i] ?? 0;
    const ownPart = record * maxParts + (batch.part[i] ?? 0);
    if (outcome.kind === "reject") {
      const isPart = maxParts > 1 && batch.kind[i] === WRITE;
      const { into, what } = isPart
        ? { into: rejected.withoutParts, what: ownPart }
        : { into: rejected.without, what: record };
      hasRejected ||= !into.has(what);
      into.add(what);
      if (!report.rejected.has(record)) report.rejected.set(record, outcome.reason);
    }
    if (outcome.kind !== "written") return;
    report.written[record] = 1;
    if (outcome.retracted) report.retracted.add(ownPart);
  });
  return hasRejected;
}

/** Each record has one fate: dead-lettered, filtered, stale or written, looked for in this order. */
function tally(
  sinks: readonly Sink[],
  item: Transformed,
  pieces: readonly Piece[],
  reports: readonly SinkReport[],
  at: string,
): SettledBatch[] {
  const reasons: { record: number; stage: Stage; reason: string }[] = [
    ...item.decoded.failures,
    ...transformFailures(item),
    ...reports.flatMap((report, i) =>
      [...report.rejected].map(([record, reason]) => {
        const stage: Stage = `sink:${sinks[i]?.name ?? i}`;
        return { record, stage, reason };
      }),
    ),
  ];
  const filtered = filteredRecords(item);
  const isWinner = new Uint8Array(item.records.length);
  for (const { effects } of pieces) for (const record of effects.recordOf) isWinner[record] = 1;
  const isStale = (record: number): boolean =>
    isWinner[record] === 1 &&
    reports.length > 0 &&
    reports.every((report) => report.written[record] === 0);

  const { maxParts } = item.contract;
  const within = (parts: ReadonlySet<number>, from: number, to: number): number => {
    let count = 0;
    for (const part of parts) if (part >= from * maxParts && part < to * maxParts) count++;
    return count;
  };
  let next = 0;
  return item.portions.map(({ stretch, epoch, records }) => {
    const from = next;
    next += records.length;
    const dead = new Uint8Array(records.length);
    const letters: DeadLetter[] = [];
    for (const { record, stage, reason } of reasons) {
      const source = records[record - from];
      if (source === undefined) continue;
      dead[record - from] = 1;
      letters.push(deadLetter(stretch, source, { stage, reason, release: epoch.release, at }));
    }
    const counts = {
      ...NOTHING,
      read: records.length,
      retracted: Math.max(0, ...reports.map(({ retracted }) => within(retracted, from, next))),
    };
    for (let record = from; record < next; record++) {
      if (dead[record - from] === 1) counts.deadLettered++;
      else if (filtered[record] === 1) counts.filtered++;
      else if (isStale(record)) counts.stale++;
      else counts.written++;
    }
    return { counts, deadLetters: letters };
  });
}

function transformFailures(
  item: Transformed,
): { record: number; stage: "transform"; reason: string }[] {
  const { chunks, decoded } = item;
  return chunks.flatMap((chunk) => {
    const recordOf = (row: number): number => decoded.recordOfRow[chunk.from + row] ?? 0;
    if ("poison" in chunk)
      return [
        {
          record: recordOf(0),
          stage: "transform",
          reason: `the transform did not survive this record: ${chunk.poison}`,
        },
      ];
    return chunk.output.errors.map((error) => ({
      record: recordOf(error.row),
      stage: "transform",
      reason: error.message + placeOf(error, item.sourceMap),
    }));
  });
}

type Place = { line?: number; column?: number };

/** In the notebook where the line is its own, else in the bundle. */
function placeOf(inBundle: Place, sourceMap: string | undefined): string {
  const inNotebook = placeInSource(sourceMap, inBundle);
  const isOwn = inNotebook.line !== undefined;
  const { line, column } = isOwn ? inNotebook : inBundle;
  if (line === undefined) return "";
  const at = column === undefined ? `line ${line}` : `line ${line}, column ${column}`;
  return ` (${at}${isOwn ? "" : " of the bundle"})`;
}

function filteredRecords({ chunks, decoded, records }: Transformed): Uint8Array {
  const filtered = new Uint8Array(records.length);
  for (const chunk of chunks) {
    if ("poison" in chunk) continue;
    const made = new Uint8Array(chunk.to - chunk.from);
    for (const input of chunk.output.input) made[input] = 1;
    for (const error of chunk.output.errors) made[error.row] = 1;
    made.forEach((isMade, row) => {
      if (isMade === 0) filtered[decoded.recordOfRow[chunk.from + row] ?? 0] = 1;
    });
  }
  return filtered;
}
