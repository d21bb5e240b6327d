import { expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openChannel } from "./channel.ts";
import { openJsonDecoder } from "../decode/decode.ts";
import { FLIGHT, UNRUN_RELEASE, until } from "../fixture.ts";
import type { Sink } from "../ports.ts";
import { writeBatches, type Writable } from "./write-stage.ts";

const contract = { key: FLIGHT.slice(0, 1), columns: FLIGHT, maxParts: 1 };
const decoded = unwrap(openJsonDecoder(UNRUN_RELEASE)).decode([], 0);

function batchOf(release: string): Writable {
  const nothing = { portions: [], records: [], chunks: [], sourceMap: undefined };
  return { ...nothing, release, contract, decoded, finish: async () => undefined };
}

function sink(name: string, prepare: Sink["prepare"]): Sink {
  return {
    name,
    prepare,
    plan: () => expect.unreachable("nothing is planned"),
    write: () => expect.unreachable("there are no records"),
    count: async () => 0,
    async *scan() {},
    close: async () => undefined,
  };
}

test("sinks stand ready for no release while they are prepared for another, one after another", async () => {
  const asked: string[] = [];
  const late = Promise.withResolvers<undefined>();
  let ready: string | undefined;
  const to = openChannel<Writable>(1);
  const aborting = new AbortController();
  const writing = writeBatches({
    sinks: [
      sink("search", async () => void asked.push("search")),
      sink("table", () => (asked.push("table") > 2 ? late.promise : Promise.resolve(undefined))),
    ],
    release: { ...UNRUN_RELEASE, release: "before" },
    next: () => to.pull(),
    maxRecords: 64,
    buryIn: undefined,
    prepared: (release) => (ready = release),
    finished: () => undefined,
    halt: (problem) => expect.unreachable(problem.message),
    guarded: (work) => work,
    signal: aborting.signal,
    observe: () => undefined,
    now: () => new Date(0),
    random: () => 0.5,
  });
  await to.push(batchOf("before"));
  await until("they are ready", () => ready === "before");
  await to.push(batchOf("after"));
  await until("the last is asked", () => asked.length === 4);
  expect(ready).toBeUndefined();
  late.resolve(undefined);
  await until("they are ready again", () => ready === "after");
  to.close();
  await writing;
});
