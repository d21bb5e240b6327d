import { readdirSync, readFileSync } from "node:fs";
import { afterAll, afterEach, expect, test } from "vitest";
import { openSlice, type Slice, type SliceSpec } from "#kernel/guest/slice.ts";
import { unwrap } from "#snapshots/problem.ts";
import { openJsonDecoder, type Decoded } from "../decode/decode.ts";
import { freshPlace, specOf } from "../fixture.ts";
import { openReleaseGuest, type GuestLimits } from "./guest.ts";
import { openGuestStage, type GuestStage } from "./guest-stage.ts";
import type { PipelineSpec } from "../pipeline-spec.ts";
import type { Chunk } from "./poison.ts";

const place = freshPlace();
const stages: GuestStage[] = [];
const { signal } = new AbortController();
afterEach(async () => {
  await Promise.all(stages.splice(0).map((stage) => stage.close()));
});
afterAll(() => place.remove());

function decoded(spec: PipelineSpec, delays: readonly number[]): Decoded {
  const records = delays.map((delay, offset) => {
    const value = {
      id: offset,
      date: "2001-04-01",
      delay,
      distance: 1,
      origin: "A",
      destination: "B",
    };
    const bytes = Buffer.from(JSON.stringify(value));
    return { offset, timestampMs: 0, key: null, headers: [], value: bytes };
  });
  return unwrap(openJsonDecoder(spec)).decode(records, 0);
}

function releaseGuest(spec: PipelineSpec, limits: GuestLimits): GuestStage {
  const stage = openReleaseGuest(spec, { ...place, limits });
  stages.push(stage);
  return stage;
}

/** A stage whose guests some test does something to. `spec`: what the n-th guest runs. */
function stageOf(
  spec: (opening: number) => PipelineSpec,
  tamper: { opening?(opening: number): void; running?(run: number): void },
): GuestStage & { openings(): number } {
  let openings = 0;
  let runs = 0;
  const stage = openGuestStage({
    async open(stop) {
      const { bundle, transform, input, output } = spec(++openings);
      const slice: SliceSpec = {
        bundle,
        entry: { kind: "transform", name: transform },
        input,
        output,
      };
      const opening = openSlice(slice, stop);
      tamper.opening?.(openings);
      const opened = await opening;
      if (!opened.ok) return opened;
      const guest: Slice = {
        ...opened.value,
        run(...asked) {
          const answer = opened.value.run(...asked);
          runs++;
          tamper.running?.(runs);
          return answer;
        },
      };
      return { ok: true, value: guest };
    },
    maxParts: 1,
    batchTimeoutMs: 20_000,
    searchTimeoutMs: 20_000,
    random: Math.random,
  });
  stages.push(stage);
  return { ...stage, openings: () => openings };
}

function poisonOf(chunks: readonly Chunk[]): number[] {
  return chunks.flatMap((chunk) => ("poison" in chunk ? [chunk.from] : []));
}

/** Kills every guest of this process, as an operator or the system would. */
function killGuests(): void {
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const parent = readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ")[1];
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8");
      if (parent === `${process.pid}` && command.includes("slice.js"))
        process.kill(Number(name), "SIGKILL");
    } catch {
      // It has ended already.
    }
  }
}

const loopsAt13 = "(f) => { while (f.delay === 13) {} return { ...f, late: false }; }";

test("while poison is searched for, a guest may take longer to load than a batch may run", async () => {
  const spec = await specOf(place, { apply: loopsAt13 });
  const slowly = { ...spec, bundle: `for (let i = 0; i < 15e8; i++) {}\n${spec.bundle}` };
  const stage = releaseGuest(slowly, { batchTimeoutMs: 500, searchTimeoutMs: 400 });
  const chunks = unwrap(await stage.run(decoded(spec, [1, 13, 1]), signal));
  expect(poisonOf(chunks)).toEqual([1]);
});

test("seventeen poison records in one batch are set aside, and the rest passes", async () => {
  const spec = await specOf(place, { apply: loopsAt13 });
  const stage = releaseGuest(spec, { batchTimeoutMs: 500, searchTimeoutMs: 300 });
  const delays = Array.from({ length: 20 }, (_, i) => (i < 17 ? 13 : 1));
  const chunks = unwrap(await stage.run(decoded(spec, delays), signal));
  expect(poisonOf(chunks)).toEqual(delays.flatMap((delay, i) => (delay === 13 ? [i] : [])));
  const passed = chunks.flatMap((chunk) => ("output" in chunk ? [chunk.output.read] : []));
  expect(passed.reduce((sum, read) => sum + read, 0)).toBe(3);
});

test("a bundle that does not load is not tried again", async () => {
  const spec = await specOf(place);
  const stage = stageOf(() => ({ ...spec, bundle: "throw new Error('broken at birth')" }), {});
  expect(await stage.run(decoded(spec, [1]), signal)).toMatchObject({
    ok: false,
    problem: { code: "bundle-failed" },
  });
  expect(stage.openings()).toBe(1);
});

test("a guest that is still loading is given up when the pipeline stops", async () => {
  const spec = await specOf(place);
  const stop = new AbortController();
  const stage = stageOf(() => ({ ...spec, bundle: "for (;;) {}" }), {
    opening: () => setImmediate(() => stop.abort()),
  });
  expect(await stage.run(decoded(spec, [1]), stop.signal)).toMatchObject({
    ok: false,
    problem: { code: "stopped" },
  });
});

test.runIf(process.platform === "linux")(
  "a guest that is killed while it opens is opened again",
  async () => {
    const spec = await specOf(place);
    const stalled = { ...spec, bundle: "for (;;) {}" };
    const stage = stageOf((opening) => (opening <= 2 ? stalled : spec), {
      opening: (opening) => {
        if (opening <= 2) killGuests();
      },
    });
    const chunks = unwrap(await stage.run(decoded(spec, [1, 2]), signal));
    expect(chunks).toMatchObject([{ from: 0, to: 2, output: { read: 2 } }]);
    expect(stage.restarts()).toBeGreaterThanOrEqual(2);
  },
);

test.runIf(process.platform === "linux")(
  "a record whose guest is killed from outside five times is no poison",
  async () => {
    const spec = await specOf(place);
    const stalled = await specOf(place, { apply: "(f) => { for (;;); return f; }" });
    const stage = stageOf((opening) => (opening <= 5 ? stalled : spec), {
      running: (run) => {
        if (run <= 5) killGuests();
      },
    });
    const chunks = unwrap(await stage.run(decoded(spec, [1]), signal));
    expect(chunks).toMatchObject([{ from: 0, to: 1, output: { read: 1 } }]);
    expect(stage.restarts()).toBeGreaterThanOrEqual(5);
  },
);
