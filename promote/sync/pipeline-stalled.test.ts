import { expect, test } from "vitest";
import { PLAIN_STREAM } from "#snapshots/stream-settings.ts";
import { fail } from "#snapshots/problem.ts";
import { listEpochs } from "./epochs.ts";
import { UNRUN_RELEASE, until } from "./fixture.ts";
import { runPipeline } from "./pipeline.ts";
import type { Source, SourceRecord, TopicReader } from "./ports.ts";
import { expectNothing } from "./runtimes.ts";
import { openSpecDecoder } from "./spec-decoder.ts";
import { openSyncState } from "./state.ts";
import { GROWTH } from "./stretches.ts";
import type { Tuning } from "./tuning.ts";

const id = { environment: "staging", name: "delays" };
const release = { ...UNRUN_RELEASE, release: "before" };
const reader: TopicReader = {
  incarnation: async () => "i",
  ranges: async () => [],
  offsetAt: async () => 0,
  async *read() {},
  close: async () => undefined,
};

/** As many records as are asked for, whenever they are. */
function endlessSource(asked: (records: number) => void, onPause: () => void): Source {
  let offset = 0;
  let isAssigned = false;
  return {
    async poll({ maxRecords }) {
      asked(maxRecords);
      if (!isAssigned) {
        isAssigned = true;
        const partition = { topic: "flights", partition: 0, incarnation: "i", first: 0 };
        return { kind: "assigned", partitions: [{ ...partition, committed: null }] };
      }
      const records = Array.from({ length: maxRecords }, (): SourceRecord => ({
        offset: offset++,
        timestampMs: 0,
        key: null,
        value: Buffer.from("{}"),
        headers: [],
      }));
      return {
        kind: "records",
        delivery: { topic: "flights", partition: 0, records, next: offset },
      };
    },
    seek: () => undefined,
    commit: async () => undefined,
    pause: onPause,
    resume: () => undefined,
    ranges: async () => [],
    close: async () => undefined,
  };
}

/** A pipeline whose guest never answers, of so many parts a record. */
async function openStalled(maxParts: number, tuning: Tuning) {
  const state = openSyncState(":memory:");
  for (const hash of ["before", "after"])
    state.prepare("insert into sync_releases values (?, '{}', 'b')").run(hash);
  const asked: number[] = [];
  let read = 0;
  let isPaused = false;
  const pipeline = runPipeline({
    id,
    owner: "w",
    release: { ...release, maxParts },
    topics: "flights",
    state,
    source: endlessSource(
      (records) => asked.push(records),
      () => (isPaused = true),
    ),
    sinks: [],
    reader,
    now: () => new Date(0),
    random: () => 0.5,
    tuning,
    growth: GROWTH,
    observe(event) {
      if (event.kind === "read") read += event.records;
    },
    readRelease: () => fail({ code: "unknown-release", message: "there are two releases here" }),
    openDecoder: (spec) => openSpecDecoder({ ...spec, stream: PLAIN_STREAM }, undefined),
    openGuest: () => ({
      run: (_, signal) =>
        new Promise((resolve) => {
          const stopped = fail({ code: "stopped", message: "The pipeline was stopped." });
          signal.addEventListener("abort", () => resolve(stopped), { once: true });
        }),
      restarts: () => 0,
      close: async () => undefined,
    }),
    openExpectations: expectNothing,
  });
  // A reader that no longer gets rid of what it read pauses the source.
  await until("it stands still", () => isPaused);
  return { pipeline, state, asked, read: () => read };
}

test("while nothing goes on and records wait, a release is swapped at once, and the pipeline can be given up", async () => {
  const tuning = { maxRecords: 64, maxBytes: 1 << 20, lingerMs: 0 };
  const { pipeline, state, read } = await openStalled(1, tuning);
  pipeline.swap({ ...release, release: "after" });
  expect(listEpochs(state, id).map((epoch) => [epoch.release, epoch.firstOffset])).toEqual([
    ["before", 0],
    ["after", read()],
  ]);
  await pipeline.abandon();
  await pipeline.done;
});

test("where a record may become many rows, fewer are read at once", async () => {
  const tuning = { maxRecords: 16_384, maxBytes: 1 << 20, lingerMs: 0 };
  const { pipeline, asked } = await openStalled(1024, tuning);
  expect(Math.max(...asked)).toBe(256);
  await pipeline.abandon();
});
