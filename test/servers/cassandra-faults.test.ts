import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Outcome, SinkContract } from "#promote/sync/ports.ts";
import { collect, until } from "#promote/sync/fixture.ts";
import { GIVEN_UP } from "#promote/sync/unless-stopped.ts";
import { servers } from "./addresses.ts";
import { scratchKeyspace, scratchTable, type ScratchKeyspace } from "./cassandra-scratch.ts";
import { batchOf } from "./sink-batches.ts";

let scratch: ScratchKeyspace;
beforeAll(async () => {
  scratch = await scratchKeyspace();
});
afterAll(() => scratch.remove());

/** The way to Cassandra, which can be cut and mended, or frozen: connections stay, and nothing comes through. */
async function openWay() {
  const [host, port] = servers.cassandra.split(":");
  const sockets = new Set<Socket>();
  let isCut = false;
  let leftBytes = Infinity;
  let lastWords: string | undefined;
  let isFrozen = false;
  function cut(): void {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  }
  function freeze(): void {
    isFrozen = true;
    for (const socket of sockets) socket.unpipe().pause();
  }
  const server = createServer((near) => {
    const far = connect({ host, port: Number(port) });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        near.destroy();
        far.destroy();
        sockets.delete(socket);
      });
    }
    if (isCut) near.destroy();
    near.on("data", (chunk) => {
      leftBytes -= chunk.length;
      if (leftBytes < 0 && !isCut) cut();
      if (lastWords !== undefined && chunk.includes(lastWords)) freeze();
    });
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`, // a TCP server's
    /** As soon as so much more has come for Cassandra. */
    cutAfter(bytes: number) {
      leftBytes = bytes;
    },
    /** As soon as a request with this text has come through. */
    freezeAfter(text: string) {
      lastWords = text;
    },
    isFrozen: () => isFrozen,
    mend() {
      isCut = false;
      leftBytes = Infinity;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const CONTRACT: SinkContract = {
  key: [{ name: "id", type: "BIGINT", nullable: false }],
  columns: [{ name: "note", type: "VARCHAR", nullable: true }],
  maxParts: 1,
};
const COUNT = 5000;
const BATCH = batchOf(
  CONTRACT,
  Array.from({ length: COUNT }, (_, i) => ({
    key: [i],
    offset: i,
    values: { note: i % 3 === 0 ? null : `n${i}` },
  })),
);

test("a connection lost in the middle asks for what it may have lost, and once mended all is there", async () => {
  const way = await openWay();
  const sink = await scratch.open({
    connection: { ...scratch.connection, contactPoints: [way.address] },
  });
  expect(await sink.prepare(CONTRACT)).toBeUndefined();
  // A third of what the rows take.
  way.cutAfter(COUNT * 50);
  const outcomes = await sink.write(BATCH);
  const kinds = new Set(outcomes.map((outcome: Outcome) => outcome.kind));
  expect([...kinds].toSorted()).toEqual(["retryAfter", "written"]);

  way.mend();
  // As the pipeline does (retry.ts), only without waiting longer each time.
  const unsettled = async (): Promise<number> =>
    (await sink.write(BATCH)).filter((outcome) => outcome.kind !== "written").length;
  await expect.poll(unsettled, { interval: 200 }).toBe(0);
  const rows = await collect(sink.scan());
  expect(rows).toHaveLength(COUNT);
  expect(rows.filter((row) => row.values?.["note"] === null)).toHaveLength(Math.ceil(COUNT / 3));
  await sink.close();
  way.close();
});

test("a pipeline that stops gets the rest of its batch back", async () => {
  const sink = await scratch.open({ lanes: 4 });
  expect(await sink.prepare(CONTRACT)).toBeUndefined();
  const stop = new AbortController();
  const writing = sink.write(BATCH, stop.signal);
  stop.abort();
  const outcomes = await writing;
  expect(outcomes).toHaveLength(COUNT);
  expect(outcomes.filter((outcome) => outcome.kind === "written").length).toBeLessThan(COUNT);
  expect(outcomes.at(-1)).toMatchObject({ kind: "retryAfter", afterMs: 0 });
  await sink.close();
});

test("a pipeline that stops does not wait for a Cassandra that is frozen", async () => {
  const way = await openWay();
  const sink = await scratch.open({
    connection: { ...scratch.connection, contactPoints: [way.address] },
  });
  expect(await sink.prepare(CONTRACT)).toBeUndefined();
  way.freezeAfter("");
  const stop = new AbortController();
  const writing = sink.write(BATCH, stop.signal);
  await until("it is frozen", way.isFrozen);
  stop.abort();
  expect(new Set(await writing)).toEqual(new Set([GIVEN_UP]));
  await sink.close();
  way.close();
});

test.each(["set owner", "'note'", "create table"])(
  "what is half made when a pipeline stops beside a Cassandra that froze at: … %s …, the next start completes",
  async (statement) => {
    const way = await openWay();
    const table = scratchTable();
    const slow = await scratch.open({
      connection: { ...scratch.connection, contactPoints: [way.address] },
      table,
    });
    way.freezeAfter(statement);
    const stop = new AbortController();
    const preparing = slow.prepare(CONTRACT, stop.signal);
    await until("it is frozen", way.isFrozen);
    stop.abort();
    expect(await preparing).toMatchObject({ code: "stopped" });
    await slow.close();
    way.close();
    const sink = await scratch.open({ table });
    expect(await sink.prepare(CONTRACT)).toBeUndefined();
    expect(await sink.plan(CONTRACT)).toEqual({ ok: true, value: [] });
    await sink.close();
  },
);

test("a table's rows are counted, and a big one's estimated", async () => {
  const sink = await scratch.open();
  expect(await sink.prepare(CONTRACT)).toBeUndefined();
  await sink.write(BATCH);
  expect(await sink.count()).toBe(COUNT);
  await sink.close();
  // Each look at the clock finds the budget spent after a quarter of the ring.
  let looks = 0;
  const hasty = await scratch.open({ table: "hasty", now: () => looks++ * 60 });
  expect(await hasty.prepare(CONTRACT)).toBeUndefined();
  await hasty.write(BATCH);
  const estimate = await hasty.count();
  expect(estimate).not.toBe(COUNT);
  expect(Math.abs(estimate - COUNT)).toBeLessThan(COUNT / 5);
  await hasty.close();
});
