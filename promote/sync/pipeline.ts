import { setTimeout as delay } from "node:timers/promises";
import type { DatabaseSync } from "node:sqlite";
import type { Problem, Result } from "#snapshots/problem.ts";
import { openChannel, type Channel } from "./channel.ts";
import { openDecoder, type Decoded, type Decoder } from "./decode/decode.ts";
import {
  epochOf,
  endOfEpoch,
  listEpochs,
  openEpoch,
  type Epoch,
  type PipelineId,
  type Stretch,
} from "./epochs.ts";
import type { GuestStage } from "./guest-stage.ts";
import type { Assignment, Delivery, Sink, SinkContract, Source, SourceRecord } from "./ports.ts";
import { commitProgress, readOffset, type Counts } from "./progress.ts";
import type { ReleaseSpec } from "./release-spec.ts";
import { settleBatch, type Transformed } from "./settle-batch.ts";

export type Tuning = {
  maxRecords: number;
  maxBytes: number;
  /** Below a quarter of `maxRecords`, how long to let records gather before the next poll. */
  lingerMs: number;
};

export const TUNING: Tuning = { maxRecords: 16_384, maxBytes: 8 << 20, lingerMs: 200 };

/** What a pipeline runs with; time and chance come in here. */
export type PipelineParts = {
  id: PipelineId;
  release: ReleaseSpec;
  state: DatabaseSync;
  source: Source;
  sinks: readonly Sink[];
  readRelease(hash: string): Result<ReleaseSpec>;
  openGuest(release: ReleaseSpec): GuestStage;
  now(): Date;
  random: () => number;
  tuning: Tuning;
  /** After each commit. */
  onCommit(counts: Counts, stretch: Stretch, next: number): void;
  /** A transient problem that is being waited out; undefined when it is over. */
  onBackoff: (problem: Problem | undefined) => void;
  /** A partition is being read from `offset`, in `epoch`. */
  onAssigned(epoch: Epoch, offset: number): void;
};

/** A running pipeline. `done` resolves when it has stopped by itself (with the problem) or was stopped (undefined). */
export type RunningPipeline = {
  /** Stops reading, finishes and commits what is in flight. */
  drain(): Promise<void>;
  /** Abandons what is in flight: it is read again next time. */
  abandon(): Promise<void>;
  done: Promise<Problem | undefined>;
  guestRestarts(): number;
};

type Read = {
  stretch: Stretch;
  epoch: Epoch;
  contract: SinkContract;
  records: readonly SourceRecord[];
  decoded: Decoded;
  next: number;
};

/**
 * Runs one release over a topic: poll and decode │ transform │ write to every sink, then commit. The three overlap, joined by queues of one,
 * and each takes batches in order, so that what is committed is contiguous.
 */
export function runPipeline(parts: PipelineParts): RunningPipeline {
  const { id, state, source, sinks, tuning } = parts;
  const stopReading = new AbortController();
  const abort = new AbortController();
  const decoded: Channel<Read> = openChannel(1);
  const transformed: Channel<Transformed> = openChannel(1);
  const epochs = listEpochs(state, id);
  const stretches = new Map<string, Stretch>();
  const runtimes = new Map<string, Runtime>();
  let preparedFor: string | undefined;
  let problem: Problem | undefined;
  let inFlight = 0;
  let onFinished: () => void = nothing;

  type Runtime = {
    release: ReleaseSpec;
    decoder: Decoder;
    contract: SinkContract;
    guest: GuestStage;
  };

  function halt(why: Problem): void {
    problem ??= why;
    stopReading.abort();
    abort.abort();
    decoded.close();
    transformed.close();
    onFinished();
  }

  /** What the epoch's own release needs to run: also for records delivered again after a swap. */
  function runtimeOf(epoch: Epoch): Runtime | Problem {
    const known = runtimes.get(epoch.release);
    if (known !== undefined) return known;
    const release =
      epoch.release === parts.release.release
        ? { ok: true as const, value: parts.release }
        : parts.readRelease(epoch.release);
    if (!release.ok) return release.problem;
    const decoder = openDecoder(release.value);
    if (!decoder.ok) return decoder.problem;
    const contract = {
      key: decoder.value.key,
      columns: release.value.output,
      maxParts: release.value.maxParts,
    };
    const runtime = {
      release: release.value,
      decoder: decoder.value,
      contract,
      guest: parts.openGuest(release.value),
    };
    runtimes.set(epoch.release, runtime);
    return runtime;
  }

  async function assign(assignment: Assignment): Promise<Problem | undefined> {
    const { topic, incarnation, partition } = assignment;
    const stretch = { topic, incarnation, partition };
    stretches.set(`${topic}/${partition}`, stretch);
    const committed = readOffset(state, id, stretch);
    const from = committed ?? assignment.committed ?? assignment.first;
    const range = (await source.ranges()).find(
      (r) => r.topic === topic && r.partition === partition,
    );
    if (range !== undefined && (from < range.first || from > range.end))
      return outOfRange(stretch, from, range);
    const newest = epochs.findLast(
      (epoch) => epoch.topic === topic && epoch.partition === partition,
    );
    if (
      newest === undefined ||
      newest.incarnation !== incarnation ||
      newest.release !== parts.release.release
    ) {
      const reason =
        newest === undefined
          ? "start"
          : newest.incarnation === incarnation
            ? "release"
            : "topic made again";
      const openedAt = parts.now().toISOString();
      epochs.push(
        openEpoch(state, id, {
          ...stretch,
          firstOffset: from,
          release: parts.release.release,
          reason,
          openedAt,
        }),
      );
    }
    const current = epochs.findLast(
      (epoch) => epoch.topic === topic && epoch.partition === partition,
    );
    if (current !== undefined) parts.onAssigned(current, from);
    source.seek(topic, partition, from);
    return undefined;
  }

  async function readLoop(): Promise<void> {
    while (!stopReading.signal.aborted) {
      const event = await source.poll({
        maxRecords: tuning.maxRecords,
        maxBytes: tuning.maxBytes,
        waitMs: 250,
        signal: stopReading.signal,
      });
      switch (event.kind) {
        case "assigned":
          for (const partition of event.partitions) {
            const refused = await assign(partition);
            if (refused !== undefined) return halt(refused);
          }
          break;
        case "records": {
          const refused = await accept(event.delivery);
          if (refused !== undefined) return halt(refused);
          if (event.delivery.records.length < tuning.maxRecords / 4) await pause(tuning.lingerMs);
          break;
        }
        case "retryAfter":
          parts.onBackoff(event.problem);
          await pause(event.afterMs);
          parts.onBackoff(undefined);
          break;
        case "halt":
          return halt(event.problem);
        case "revoked":
          await revoke(event.partitions);
          break;
        case "idle":
          break;
      }
    }
    decoded.close();
  }

  function pause(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: stopReading.signal }).catch(() => undefined);
  }

  /** Cuts a delivery where epochs meet and decodes each piece by its own release's contract. */
  async function accept(delivery: Delivery): Promise<Problem | undefined> {
    const stretch = stretches.get(`${delivery.topic}/${delivery.partition}`);
    if (stretch === undefined) return unassigned(delivery);
    for (let from = 0; from < delivery.records.length;) {
      const epoch = epochOf(epochs, stretch, delivery.records[from]?.offset ?? 0);
      if (epoch === undefined) return unassigned(delivery);
      const end = endOfEpoch(epochs, stretch, epoch);
      let to = delivery.records.length;
      if ((delivery.records[to - 1]?.offset ?? 0) >= end)
        to = delivery.records.findIndex((record) => record.offset >= end);
      const records =
        from === 0 && to === delivery.records.length
          ? delivery.records
          : delivery.records.slice(from, to);
      const runtime = runtimeOf(epoch);
      if ("code" in runtime) return runtime;
      const next =
        to === delivery.records.length
          ? delivery.next
          : (delivery.records[to]?.offset ?? delivery.next);
      await hand({
        stretch,
        epoch,
        contract: runtime.contract,
        records,
        decoded: runtime.decoder.decode(records, stretch.partition),
        next,
      });
      from = to;
    }
    return undefined;
  }

  /** Bounded: while the stages behind are busy, the source is paused rather than asked for more. */
  async function hand(item: Read): Promise<void> {
    inFlight++;
    if (!decoded.isFull()) return decoded.push(item);
    source.pause([item.stretch]);
    await decoded.push(item);
    source.resume([item.stretch]);
  }

  /** What is in flight is finished before the next poll, which gives the partitions up. */
  async function revoke(
    partitions: readonly { topic: string; partition: number }[],
  ): Promise<void> {
    const isBusy = (): boolean => inFlight > 0 && !abort.signal.aborted;
    while (isBusy()) await new Promise<void>((resolve) => (onFinished = resolve));
    for (const { topic, partition } of partitions) stretches.delete(`${topic}/${partition}`);
  }

  async function transformLoop(): Promise<void> {
    for (let item = await decoded.pull(); item !== undefined; item = await decoded.pull()) {
      const runtime = runtimeOf(item.epoch);
      if ("code" in runtime) return halt(runtime);
      const chunks = await runtime.guest.run(item.decoded, abort.signal);
      if (!chunks.ok) return halt(chunks.problem);
      await transformed.push({
        ...item,
        chunks: chunks.value,
        hasSourceMap: runtime.release.sourceMap !== undefined,
      });
    }
    transformed.close();
  }

  async function writeLoop(): Promise<void> {
    const { random, onBackoff } = parts;
    const retry = { signal: abort.signal, random, onBackoff };
    for (let item = await transformed.pull(); item !== undefined; item = await transformed.pull()) {
      if (abort.signal.aborted) return;
      if (preparedFor !== item.epoch.release) {
        for (const sink of sinks) {
          const refused = await sink.prepare(item.contract);
          if (refused !== undefined) return halt(refused);
        }
        preparedFor = item.epoch.release;
      }
      const settled = await settleBatch(sinks, item, { ...retry, at: parts.now().toISOString() });
      if ("code" in settled) return halt(settled);
      commitProgress(state, id, { stretch: item.stretch, next: item.next, ...settled });
      parts.onCommit(settled.counts, item.stretch, item.next);
      const { topic, partition } = item.stretch;
      await source.commit([{ topic, partition, next: item.next }]);
      inFlight--;
      onFinished();
    }
  }

  const guarded = (loop: Promise<void>): Promise<void> =>
    loop.catch((cause: unknown) => halt(crashed(cause)));
  const done = Promise.all([
    guarded(readLoop()),
    guarded(transformLoop()),
    guarded(writeLoop()),
  ]).then(async () => {
    for (const runtime of runtimes.values()) await runtime.guest.close();
    return problem;
  });

  return {
    done,
    async drain() {
      stopReading.abort();
      await done;
    },
    async abandon() {
      stopReading.abort();
      abort.abort();
      decoded.close();
      transformed.close();
      onFinished();
      await done;
    },
    guestRestarts: () =>
      [...runtimes.values()].reduce((sum, runtime) => sum + runtime.guest.restarts(), 0),
  };
}

function nothing(): void {}

function outOfRange(
  stretch: Stretch,
  from: number,
  range: { first: number; end: number },
): Problem {
  const isShort = from > range.end;
  return {
    code: isShort ? "log-shorter-than-committed" : "records-expired",
    message: isShort
      ? `Topic ${stretch.topic} ends at offset ${range.end}, but records up to ${from} are committed.`
      : `Records ${from}..${range.first - 1} of topic ${stretch.topic} are gone from it and were never handled.`,
    hint: isShort
      ? "Its log lost records (a disk failure or a copy put back). Restore it, or make the topic again."
      : "Backfill them from their source, then start the pipeline under another name, or make the topic again.",
    at: { offset: from },
  };
}

function unassigned(delivery: Delivery): Problem {
  return {
    code: "source-broken",
    message: `The source gave records of ${delivery.topic}/${delivery.partition}, which it never assigned.`,
  };
}

function crashed(cause: unknown): Problem {
  return {
    code: "pipeline-crashed",
    message: `The pipeline met an error it does not know: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "Resume it; nothing uncommitted is lost. If it comes again, report it with this message.",
  };
}
