import type { Problem } from "#snapshots/problem.ts";
import { deadLetter, type DeadLetter, type Stage } from "./dead-letters.ts";
import type { Decoded } from "./decode/decode.ts";
import type { Epoch, Stretch } from "./epochs.ts";
import type { Chunk } from "./guest-stage.ts";
import { effectsOf, type Effects } from "./operations.ts";
import type { Sink, SinkContract, SourceRecord } from "./ports.ts";
import type { Counts } from "./progress.ts";
import { writeSettled, type RetryOptions, type Settled } from "./retry.ts";

/** A delivery after the transform, on its way to the sinks. */
export type Transformed = {
  stretch: Stretch;
  epoch: Epoch;
  contract: SinkContract;
  records: readonly SourceRecord[];
  decoded: Decoded;
  chunks: readonly Chunk[];
  next: number;
  /** Whether places in errors are the notebook's or the bundle's. */
  hasSourceMap: boolean;
};

/** What a batch came to, once every sink has it. */
export type SettledBatch = { counts: Counts; deadLetters: DeadLetter[] };

type SinkReport = { written: Uint8Array; rejected: Map<number, string>; retracted: number };

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

/** Brings a batch into every sink at once and says what became of each record. A problem: some sink cannot go on. */
export async function settleBatch(
  sinks: readonly Sink[],
  item: Transformed,
  options: RetryOptions & { at: string; turns?: Turns },
): Promise<SettledBatch | Problem> {
  const pieces = piecesOf(item);
  const { turns = openTurns() } = options;
  const reports = await Promise.all(
    sinks.map((sink) => turns(sink, () => writePieces(sink, item, pieces, options))),
  );
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
    return { chunk, tombstones, effects: effectsFor(item, chunk, tombstones, NONE) };
  });
}

const NONE: ReadonlySet<number> = new Set();

function effectsFor(
  item: Transformed,
  chunk: Chunk | undefined,
  tombstones: readonly number[],
  without: ReadonlySet<number>,
): Effects {
  const { contract, stretch, epoch, records, decoded } = item;
  return effectsOf({
    contract,
    topic: stretch.topic,
    partition: stretch.partition,
    epoch,
    records,
    decoded,
    tombstones,
    chunk,
    without,
  });
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
    retracted: 0,
  };
  for (const piece of pieces) {
    let { effects } = piece;
    // A rejected newest version leaves room for the one before it, as if it had never come: whatever the batching, the same state.
    for (let isSettled = false; !isSettled;) {
      if (effects.batch.count === 0) break;
      const settled = await writeSettled(sink, effects.batch, options);
      if (!Array.isArray(settled)) return settled;
      isSettled = !noteOutcomes(settled, effects, report);
      if (!isSettled)
        effects = effectsFor(item, piece.chunk, piece.tombstones, new Set(report.rejected.keys()));
    }
  }
  return report;
}

/** True when a record was rejected. */
function noteOutcomes(
  settled: readonly Settled[],
  { recordOf }: Effects,
  report: SinkReport,
): boolean {
  let hasRejected = false;
  settled.forEach((outcome, i) => {
    const record = recordOf[i] ?? 0;
    if (outcome.kind === "reject") {
      hasRejected ||= !report.rejected.has(record);
      report.rejected.set(record, outcome.reason);
    }
    if (outcome.kind !== "written") return;
    report.written[record] = 1;
    if (outcome.retracted) report.retracted++;
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
): SettledBatch {
  const { records, stretch, epoch } = item;
  const letters: DeadLetter[] = [];
  const dead = new Uint8Array(records.length);
  const bury = (record: number, stage: Stage, reason: string): void => {
    const source = records[record];
    if (source === undefined) return;
    dead[record] = 1;
    letters.push(deadLetter(stretch, source, { stage, reason, release: epoch.release, at }));
  };
  for (const failure of item.decoded.failures) bury(failure.record, failure.stage, failure.reason);
  for (const { record, reason } of transformFailures(item)) bury(record, "transform", reason);
  reports.forEach((report, i) => {
    for (const [record, reason] of report.rejected)
      bury(record, `sink:${sinks[i]?.name ?? i}`, reason);
  });

  const filtered = filteredRecords(item);
  const isWinner = new Uint8Array(records.length);
  for (const { effects } of pieces) for (const record of effects.recordOf) isWinner[record] = 1;
  const counts = {
    read: records.length,
    written: 0,
    filtered: 0,
    stale: 0,
    deadLettered: 0,
    retracted: Math.max(0, ...reports.map((r) => r.retracted)),
  };
  for (let record = 0; record < records.length; record++) {
    if (dead[record] === 1) counts.deadLettered++;
    else if (filtered[record] === 1) counts.filtered++;
    else if (
      isWinner[record] === 1 &&
      reports.length > 0 &&
      reports.every((report) => report.written[record] === 0)
    )
      counts.stale++;
    else counts.written++;
  }
  return { counts, deadLetters: letters };
}

function transformFailures(item: Transformed): { record: number; reason: string }[] {
  const { chunks, decoded } = item;
  return chunks.flatMap((chunk) => {
    const recordOf = (row: number): number => decoded.recordOfRow[chunk.from + row] ?? 0;
    if ("poison" in chunk)
      return [
        {
          record: recordOf(0),
          reason: `the transform did not survive this record: ${chunk.poison}`,
        },
      ];
    return chunk.output.errors.map((error) => ({
      record: recordOf(error.row),
      reason: error.message + place(error, item.hasSourceMap),
    }));
  });
}

function place(error: { line?: number; column?: number }, hasSourceMap: boolean): string {
  if (error.line === undefined) return "";
  const column = error.column === undefined ? "" : `, column ${error.column}`;
  return ` (line ${error.line}${column}${hasSourceMap ? "" : " of the bundle"})`;
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
