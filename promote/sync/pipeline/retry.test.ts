import { describe, expect, test } from "vitest";
import { ok, type Problem } from "#snapshots/problem.ts";
import { STALE, WRITTEN, type Outcome, type Sink, type SinkBatch } from "../ports.ts";
import { writeSettled } from "./retry.ts";

const busy: Problem = { code: "busy", message: "The sink is busy." };
const LATER: Outcome = { kind: "retryAfter", afterMs: 0, problem: busy };
const REJECT: Outcome = { kind: "reject", reason: "too long" };

function batchOf(count: number): SinkBatch {
  const numbers = Array.from({ length: count }, (_, i) => i);
  return {
    contract: { key: [], columns: [], maxParts: 1 },
    places: [{ topic: "t", partition: 0 }],
    place: new Uint16Array(count),
    count,
    kind: new Uint8Array(count),
    version: BigInt64Array.from(numbers, BigInt),
    offset: Float64Array.from(numbers),
    part: new Int32Array(count),
    keyRow: Int32Array.from(numbers),
    keys: new Uint8Array(),
    row: new Int32Array(count),
    rows: new Uint8Array(),
  };
}

/** A sink that answers from a script and tells which operations each call held. */
function scripted(answers: readonly Outcome[][]): { sink: Sink; calls: number[][] } {
  const calls: number[][] = [];
  const sink: Sink = {
    name: "scripted",
    plan: async () => ok([]),
    prepare: async () => undefined,
    write: async (batch) => {
      calls.push([...batch.version].map(Number));
      return answers[calls.length - 1] ?? [];
    },
    count: async () => 0,
    scan: async function* () {},
    close: async () => {},
  };
  return { sink, calls };
}

const options = {
  signal: new AbortController().signal,
  random: () => 0,
  observe: () => undefined,
};

describe("writing until all is settled", () => {
  test("sends again only what asked for it, and keeps the order of outcomes", async () => {
    const { sink, calls } = scripted([[WRITTEN, LATER, REJECT, LATER], [LATER, STALE], [WRITTEN]]);
    expect(await writeSettled(sink, batchOf(4), options)).toEqual([
      WRITTEN,
      WRITTEN,
      REJECT,
      STALE,
    ]);
    expect(calls).toEqual([[0, 1, 2, 3], [1, 3], [1]]);
  });

  test("tells that it backs off, and that it is over", async () => {
    const told: (Problem | undefined)[] = [];
    const { sink } = scripted([[LATER], [WRITTEN]]);
    await writeSettled(sink, batchOf(1), {
      ...options,
      observe: (event) => {
        if (event.kind === "backoff") told.push(event.problem);
      },
    });
    expect(told).toEqual([busy, undefined]);
  });

  test("ends with the sink's problem when it halts", async () => {
    const denied: Problem = { code: "denied", message: "401" };
    const { sink } = scripted([[WRITTEN, { kind: "halt", problem: denied }]]);
    expect(await writeSettled(sink, batchOf(2), options)).toEqual(denied);
  });

  test("a sink that answers for fewer operations than it was given is a problem, not a loss", async () => {
    const { sink } = scripted([[WRITTEN]]);
    expect(await writeSettled(sink, batchOf(2), options)).toMatchObject({ code: "sink-broken" });
  });

  test("says nothing of a write that the pipeline's stop broke off", async () => {
    const abort = new AbortController();
    const { sink } = scripted([]);
    const write: Sink["write"] = async () => {
      abort.abort();
      return [LATER];
    };
    const told: (Problem | undefined)[] = [];
    const settled = await writeSettled({ ...sink, write }, batchOf(1), {
      ...options,
      signal: abort.signal,
      observe: (event) => {
        if (event.kind === "backoff") told.push(event.problem);
      },
    });
    expect(settled).toMatchObject({ code: "stopped" });
    expect(told).toEqual([]);
  });

  test("stops waiting when the pipeline stops", async () => {
    const abort = new AbortController();
    const { sink } = scripted([[{ kind: "retryAfter", afterMs: 60_000, problem: busy }]]);
    const done = writeSettled(sink, batchOf(1), {
      ...options,
      signal: abort.signal,
      observe: (event) => {
        if (event.kind === "backoff") abort.abort();
      },
    });
    expect(await done).toMatchObject({ code: "stopped" });
  });
});
