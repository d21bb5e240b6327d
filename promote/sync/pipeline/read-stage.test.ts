import { expect, test } from "vitest";
import { PLAIN_STREAM } from "#snapshots/stream-settings.ts";
import { fail } from "#snapshots/problem.ts";
import { openChannel } from "./channel.ts";
import { firstEpoch, UNRUN_RELEASE, until } from "../fixture.ts";
import type { Source, SourceEvent } from "../ports.ts";
import { NOTHING } from "../order/progress.ts";
import { readBatches } from "./read-stage.ts";
import type { Looking } from "../rewrites/rewriting.ts";
import { expectNothing, openRuntimes } from "./runtimes.ts";
import { openSpecDecoder } from "./spec-decoder.ts";
import { openSyncState } from "../state.ts";
import { GROWTH, openStretches } from "../order/stretches.ts";
import type { Judged } from "./transform-stage.ts";

const TOPIC = "flights";
const stretch = { topic: TOPIC, incarnation: "i", partition: 0 };

/** The stage reading what `deliver` gives it, its batches kept on their way until they are finished here. */
async function openReading(
  rewritten: () => Judged | Looking | undefined = () => undefined,
  assign: () => Promise<undefined> = () => Promise.resolve(undefined),
) {
  const state = openSyncState(":memory:");
  state.prepare("insert into sync_releases values ('r', '{}', 'b')").run();
  const stretches = openStretches({
    reading: new AbortController().signal,
    id: { environment: "staging", name: "delays" },
    state,
    owner: "w",
    release: "r",
    now: () => new Date(0),
    reader: { offsetAt: async () => 0, ranges: async () => [], async *read() {} },
    growth: GROWTH,
  });
  const partition = { ...stretch, first: 0, committed: null };
  await stretches.assign(partition, { topic: TOPIC, partition: 0, first: 0, end: 0 });
  const runtimes = openRuntimes(
    {
      readRelease: () => fail({ code: "unknown-release", message: "there is one release here" }),
      widestParts: () => 1,
      openDecoder: (spec) => openSpecDecoder({ ...spec, stream: PLAIN_STREAM }, undefined),
      openGuest: () => ({
        run: () => Promise.reject(new Error("nothing is transformed here")),
        restarts: () => 0,
        close: () => Promise.resolve(),
      }),
      openExpectations: expectNothing,
    },
    () => UNRUN_RELEASE,
  );

  const events: SourceEvent[] = [];
  let offset = 0;
  let idles = 0;
  const source: Source = {
    async poll() {
      const event = events.shift();
      if (event !== undefined) return event;
      idles++;
      await new Promise((resolve) => setImmediate(resolve));
      return { kind: "idle" };
    },
    seek: () => undefined,
    commit: () => Promise.resolve(undefined),
    pause: () => undefined,
    resume: () => undefined,
    ranges: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
  const to = openChannel<Judged>(1);
  const stop = new AbortController();
  const handed: Judged[] = [];
  const told: (string | undefined)[] = [];
  const reading = readBatches({
    source,
    stretches,
    runtimes,
    tuning: { maxRecords: 64, maxBytes: 1 << 20, lingerMs: 0 },
    to,
    reading: stop.signal,
    signal: stop.signal,
    observe(event) {
      if (event.kind === "backoff") told.push(event.problem?.code);
    },
    now: () => new Date(0),
    rewritten: () => Promise.resolve(rewritten()),
    assign,
    revoke: () => Promise.resolve(),
    commit: () => Promise.resolve(),
    halted: ({ stretch }) => expect.unreachable(`${stretch.topic} expects nothing`),
    handed: () => undefined,
    halt: (problem) => expect.unreachable(problem.message),
  }).then(() => to.close());
  const pulling = (async () => {
    for (let batch = await to.pull(); batch !== undefined; batch = await to.pull())
      handed.push(batch);
  })();

  return {
    handed,
    told,
    sizes: () => handed.map(({ records }) => records.length),
    deliver(...sizes: readonly number[]) {
      for (const size of sizes) {
        const records = Array.from({ length: size }, () => ({
          offset: offset++,
          timestampMs: 0,
          key: null,
          value: Buffer.from("{}"),
          headers: [],
        }));
        const delivery = { topic: TOPIC, partition: 0, records, next: offset };
        events.push({ kind: "records", delivery });
      }
    },
    trouble(code: string) {
      events.push({ kind: "retryAfter", afterMs: 1, problem: { code, message: "away" } });
    },
    assigned: () => void events.push({ kind: "assigned", partitions: [] }),
    /** All that was delivered is read, and the source was idle a few times since. */
    async read() {
      await until("it is read", () => events.length === 0);
      const seen = idles;
      await until("the source is idle", () => idles >= seen + 2);
    },
    async stop() {
      stop.abort();
      await Promise.all([reading, pulling]);
    },
  };
}

const finish = (batch: Judged | undefined): Promise<void> | undefined =>
  batch?.finish([{ counts: NOTHING, deadLetters: [] }]);

test("while a small batch is on its way, what comes is read and gathers behind it to one", async () => {
  const stage = await openReading();
  stage.deliver(1);
  await stage.read();
  expect(stage.sizes()).toEqual([1]);
  stage.deliver(2, 1, 3);
  await stage.read();
  stage.deliver(2);
  await stage.read();
  expect(stage.sizes()).toEqual([1]);
  await finish(stage.handed[0]);
  await until("the next is handed on", () => stage.handed.length === 2);
  expect(stage.sizes()).toEqual([1, 8]);
  await stage.stop();
});

test("what is a batch by itself does not wait for a small one", async () => {
  const stage = await openReading();
  stage.deliver(1);
  await stage.read();
  stage.deliver(10, 10, 5);
  await stage.read();
  expect(stage.sizes()).toEqual([1, 20]);
  await stage.stop();
});

test("while what is to be written again is looked for, live batches go as they come", async () => {
  const stage = await openReading(() => "looking");
  for (const size of [1, 2, 3]) {
    stage.deliver(size);
    await stage.read();
  }
  expect(stage.sizes()).toEqual([1, 2, 3]);
  await stage.stop();
});

test("while batches are written again, live ones go as they come", async () => {
  const epoch = firstEpoch(stretch);
  let isRewriting = true;
  const stage = await openReading(() =>
    isRewriting
      ? {
          portions: [{ stretch, epoch, records: [] }],
          release: "r",
          contract: { key: [], columns: [], maxParts: 1 },
          records: [],
          decoded: undefined as never,
          finish: () => Promise.resolve(),
        }
      : undefined,
  );
  const live = (): number[] => stage.sizes().filter((size) => size > 0);
  stage.deliver(1);
  await stage.read();
  stage.deliver(2);
  await stage.read();
  expect(live()).toEqual([1, 2]);
  isRewriting = false;
  await stage.read();
  stage.deliver(3);
  await stage.read();
  expect(live()).toEqual([1, 2]);
  await stage.stop();
});

test("when reading stops, what has gathered is handed on", async () => {
  const stage = await openReading();
  stage.deliver(1, 2);
  await stage.read();
  stage.deliver(4);
  await stage.read();
  expect(stage.sizes()).toEqual([3]);
  await stage.stop();
  expect(stage.sizes()).toEqual([3, 4]);
});

test("a broker that never answers where to begin holds up no stop", async () => {
  const asked = Promise.withResolvers<undefined>();
  const stage = await openReading(undefined, () => {
    asked.resolve(undefined);
    return new Promise(() => undefined);
  });
  stage.assigned();
  await asked.promise;
  await until("it is told", () => stage.told.includes("source-unanswered"));
  await expect(stage.stop()).resolves.toBeUndefined();
});

test("trouble that a source speaks of now and then goes on in between, also while records come, and ends some seconds after the last word", async () => {
  const stage = await openReading();
  for (let n = 0; n < 3; n++) {
    stage.trouble("away");
    stage.deliver(1);
    await stage.read();
  }
  expect([...new Set(stage.told.slice(stage.told.indexOf("away")))]).toEqual(["away"]);
  await until("it is over", () => stage.told.at(-1) === undefined);
  await stage.stop();
});
