import type { DatabaseSync } from "node:sqlite";
import { ProblemError, type Problem } from "#snapshots/problem.ts";
import { isAmongTopics, type TopicChoice } from "#snapshots/topic-choice.ts";
import { openChannel, type Channel } from "./channel.ts";
import type { DeadLetter } from "../dead-letters/dead-letters.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import { isSameStretch, listEpochs, type PipelineId, type Stretch } from "../order/epochs.ts";
import type { PipelineEvent } from "../events.ts";
import { openClosedMinutes } from "../expectations/closed-minutes.ts";
import type { Halt, Tally } from "../expectations/expectations.ts";
import { recordHalt } from "../expectations/halts.ts";
import { passedBy } from "../expectations/volume.ts";
import { openOffsetCommits } from "./offset-commits.ts";
import { patiently } from "./patiently.ts";
import type { Assignment, Sink, Source, TopicReader } from "../ports.ts";
import { openProgressCommits } from "../order/progress-commits.ts";
import { readBatches, type Committable } from "./read-stage.ts";
import type { ReleaseSpec } from "../release-spec.ts";
import { rewriting, type Looking } from "../rewrites/rewriting.ts";
import { openRuntimes, type RuntimeParts } from "./runtimes.ts";
import { decodeSettled } from "./spec-decoder.ts";
import { openStretches, type Growth, type Piece } from "../order/stretches.ts";
import { transformBatches, type Judged } from "./transform-stage.ts";
import { recordsAtOnce, type Tuning } from "../tuning.ts";
import { STOPPED } from "../unless-stopped.ts";
import { within } from "../within.ts";
import { writeBatches, type Writable } from "./write-stage.ts";

/** What a pipeline runs with; time and chance come in here. */
export type PipelineParts = RuntimeParts & {
  id: PipelineId;
  /** This worker among those that run the pipeline. */
  owner: string;
  release: ReleaseSpec;
  topics: TopicChoice;
  state: DatabaseSync;
  source: Source;
  sinks: readonly Sink[];
  reader: TopicReader;
  /** Where dead letters go besides the state database; durable when it resolves. */
  buryIn?: (letters: readonly DeadLetter[]) => Promise<Problem | undefined>;
  now: () => Date;
  random: () => number;
  tuning: Tuning;
  growth: Growth;
  observe: (event: PipelineEvent) => void;
};

/** A running pipeline. `done` resolves when it has stopped by itself (with the problem) or was stopped (undefined). */
export type RunningPipeline = {
  /** Stops reading, finishes and commits what is in flight; while sinks are still being prepared, gives it up. */
  drain(): Promise<void>;
  /** Abandons what is in flight: it is read again next time. */
  abandon(): Promise<void>;
  /** What is read from now on is handled by another release; what is in flight is finished by its own. The epochs are open when it returns. */
  swap(release: ReleaseSpec): void;
  done: Promise<Problem | undefined>;
  guestRestarts(): number;
};

/** A group waits about this long for a worker to let go of its partitions; what is still in flight then is another's to do. */
const REVOKE_MS = 20_000;
/** How often it is asked whether something shall be written again. */
const REWRITES_MS = 500;
const UNPREPARED: Problem = {
  code: "sink-unprepared",
  message: "The sinks are prepared for another release just now.",
};

/**
 * Runs one release over a topic: poll and decode │ transform │ write to every sink, then commit. The three overlap, joined by queues of one,
 * and each takes batches in order, so that what is committed is contiguous. A sink that is done with a batch goes on with the next while
 * another is still at it.
 */
export function runPipeline(parts: PipelineParts): RunningPipeline {
  const { id, state, source, sinks, tuning, observe } = parts;
  const stopReading = new AbortController();
  const abort = new AbortController();
  const waiting = { signal: abort.signal, observe };
  const decoded: Channel<Judged> = openChannel(1);
  const transformed: Channel<Writable> = openChannel(1);
  const progress = openProgressCommits(state, id);
  const commits = openOffsetCommits(source);
  let current = parts.release;
  const limits: Tuning = {
    ...tuning,
    get maxRecords() {
      return recordsAtOnce(tuning, Math.max(current.maxParts, parts.widestParts()));
    },
  };
  const runtimes = openRuntimes(parts, (hash) => (hash === current.release ? current : undefined));
  let problem: Problem | undefined;
  let inFlight = 0;
  /** The release whose contract every sink was last prepared for. */
  let preparedFor: string | undefined;
  let onFinished: () => void = nothing;
  const stretches = openStretches({
    id,
    state,
    owner: parts.owner,
    release: current.release,
    now: parts.now,
    reader: parts.reader,
    growth: parts.growth,
    reading: stopReading.signal,
  });

  const isRead = isAmongTopics(parts.topics);
  const closedMinutes = openClosedMinutes({
    id,
    state,
    isRead,
    reader: parts.reader,
    held: () => stretches.list().map(({ stretch }) => stretch),
    now: parts.now,
  });

  function giveUp(): void {
    stopReading.abort();
    abort.abort();
    decoded.close();
    transformed.close();
    onFinished();
  }

  function halt(why: Problem): void {
    if (!abort.signal.aborted) problem = why;
    giveUp();
  }

  async function assign(assignments: readonly Assignment[]): Promise<Problem | undefined> {
    // Where the broker cannot say just now, reading on will tell.
    const ranges = await source.ranges().catch(() => []);
    for (const assignment of assignments) {
      const { topic, partition } = assignment;
      const range = ranges.find((r) => r.topic === topic && r.partition === partition);
      const taken = await stretches.assign(assignment, range);
      if ("code" in taken) return taken;
      observe({ kind: "assigned", epoch: taken.epoch, offset: taken.from });
      source.seek(topic, partition, taken.from);
    }
    return undefined;
  }

  const rewrites = rewriting({
    id,
    state,
    reader: parts.reader,
    limits,
    signal: abort.signal,
    release: () => current.release,
    isRead,
    held: () => stretches.list().map(({ stretch }) => stretch),
    newestOf: (stretch) => listEpochs(state, id).findLast((epoch) => isSameStretch(epoch, stretch)),
    renew(rewrite) {
      const begun = stretches.renew(rewrite);
      if (begun !== undefined) observe({ kind: "epoch", epoch: begun.epoch });
      return begun;
    },
    async decode(epoch, records) {
      const runtime = runtimes.of(epoch.release);
      if ("code" in runtime) return runtime;
      const { topic, partition } = epoch;
      return decodeSettled(runtime.decoder, { records, topic, partition }, waiting);
    },
    judge(epoch, records, read) {
      const runtime = runtimes.of(epoch.release);
      if ("code" in runtime) return runtime;
      const nowMs = parts.now().getTime();
      const batch = { decoded: read, records, stretch: epoch, nowMs };
      const judged = runtime.expectations.judgeAgain(batch);
      return judged.halt === undefined ? judged.decoded : halted(epoch, judged.halt);
    },
    async turnReaders(release) {
      for (const sink of sinks) {
        const turn = async (): Promise<Problem | undefined> =>
          preparedFor === release ? sink.turnReaders?.(stopReading.signal) : UNPREPARED;
        const refused = await patiently(sink.name, turn, { observe, signal: stopReading.signal });
        if (refused === UNPREPARED || refused === STOPPED) return false;
        if (refused !== undefined) return refused;
      }
      return true;
    },
    decodeTombstones(epoch, records) {
      const runtime = runtimes.of(epoch.release);
      if ("code" in runtime) return runtime;
      const decoder = openJsonDecoder(runtime.release);
      return decoder.ok ? decoder.value.decode(records, epoch.partition) : decoder.problem;
    },
    rewritten: (done) => observe({ kind: "rewritten", ...done }),
  });
  let lookAgainAt = 0;

  async function rewritten(): Promise<Judged | Problem | Looking | undefined> {
    closedMinutes.look();
    if (performance.now() < lookAgainAt) return undefined;
    const { value: piece } = await rewrites.next();
    if (piece === undefined) {
      lookAgainAt = performance.now() + REWRITES_MS;
      return undefined;
    }
    if (piece === "looking" || "code" in piece) return piece;
    const runtime = runtimes.of(piece.epoch.release);
    if ("code" in runtime) return runtime;
    const { records, decoded: read, finish } = piece;
    const { release } = piece.epoch;
    return {
      portions: [piece],
      release,
      contract: runtime.contract,
      records,
      decoded: read,
      finish,
    };
  }

  /** What is in flight is finished before the next poll, which gives the partitions up. */
  async function revoke(
    partitions: readonly { topic: string; partition: number }[],
  ): Promise<void> {
    const endMs = performance.now() + REVOKE_MS;
    const isBusy = (): boolean =>
      inFlight > 0 && !abort.signal.aborted && performance.now() < endMs;
    while (isBusy()) {
      const finished = new Promise<void>((resolve) => (onFinished = resolve));
      await within(REVOKE_MS / 10, finished);
    }
    await commits.flush();
    stretches.release(partitions);
    observe({ kind: "revoked", partitions });
  }

  const readLoop = (): Promise<void> =>
    readBatches({
      ...waiting,
      source,
      stretches,
      runtimes,
      tuning: limits,
      to: decoded,
      reading: stopReading.signal,
      now: parts.now,
      rewritten,
      assign,
      revoke,
      commit,
      halted: ({ stretch }, refused) => halted(stretch, refused),
      handed: () => inFlight++,
      halt,
    }).then(() => decoded.close());

  const transformLoop = (): Promise<void> =>
    transformBatches({
      ...waiting,
      runtimes,
      next: () => decoded.pull(),
      pass: (batch) => transformed.push(batch),
      halt,
    }).then(() => transformed.close());

  const writeLoop = (): Promise<void> =>
    writeBatches({
      ...waiting,
      sinks,
      release: current,
      next: () => transformed.pull(),
      maxRecords: tuning.maxRecords,
      buryIn: parts.buryIn,
      now: parts.now,
      random: parts.random,
      halt,
      guarded,
      reading: stopReading.signal,
      giveUp,
      newestEpoch: () => listEpochs(state, id).at(-1)?.epoch ?? 0,
      prepared: (release) => (preparedFor = release),
      finished() {
        inFlight--;
        onFinished();
      },
    });

  async function commit(piece: Piece, settled: Committable): Promise<void> {
    const startedAt = performance.now();
    const { stretch, next, records } = piece;
    const now = parts.now();
    const at = now.toISOString();
    const passedMs = passedBy(records, now.getTime());
    const isOurs = await progress.add({ stretch, next, at, passedMs, ...settled }, piece.claim);
    if (isOurs) {
      const { topic, partition } = stretch;
      commits.add({ topic, partition, next, epoch: piece.epoch.epoch });
      const ms = performance.now() - startedAt;
      observe({ kind: "stage", stage: "commit", ms, records: records.length });
      const times = timesOf(piece);
      const { counts, deadLetters, tallies = [] } = settled;
      observe({ kind: "committed", piece, counts, deadLetters, tallies, ...times });
      judgeMinutes(piece, tallies);
    }
  }

  /** Only what is committed says that a minute is whole: more of it may be on its way, here and elsewhere. */
  function judgeMinutes({ stretch, epoch }: Piece, tallies: readonly Tally[]): void {
    const runtime = runtimes.of(epoch.release);
    if ("code" in runtime) return;
    closedMinutes.look();
    const judged = closedMinutes.judge(runtime.expectations.volumes, stretch, tallies);
    if (judged.tallies.length > 0) observe({ kind: "judged", tallies: judged.tallies });
    if (judged.halt !== undefined) halt(judged.halt);
  }

  function halted(stretch: Stretch, refused: Halt): Problem {
    const tallies = recordHalt(state, id, stretch, refused);
    if (tallies.length > 0) observe({ kind: "judged", tallies });
    return refused.problem;
  }

  const guarded = (loop: Promise<void>): Promise<void> =>
    loop.catch((cause: unknown) => halt(crashed(cause)));
  const done = Promise.all([
    guarded(readLoop()),
    guarded(transformLoop()),
    guarded(writeLoop()),
  ]).then(async () => {
    await commits.flush();
    await runtimes.close();
    return problem;
  });

  return {
    done,
    async drain() {
      stopReading.abort();
      await done;
    },
    async abandon() {
      giveUp();
      await done;
    },
    swap(release) {
      if (stopReading.signal.aborted) return;
      current = release;
      for (const epoch of stretches.swap(release.release)) observe({ kind: "epoch", epoch });
    },
    guestRestarts: () => runtimes.restarts(),
  };
}

function nothing(): void {}

function timesOf({ records }: Piece): { oldestMs: number; newestMs: number } {
  let oldestMs = Infinity;
  let newestMs = -Infinity;
  for (const { timestampMs } of records) {
    if (timestampMs < oldestMs) oldestMs = timestampMs;
    if (timestampMs > newestMs) newestMs = timestampMs;
  }
  return { oldestMs, newestMs };
}

function crashed(cause: unknown): Problem {
  if (cause instanceof ProblemError) return cause.problem;
  return {
    code: "pipeline-crashed",
    message: `The pipeline met an error it does not know: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "Resume it; nothing uncommitted is lost. If it comes again, report it with this message.",
  };
}
