import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Column } from "#snapshots/table.ts";
import { collect } from "#promote/sync/fixture.ts";
import type { Outcome, Sink, SinkContract } from "#promote/sync/ports.ts";
import { isTransient } from "#promote/sync/transient.ts";
import { servers } from "./addresses.ts";
import { scratchKeyspace, scratchTable, type ScratchKeyspace } from "./cassandra-scratch.ts";
import { batchOf, type Operation } from "./sink-batches.ts";

let scratch: ScratchKeyspace;
beforeAll(async () => {
  scratch = await scratchKeyspace();
});
afterAll(() => scratch.remove());

const KEY: Column = { name: "id", type: "VARCHAR", nullable: false };
const CONTRACT: SinkContract = {
  key: [KEY],
  columns: [
    { name: "note", type: "VARCHAR", nullable: true },
    { name: "delay", type: "INTEGER", nullable: true },
  ],
  maxParts: 1,
};
const OK: Outcome = { kind: "written", retracted: false };

/** A row in short; without values, a clear. */
function op(id: string, offset: number, note?: string | null, delay?: number | null): Operation {
  const values = note === undefined ? null : { note, delay: delay ?? null };
  return { key: [id], offset, values };
}

async function opened(contract = CONTRACT, table = scratchTable()): Promise<[Sink, string]> {
  const sink = await scratch.open({ table });
  expect(await sink.prepare(contract)).toBeUndefined();
  return [sink, table];
}

async function rowsOf(sink: Sink): Promise<unknown[]> {
  const rows = await collect(sink.scan());
  return rows.map((row) => [row.key[0], row.values]);
}

describe("a row is replaced whole", () => {
  test("a value that is null now is gone, an older one arriving late does not fill the gap", async () => {
    const [sink] = await opened();
    await sink.write(batchOf(CONTRACT, [op("a", 1, "one", 1)]));
    await sink.write(batchOf(CONTRACT, [op("a", 3, null, 3)]));
    await sink.write(batchOf(CONTRACT, [op("a", 2, "two", 2)]));
    expect(await rowsOf(sink)).toEqual([["a", { note: null, delay: 3 }]]);
    await sink.write(batchOf(CONTRACT, [op("a", 4, null, null)]));
    expect(await rowsOf(sink)).toEqual([["a", { note: null, delay: null }]]);
    await sink.close();
  });

  test("a row of nulls alone is a row", async () => {
    const [sink] = await opened();
    await sink.write(batchOf(CONTRACT, [op("a", 1, null, null)]));
    expect(await rowsOf(sink)).toEqual([["a", { note: null, delay: null }]]);
    await sink.close();
  });

  test("an older write after a delete stays away", async () => {
    const [sink] = await opened();
    await sink.write(batchOf(CONTRACT, [op("a", 5)]));
    expect(await sink.write(batchOf(CONTRACT, [op("a", 4, "late", null)]))).toEqual([OK]);
    expect(await rowsOf(sink)).toEqual([]);
    await sink.close();
  });

  test("versions of neighbouring offsets do not touch, beyond 2^53 too", async () => {
    const [sink] = await opened();
    const high = { epoch: 2 ** 21 - 1 };
    const last = 2 ** 41 - 1;
    await sink.write(batchOf(CONTRACT, [{ ...op("a", last - 1, "kept", null), ...high }]));
    await sink.write(batchOf(CONTRACT, [{ ...op("a", last - 2), ...high }]));
    expect(await rowsOf(sink)).toEqual([["a", { note: "kept", delay: null }]]);
    await sink.write(batchOf(CONTRACT, [{ ...op("a", last), ...high }]));
    expect(await rowsOf(sink)).toEqual([]);
    await sink.close();
  });

  test("what a person writes by hand does not shadow the pipeline's row", async () => {
    const [sink, table] = await opened();
    await sink.write(batchOf(CONTRACT, [op("a", 1, "ours", 1), op("b", 2, null, 2), op("c", 3)]));
    for (const id of ["a", "b", "c"])
      await scratch.ask(
        `update $keyspace.${table} set note = 'by hand', delay = 99 where id = '${id}' and penstock_part = 0`,
      );
    await scratch.ask(`delete from $keyspace.${table} where id = 'a'`);
    const rows = await rowsOf(sink);
    expect(rows).toHaveLength(2);
    expect(rows).toContainEqual(["a", { note: "ours", delay: 1 }]);
    expect(rows).toContainEqual(["b", { note: null, delay: 2 }]);
    await sink.close();
  });

  test("a row that somebody else wrote is shown as nobody's", async () => {
    const [sink, table] = await opened();
    await scratch.ask(
      `insert into $keyspace.${table} (id, penstock_part, note) values ('x', 0, 'by hand')`,
    );
    expect(await collect(sink.scan())).toEqual([
      {
        key: ["x"],
        part: 0,
        version: 0n,
        topic: "",
        partition: -1,
        offset: -1,
        values: { note: "by hand", delay: null },
      },
    ]);
    await sink.close();
  });

  test("all parts of a record", async () => {
    const contract = { ...CONTRACT, maxParts: 3 };
    const [sink] = await opened(contract);
    const parts = (offset: number, ...notes: (string | undefined)[]): Operation[] =>
      notes.map((note, part) => ({ ...op("a", offset, note), part }));
    const write = async (operations: Operation[]): Promise<Outcome[]> => {
      const batch = batchOf(contract, operations);
      return sink.write({ ...batch, keyRow: new Int32Array(batch.count) });
    };
    expect(await write(parts(1, "a0", "a1", "a2"))).toEqual([OK, OK, OK]);
    expect(await write(parts(2, "b0", undefined, "b2"))).toEqual([OK, OK, OK]);
    const rows = await collect(sink.scan());
    expect(rows.map((row) => [row.part, row.values?.["note"]])).toEqual([
      [0, "b0"],
      [2, "b2"],
    ]);
    await sink.close();
  });
});

test("parts too much for one request together go in several", async () => {
  const contract = { ...CONTRACT, maxParts: 3 };
  const [sink] = await opened(contract);
  const parts = [0, 1, 2].map((part) => ({ ...op("a", 1, "x".repeat(7 << 20)), part }));
  const batch = batchOf(contract, parts);
  const outcomes = await sink.write({ ...batch, keyRow: new Int32Array(batch.count) });
  expect(outcomes).toEqual([OK, OK, OK]);
  await expect.poll(() => sink.count()).toBe(3);
  await sink.close();
});

test("of a record's parts only those are rejected that Cassandra does not take", async () => {
  const contract = { ...CONTRACT, maxParts: 4 };
  const [sink] = await opened(contract);
  const notes = ["short", "x".repeat(20 << 20), "short", "short"];
  const batch = batchOf(
    contract,
    notes.map((note, part) => ({ ...op("a", 1, note), part })),
  );
  const outcomes = await sink.write({ ...batch, keyRow: new Int32Array(batch.count) });
  expect(outcomes).toEqual([
    OK,
    { kind: "reject", reason: expect.stringContaining("Cassandra takes requests of") },
    OK,
    OK,
  ]);
  expect((await collect(sink.scan())).map(({ part }) => part)).toEqual([0, 2, 3]);
  await sink.close();
});

describe("rows expire by their own column", () => {
  const expiring: SinkContract = {
    key: [KEY],
    columns: [
      { name: "note", type: "VARCHAR", nullable: true },
      { name: "until", type: "TIMESTAMP", nullable: true },
    ],
    maxParts: 1,
  };
  const DAY = 86_400_000;

  test("counted from what it says, not from the write; past is a delete, NULL is for ever", async () => {
    const table = scratchTable();
    let now = Date.now();
    const sink = await scratch.open({ table, expiresAt: "until", now: () => now });
    expect(await sink.prepare(expiring)).toBeUndefined();
    const iso = (ms: number): string => new Date(ms).toISOString().replace("Z", "");
    const row = (id: string, offset: number, until: string | null): Operation => ({
      key: [id],
      offset,
      values: { note: "n", until },
    });
    const batch = batchOf(expiring, [
      row("a", 1, iso(now + 2 * DAY)),
      row("b", 2, iso(now - 1)),
      row("c", 3, null),
      row("d", 4, iso(now + 30 * 365 * DAY)),
      row("e", 5, "2038-01-19T03:14:07"),
      row("f", 6, "2038-01-17T00:00:00"),
    ]);
    await sink.write(batchOf(expiring, [row("b", 0, null)]));
    expect(await sink.write(batch)).toEqual([OK, OK, OK, OK, OK, OK]);
    const lives = async (): Promise<Record<string, number | null>> => {
      const rows = await scratch.ask(`select id, ttl(note) as ttl from $keyspace.${table}`);
      return Object.fromEntries(
        rows.map((found) => [
          String(found["id"]),
          found["ttl"] === null ? null : Number(found["ttl"]),
        ]),
      );
    };
    const first = await lives();
    expect(first).toEqual({
      a: expect.any(Number),
      c: null,
      d: null,
      e: null,
      f: expect.any(Number),
    });
    expect(first["a"]).toBeGreaterThan(2 * 86_400 - 60);
    // A day later it is delivered again: a day is left, not two.
    now += DAY;
    await sink.write({ ...batch, version: batch.version.map((version) => version + 2n ** 42n) });
    const later = await lives();
    expect(later["a"]).toBeLessThanOrEqual(86_400);
    expect(later["a"]).toBeGreaterThan(86_400 - 60);
    await sink.close();
  });

  test("and are gone then", async () => {
    const sink = await scratch.open({ expiresAt: "until" });
    expect(await sink.prepare(expiring)).toBeUndefined();
    const until = new Date(Date.now() + 1500).toISOString().replace("Z", "");
    await sink.write(batchOf(expiring, [{ key: ["a"], offset: 1, values: { note: null, until } }]));
    await expect.poll(() => rowsOf(sink)).toEqual([]);
    await sink.close();
  });
});

describe("what Cassandra refuses", () => {
  test("values it cannot hold are rejected alone, with its reason", async () => {
    const [sink] = await opened();
    const outcomes = await sink.write(
      batchOf(CONTRACT, [
        op("a", 1, "kept", 1),
        op("", 2, "an empty key", 2),
        op("k".repeat(70_000), 3, "a long key", 3),
        op("b", 4, "x".repeat(17 << 20), 4),
        op("c", 5, "kept", null),
      ]),
    );
    expect(outcomes).toEqual([
      OK,
      { kind: "reject", reason: expect.stringContaining("Key may not be empty") },
      { kind: "reject", reason: expect.stringContaining("longer than maximum of 65535") },
      { kind: "reject", reason: expect.stringContaining("the row is 178") },
      OK,
    ]);
    expect(await rowsOf(sink)).toHaveLength(2);
    await sink.close();
  });

  test("replicas that are away are waited for", async () => {
    const connection = { ...scratch.connection, consistency: "two" as const };
    const [sink, table] = await opened();
    const strict = await scratch.open({ table, connection });
    expect(await strict.prepare(CONTRACT)).toBeUndefined();
    const outcomes = await strict.write(batchOf(CONTRACT, [op("a", 1, "x"), op("b", 2)]));
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({
        kind: "retryAfter",
        problem: { code: "sink-unavailable", message: expect.stringContaining("2 required") },
      });
    await strict.close();
    await sink.close();
  });

  test("a table dropped under the pipeline halts it, and who reads it back is told", async () => {
    const [sink, table] = await opened();
    await sink.write(batchOf(CONTRACT, [op("a", 1, "x", 1)]));
    await scratch.ask(`drop table $keyspace.${table}`);
    const [outcome] = await sink.write(batchOf(CONTRACT, [op("a", 2, "y", 2)]));
    expect(outcome).toMatchObject({
      kind: "halt",
      problem: { message: expect.stringContaining("does not exist") },
    });
    await expect(rowsOf(sink)).rejects.toMatchObject({
      problem: { code: "sink-not-read", message: expect.stringContaining(table) },
    });
    await sink.close();
  });

  test("no Cassandra at the address is said when the pipeline prepares", async () => {
    const connection = { ...scratch.connection, contactPoints: ["127.0.0.1:1"] };
    const sink = await scratch.open({ connection });
    const problem = await sink.prepare(CONTRACT);
    expect(problem).toMatchObject({ code: "sink-unreachable" });
    expect(problem?.message).toContain("ECONNREFUSED");
    expect(await sink.plan(CONTRACT)).toMatchObject({ ok: false });
    await sink.close();
  });

  test("another data centre's name needs a person, and what there is is said", async () => {
    const connection = { ...scratch.connection, localDataCenter: "nowhere" };
    const sink = await scratch.open({ connection });
    const problem = await sink.prepare(CONTRACT);
    expect(problem).toMatchObject({
      code: "sink-misconfigured",
      message: expect.stringMatching(/nowhere.*datacenter1/),
      hint: expect.stringContaining("localDataCenter"),
    });
    expect(problem !== undefined && isTransient(problem)).toBe(false);
    await sink.close();
  });

  // Kafka's TLS listener serves as a node whose certificate nobody here has signed.
  test.skipIf(servers.kafkaTls === undefined)(
    "a certificate that is not trusted needs a person",
    async () => {
      const contactPoints = [servers.kafkaTls ?? ""];
      const sink = await scratch.open({
        connection: { ...scratch.connection, contactPoints, tls: true },
      });
      const problem = await sink.prepare(CONTRACT);
      expect(problem).toMatchObject({
        code: "sink-tls",
        message: expect.stringContaining("self-signed certificate"),
      });
      await sink.close();
    },
  );
});
