import type { Problem } from "#snapshots/problem.ts";
import type { DeadLetter } from "../dead-letters/dead-letters.ts";
import type { PipelineEvent } from "../events.ts";
import { patiently } from "./patiently.ts";
import type { Sink, SinkContract } from "../ports.ts";
import type { ReleaseSpec } from "../release-spec.ts";
import { openTurns, settleBatch, type SettledBatch, type Transformed } from "./settle-batch.ts";
import { contractOf } from "../open/sink-plan.ts";
import { BATCHES_AT_ONCE } from "../tuning.ts";
import { STOPPED, unlessStopped } from "../unless-stopped.ts";

export type Writable = Transformed & {
  /** By which all of it is handled. */
  release: string;
  /** What is done once every sink has it: what each portion came to. Begun in the order of the batches. */
  finish(settled: readonly SettledBatch[]): Promise<void>;
};

export type WriteParts = {
  sinks: readonly Sink[];
  /** Whose contract the sinks are prepared for before anything comes. */
  release: ReleaseSpec;
  /** Undefined: there will be no more. */
  next(): Promise<Writable | undefined>;
  /** Of one batch; small ones together are no larger. */
  maxRecords: number;
  /** Where dead letters go besides the state database; durable when it resolves. */
  buryIn: ((letters: readonly DeadLetter[]) => Promise<Problem | undefined>) | undefined;
  /** Aborted: no more is read, and no sink is prepared for what waits. */
  reading: AbortSignal;
  /** What waits is read again next time; `signal` is aborted when it returns. */
  giveUp(): void;
  newestEpoch(): number;
  /** Every sink stands ready for what this release writes; undefined while they do not for any. */
  prepared(release: string | undefined): void;
  /** A batch is out of the pipeline. */
  finished(): void;
  /** Nothing more can be written; the signal is aborted when it returns. */
  halt(problem: Problem): void;
  /** Halts where a promise fails. */
  guarded(work: Promise<void>): Promise<void>;
  signal: AbortSignal;
  observe: (event: PipelineEvent) => void;
  now: () => Date;
  random: () => number;
};

/**
 * Writes batches to every sink, two side by side, or some more that are no larger together than one may be, and finishes them in the order they came.
 * Resolves when all are finished or the signal is aborted.
 */
export async function writeBatches(parts: WriteParts): Promise<void> {
  const { sinks, signal, observe, random } = parts;
  const waiting = { signal, observe };
  const turns = openTurns();
  const contract = contractOf(parts.release);
  if (!contract.ok) return parts.halt(contract.problem);
  let preparedFor = parts.release.release;
  /** The newest epoch there was then. In a later one there may be columns of another release, which ran in between, elsewhere or without a record here. */
  let preparedIn = parts.newestEpoch();
  await prepare(preparedFor, contract.value);
  /** Of the batch before: true once what comes after it may begin to finish, false where it never may. */
  let turn = Promise.resolve(true);
  const writing: { records: number; done: Promise<void> }[] = [];

  for (let item = await parts.next(); item !== undefined; item = await parts.next()) {
    const isLater = item.portions.some(({ epoch }) => epoch.epoch > preparedIn);
    if (preparedFor !== item.release || isLater) {
      await allDone();
      preparedFor = item.release;
      preparedIn = parts.newestEpoch();
      await prepare(preparedFor, item.contract);
    }
    const records = item.records.length;
    while (isEnough(records)) await writing.shift()?.done;
    if (signal.aborted) break;
    const at = parts.now().toISOString();
    const settling = settleBatch(sinks, item, {
      ...waiting,
      random,
      at,
      turns,
      refused: (problem) => parts.halt(problem),
    });
    const next = Promise.withResolvers<boolean>();
    const done = finish(item, settling, turn, () => next.resolve(true)).finally(() =>
      next.resolve(false),
    );
    turn = next.promise;
    writing.push({ records, done: parts.guarded(done) });
  }
  await allDone();

  async function allDone(): Promise<void> {
    await Promise.all(writing.map(({ done }) => done));
  }

  function isEnough(more: number): boolean {
    const records = writing.reduce((sum, batch) => sum + batch.records, more);
    return writing.length >= BATCHES_AT_ONCE || (writing.length >= 2 && records > parts.maxRecords);
  }

  async function finish(
    item: Writable,
    settling: Promise<SettledBatch[] | Problem>,
    before: Promise<boolean>,
    pass: () => void,
  ): Promise<void> {
    const settled = await settling;
    if (!(await before) || signal.aborted || "code" in settled) return;
    const unburied = await bury(settled.flatMap(({ deadLetters }) => deadLetters));
    if (signal.aborted) return;
    if (unburied !== undefined) return parts.halt(unburied);
    const finished = item.finish(settled);
    pass();
    await finished;
    parts.finished();
  }

  async function prepare(release: string, wanted: SinkContract): Promise<void> {
    parts.prepared(undefined);
    await Promise.all(sinks.map((sink) => prepareSink(sink, wanted)));
    if (!signal.aborted) parts.prepared(release);
  }

  async function prepareSink(sink: Sink, wanted: SinkContract): Promise<void> {
    const stoppable = { observe, signal: parts.reading };
    const make = (): Promise<Problem | undefined> => sink.prepare(wanted, parts.reading);
    const refused = await patiently(sink.name, make, stoppable);
    if (signal.aborted || refused === undefined) return;
    if (refused === STOPPED) parts.giveUp();
    else parts.halt(refused);
  }

  async function bury(letters: readonly DeadLetter[]): Promise<Problem | undefined> {
    const { buryIn } = parts;
    if (buryIn === undefined || letters.length === 0) return undefined;
    const send = (): Promise<Problem | undefined> =>
      unlessStopped(buryIn(letters), signal, STOPPED);
    // A person may have to see to the topic; the pipeline goes on by itself then.
    return patiently("dead letters", send, { ...waiting, isCurable: () => true });
  }
}
