import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { PLAIN_STREAM } from "#snapshots/stream-settings.ts";
import { fail, unwrap } from "#snapshots/problem.ts";
import { kafkaSchema } from "../connections.ts";
import { listEpochs, openAlike } from "../order/epochs.ts";
import { firstEpoch, UNRUN_RELEASE, until } from "../fixture.ts";
import { openFrozenServer } from "../open/frozen-server.ts";
import { openKafkaReader } from "../kafka/reader.ts";
import { runPipeline, type PipelineParts, type RunningPipeline } from "./pipeline.ts";
import type { Sink, Source, SourceRecord, TopicReader } from "../ports.ts";
import { ownsStretch } from "../order/stretch-offsets.ts";
import { askRewrite } from "../rewrites/rewrites.ts";
import { expectNothing } from "./runtimes.ts";
import { openSpecDecoder } from "./spec-decoder.ts";
import { openSyncState } from "../state.ts";
import { GROWTH } from "../order/stretches.ts";
import type { Tuning } from "../tuning.ts";
import { STOPPED, unlessStopped } from "../unless-stopped.ts";

const id = { environment: "staging", name: "delays" };
const release = { ...UNRUN_RELEASE, release: "before" };
const STRETCH = { topic: "flights", incarnation: "i", partition: 0 };
const TUNING: Tuning = { maxRecords: 64, maxBytes: 1 << 20, lingerMs: 0 };
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
        return { kind: "assigned", partitions: [{ ...STRETCH, first: 0, committed: null }] };
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
        delivery: { ...STRETCH, records, next: offset },
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

/** Gives partitions of two, then nothing. */
function idleSource(partitions = [0]): Source {
  let isAssigned = false;
  return {
    ...endlessSource(
      () => undefined,
      () => undefined,
    ),
    async poll({ waitMs, signal }) {
      const about = { ...STRETCH, first: 0, committed: null, partitions: 2 };
      if (isAssigned) await delay(waitMs, undefined, { signal }).catch(() => undefined);
      if (isAssigned) return { kind: "idle" };
      isAssigned = true;
      return {
        kind: "assigned",
        partitions: partitions.map((partition) => ({ ...about, partition })),
      };
    },
  };
}

function openState(): DatabaseSync {
  const state = openSyncState(":memory:");
  for (const hash of ["before", "after"])
    state.prepare("insert into sync_releases values (?, '{}', 'b')").run(hash);
  return state;
}

/** A pipeline whose guest never answers. */
function open(
  parts: Pick<PipelineParts, "state" | "source" | "reader"> & Partial<PipelineParts>,
): RunningPipeline {
  return runPipeline({
    id,
    owner: "w",
    release,
    topics: "flights",
    sinks: [],
    now: () => new Date(0),
    random: () => 0.5,
    tuning: TUNING,
    growth: GROWTH,
    observe: () => undefined,
    readRelease: () => fail({ code: "unknown-release", message: "there are two releases here" }),
    widestParts: () => 1,
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
    ...parts,
  });
}

/** A pipeline whose guest never answers, of so many parts a record. */
async function openStalled(maxParts: number, tuning: Tuning) {
  const state = openState();
  const asked: number[] = [];
  let read = 0;
  let isPaused = false;
  const source = endlessSource(
    (records) => asked.push(records),
    () => (isPaused = true),
  );
  const pipeline = open({
    release: { ...release, maxParts },
    state,
    source,
    reader,
    tuning,
    observe(event) {
      if (event.kind === "read") read += event.records;
    },
  });
  // A reader that no longer gets rid of what it read pauses the source.
  await until("it stands still", () => isPaused);
  return { pipeline, state, asked, read: () => read };
}

test("while nothing goes on and records wait, a release is swapped at once, and the pipeline can be given up", async () => {
  const { pipeline, state, read } = await openStalled(1, TUNING);
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

describe("beside a broker that no longer answers, a pipeline can be given up", () => {
  const askedAt = "1970-01-01T00:00:00.000Z";
  const cases: { what: string; before: (state: DatabaseSync) => void }[] = [
    {
      what: "which writes a topic again",
      before: (state) => {
        const backfill = { from: 0, selection: { all: true as const }, reason: "backfill" };
        askRewrite(state, id, { ...STRETCH, ...backfill, askedAt });
      },
    },
    {
      what: "which looks back in a topic that has grown",
      before: (state) => void openAlike(state, id, firstEpoch(STRETCH, "before"), 0, "w"),
    },
  ];
  test.each(cases)("$what", async ({ before }) => {
    const frozen = await openFrozenServer();
    const connection = kafkaSchema.parse({ brokers: [`127.0.0.1:${frozen.port}`] });
    const kafka = unwrap(openKafkaReader(connection, { root: ".", variables: {} }));
    const state = openState();
    before(state);
    const pipeline = open({ state, source: idleSource(), reader: kafka });
    await until("the broker is asked", () => frozen.connections() > 0);
    await pipeline.abandon();
    expect(await pipeline.done).toBeUndefined();
    await kafka.close();
    frozen.close();
  });
});

test("a pipeline that stops does not wait for a server that a sink is prepared on, and writes nothing", async () => {
  const asked = Promise.withResolvers<void>();
  const frozen: Sink = {
    name: "table",
    prepare(_, signal) {
      asked.resolve();
      return unlessStopped(new Promise(() => undefined), signal, STOPPED);
    },
    plan: () => expect.unreachable("nothing is planned"),
    write: () => expect.unreachable("it is not prepared"),
    count: async () => 0,
    async *scan() {},
    close: async () => undefined,
  };
  let isPaused = false;
  const source = endlessSource(
    () => undefined,
    () => (isPaused = true),
  );
  const pipeline = open({ state: openState(), source, reader, sinks: [frozen] });
  await asked.promise;
  await until("records wait for it", () => isPaused);
  await pipeline.drain();
  expect(await pipeline.done).toBeUndefined();
});

test("a pipeline that stops before it was answered where to begin takes no partition from who reads it by then", async () => {
  const state = openState();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<[]>();
  const slow: TopicReader = {
    ...reader,
    ranges() {
      asked.resolve();
      return answer.promise;
    },
  };
  const pipeline = open({ state, source: idleSource([0, 1]), reader: slow });
  await asked.promise;
  await pipeline.drain();
  const other = open({ state, owner: "other", source: idleSource([0, 1]), reader });
  await until("it is read elsewhere", () => listEpochs(state, id).length === 2);
  answer.resolve([]);
  await new Promise((resolve) => setImmediate(resolve));
  for (const partition of [0, 1])
    expect(ownsStretch(state, id, { ...STRETCH, partition }, `other/${partition + 1}`)).toBe(true);
  await other.abandon();
});
