import { setTimeout as delay } from "node:timers/promises";
import { basename } from "node:path";
import { ok, type Result } from "#snapshots/problem.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { PollRequest, Source, SourceEvent } from "../ports.ts";
import { offsetAt } from "./file-reader.ts";
import { readIncarnation } from "./log-files.ts";
import { openFileLogReader, type FileLogReader } from "./log-reader.ts";

const LOOK_AGAIN_MS = 20;

type Held = { incarnation: string; reader: FileLogReader };

/**
 * A topic in a folder as a `Source`: one partition, numbered 0. It remembers no commits; the pipeline's own state does. A topic made again while it is
 * read is given up and taken anew, by its new incarnation.
 */
export function openFileSource(
  directory: string,
  topic = basename(directory),
  start: NonNullable<PipelineSpec["start"]> = "earliest",
): Source {
  const only = { topic, partition: 0 };
  let held: Held | undefined;
  let isPaused = false;

  async function next(request: PollRequest): Promise<SourceEvent> {
    if (held === undefined) return take();
    const { reader } = held;
    const { records, problem } = isPaused
      ? { records: [] }
      : await reader.read(request.maxRecords, request.maxBytes);
    // After the read: a topic has its identity before its first record, so that none of the new one's is taken for the old one's.
    if (isMadeAgain(held)) return giveUp(held);
    if (records.length > 0)
      return { kind: "records", delivery: { ...only, records, next: reader.position() } };
    return problem === undefined ? { kind: "idle" } : { kind: "halt", problem };
  }

  async function take(): Promise<SourceEvent> {
    const incarnation = readIncarnation(directory);
    if (incarnation === undefined) return { kind: "idle" };
    const start = await startOffset();
    if (!start.ok) return { kind: "halt", problem: start.problem };
    const reader = openFileLogReader(directory, 0);
    const { first } = await reader.range();
    reader.seek(first);
    held = { incarnation, reader };
    isPaused = false;
    const assignment = { ...only, incarnation, first, start: start.value, committed: null };
    return { kind: "assigned", partitions: [assignment] };
  }

  async function startOffset(): Promise<Result<number>> {
    const reader = openFileLogReader(directory, 0);
    try {
      const { first, end } = await reader.range();
      if (start === "earliest") return ok(first);
      if (start === "latest") return ok(end);
      if ("offsets" in start) return ok(start.offsets.find(isOnly)?.offset ?? first);
      return await offsetAt(reader, start.timestampMs);
    } finally {
      await reader.close();
    }
  }

  function isOnly(place: { topic: string; partition: number }): boolean {
    return place.topic === topic && place.partition === 0;
  }

  function isMadeAgain({ incarnation }: Held): boolean {
    const now = readIncarnation(directory);
    return now !== undefined && now !== incarnation;
  }

  async function giveUp({ reader }: Held): Promise<SourceEvent> {
    held = undefined;
    await reader.close();
    return { kind: "revoked", partitions: [only] };
  }

  return {
    async poll(request) {
      let waitedMs = 0;
      for (;;) {
        const event = await next(request);
        if (event.kind !== "idle" || waitedMs >= request.waitMs || request.signal?.aborted === true)
          return event;
        const waitMs = Math.min(LOOK_AGAIN_MS, request.waitMs - waitedMs);
        await delay(
          waitMs,
          undefined,
          request.signal === undefined ? {} : { signal: request.signal },
        ).catch(ignoreAbort);
        waitedMs += waitMs;
      }
    },
    seek(_topic, _partition, offset) {
      held?.reader.seek(offset);
    },
    async commit() {
      return undefined;
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
    },
    async ranges() {
      if (held !== undefined) return [{ ...only, ...(await held.reader.range()) }];
      // A topic that is not there is known to hold nothing: no server has to be waited for to say so.
      return readIncarnation(directory) === undefined ? [{ ...only, first: 0, end: 0 }] : [];
    },
    async close() {
      await held?.reader.close();
    },
  };
}

function ignoreAbort(): void {}
