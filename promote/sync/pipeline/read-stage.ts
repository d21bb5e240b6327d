import { setTimeout as delay } from "node:timers/promises";
import type { Problem } from "#snapshots/problem.ts";
import type { Channel } from "./channel.ts";
import type { PipelineEvent } from "../events.ts";
import type { Halt } from "../expectations/expectations.ts";
import { openGathered } from "./gathered.ts";
import type { Assignment, Delivery, Source } from "../ports.ts";
import type { Finished } from "../order/progress.ts";
import type { Looking } from "../rewrites/rewriting.ts";
import type { Runtimes } from "./runtimes.ts";
import { decodeSettled } from "./spec-decoder.ts";
import type { Piece, Stretches } from "../order/stretches.ts";
import type { Judged } from "./transform-stage.ts";
import type { Tuning } from "../tuning.ts";
import { unlessStopped } from "../unless-stopped.ts";
import { within } from "../within.ts";

/** What became of a piece of a delivery. */
export type Committable = Omit<Finished, "stretch" | "next" | "at">;

export type ReadParts = {
  source: Source;
  stretches: Stretches;
  runtimes: Runtimes;
  tuning: Tuning;
  /** To the transform, which takes them one after another. */
  to: Channel<Judged>;
  /** Aborted: no more is read, and what was read is handed on. */
  reading: AbortSignal;
  /** Aborted: what is waited for is given up. */
  signal: AbortSignal;
  observe: (event: PipelineEvent) => void;
  now: () => Date;
  /** One batch that is to be written again, if any. */
  rewritten(): Promise<Judged | Problem | Looking | undefined>;
  assign(assignments: readonly Assignment[]): Promise<Problem | undefined>;
  revoke(partitions: readonly { topic: string; partition: number }[]): Promise<void>;
  commit(piece: Piece, settled: Committable): Promise<void>;
  /** Counts the record that must not be passed, and says why. */
  halted(piece: Piece, halt: Halt): Problem;
  /** A batch is on its way; the write stage tells when it is out of the pipeline. */
  handed(): void;
  halt(problem: Problem): void;
};

/** The longest wait for a source's news. */
const POLL_MS = 250;
/** A source that is in trouble says so about once a second, whatever else it brings. */
const QUIET_MS = 3000;
const UNANSWERED: Problem = {
  code: "source-unanswered",
  message: "The source has not answered yet where reading begins.",
  hint: "Reading starts by itself once it does: see whether its server is up, and each partition has a leader.",
};

/**
 * Polls, cuts what comes by release, decodes it, holds it to its source's expectations, and hands it on in batches; between two batches, what is to be
 * written again. Resolves when reading ends or a problem halts it.
 */
export async function readBatches(parts: ReadParts): Promise<void> {
  const { source, reading, runtimes, tuning, observe } = parts;
  const gathered = openGathered(tuning);
  let isRewriting = false;
  let troubledAt = -Infinity;

  while (!reading.aborted) {
    for (const epoch of parts.stretches.settle()) observe({ kind: "epoch", epoch });
    const isGathering = !gathered.isEmpty();
    if (!isGathering) {
      const again = await parts.rewritten();
      isRewriting = again !== undefined;
      if (typeof again === "object") {
        if ("code" in again) return parts.halt(again);
        await hand(again);
      }
    }
    const event = await source.poll({
      ...gathered.room(),
      waitMs: isGathering || isRewriting ? 0 : POLL_MS,
      signal: reading,
    });
    // While batches are written again, live ones go as they come: what waited for its turn behind each would hold all of them up.
    const before = isRewriting ? undefined : gathered.growsBehind();
    if (event.kind === "idle" && before !== undefined) await within(POLL_MS, before);
    else if (event.kind !== "records") await handGathered();
    switch (event.kind) {
      case "assigned": {
        const refused = await orEnd(parts.assign(event.partitions));
        if (refused !== undefined) return parts.halt(refused);
        break;
      }
      case "records": {
        const refused = await accept(event.delivery);
        if (refused !== undefined) return parts.halt(refused);
        if (gathered.isEnough()) await handGathered();
        break;
      }
      case "retryAfter":
        backOff(event.problem);
        await pause(event.afterMs);
        break;
      case "halt":
        return parts.halt(event.problem);
      case "revoked":
        await parts.revoke(event.partitions);
        break;
      case "idle":
        break;
    }
    if (performance.now() - troubledAt > QUIET_MS)
      observe({ kind: "backoff", where: "source", problem: undefined });
  }
  await handGathered();

  /** Hands on what has come of all partitions: a batch has its cost, whatever its size. */
  async function handGathered(): Promise<void> {
    const { batches, isSmall } = gathered.take();
    for (const batch of batches) await hand(batch);
    if (isSmall) await pause(tuning.lingerMs);
  }

  function backOff(problem: Problem): void {
    troubledAt = performance.now();
    observe({ kind: "backoff", where: "source", problem });
  }

  /** A broker that goes away while it is asked where to begin holds up no stop, and is told of. */
  async function orEnd<T>(work: Promise<T>): Promise<T | undefined> {
    const timer = setTimeout(() => backOff(UNANSWERED), QUIET_MS);
    try {
      return await unlessStopped<T | undefined>(work, reading, undefined);
    } finally {
      clearTimeout(timer);
    }
  }

  function pause(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: reading }).catch(() => undefined);
  }

  /** Decodes each piece of a delivery by its own release's contract. */
  async function accept(delivery: Delivery): Promise<Problem | undefined> {
    const pieces = parts.stretches.cut(delivery);
    if ("code" in pieces) return pieces;
    const { topic, partition, records } = delivery;
    observe({ kind: "read", topic, partition, records: records.length });
    for (const piece of pieces) {
      const runtime = runtimes.of(piece.epoch.release);
      if ("code" in runtime) return runtime;
      const batch = { records: piece.records, topic, partition };
      const read = await decodeSettled(runtime.decoder, batch, parts);
      if ("code" in read) return read.code === "stopped" ? undefined : read;
      const nowMs = parts.now().getTime();
      const { records: own, stretch } = piece;
      const judged = runtime.expectations.judge({ decoded: read, records: own, stretch, nowMs });
      if (judged.halt !== undefined) return parts.halted(piece, judged.halt);
      const { decoded, tallies } = judged;
      gathered.add({
        ...piece,
        contract: runtime.contract,
        decoded,
        finish: (settled) =>
          parts.commit(piece, { ...settled, tallies, conflicts: read.conflicts }),
      });
    }
    return undefined;
  }

  /** Bounded: while the stages behind are busy, the source is paused rather than asked for more. */
  async function hand(item: Judged): Promise<void> {
    parts.handed();
    if (!parts.to.isFull()) return parts.to.push(item);
    const stretches = item.portions.map(({ stretch }) => stretch);
    source.pause(stretches);
    await parts.to.push(item);
    source.resume(stretches);
  }
}
