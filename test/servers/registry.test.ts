import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import type { Schema } from "avsc";
import { afterAll, describe, expect, test } from "vitest";
import { framed, recordOf, writerOf } from "#promote/sync/decode/avro/fixture.ts";
import type { Decoded } from "#promote/sync/decode/decode.ts";
import { openDecoder, type Decoder } from "#promote/sync/decode/open-decoder.ts";
import { registerContract } from "#promote/sync/decode/register-contract.ts";
import { openRegistry, type Registry } from "#promote/sync/decode/registry.ts";
import { freshPlace, specOf, until } from "#promote/sync/fixture.ts";
import type { SourceRecord } from "#promote/sync/ports.ts";
import { decodeSettled } from "#promote/sync/pipeline/spec-decoder.ts";
import { openSync } from "#promote/sync/sync.ts";
import { unwrap } from "#snapshots/problem.ts";
import { PLAIN_STREAM } from "#snapshots/stream-settings.ts";
import type { Column } from "#snapshots/table.ts";
import { servers } from "./addresses.ts";
import { append, closeFixture, CONNECTION, freshName, freshTopic } from "./kafka-fixture.ts";

const input: Column[] = [
  { name: "id", type: "VARCHAR", nullable: false },
  { name: "delay", type: "BIGINT", nullable: true },
  { name: "fare", type: "DECIMAL(18,2)", nullable: true },
  { name: "at", type: "TIMESTAMP WITH TIME ZONE", nullable: true },
];
const topic = `flights-${randomBytes(4).toString("hex")}`;
const subject = `${topic}-value`;
const outputSubject = `${topic}-out-value`;

const openAt = (url: string): Registry =>
  unwrap(openRegistry({ url }, { root: "", variables: {} }, Date.now));
const registry = openAt(servers.registry);

afterAll(async () => {
  for (const one of [subject, outputSubject])
    await fetch(`${servers.registry}/subjects/${one}`, { method: "DELETE" });
  await closeFixture();
});

async function demandCompatibility(of: string): Promise<void> {
  await fetch(`${servers.registry}/config/${of}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ compatibility: "BACKWARD" }),
  });
}

/** As a producer does it: registers its schema and writes by it. */
async function producer(
  schema: Schema,
): Promise<{ id: number; write(row: unknown): SourceRecord }> {
  const path = `/subjects/${subject}/versions`;
  const answer = unwrap(await registry.ask("POST", path, { schema: JSON.stringify(schema) }));
  const { id } = answer.body as { id: number }; // the registry answered 200
  const writer = writerOf(schema);
  return { id, write: (row) => recordOf(framed(id, writer.toBuffer(row))) };
}

function record(...fields: { name: string; type: unknown; default?: unknown }[]): Schema {
  const schema = { type: "record", name: "Flight", namespace: "air", fields };
  return schema as unknown as Schema; // fields are Avro's JSON, which the registry judges
}

function decoderAt(from: Registry): Decoder {
  const stream = { ...PLAIN_STREAM, format: "avro" as const };
  return unwrap(openDecoder({ input, key: ["id"], stream, registry: from }));
}

async function decode(decoder: Decoder, records: SourceRecord[]): Promise<Decoded> {
  const outcome = await decoder.decode(records, topic, 0);
  if (outcome.kind !== "decoded") throw new Error(outcome.problem.message);
  return outcome.decoded;
}

const first = record(
  { name: "id", type: "string" },
  { name: "delay", type: "int" },
  { name: "at", type: { type: "long", logicalType: "timestamp-millis" } },
);
const compatible = record(
  { name: "at", type: { type: "long", logicalType: "timestamp-micros" } },
  { name: "gate", type: ["null", "string"], default: null },
  {
    name: "fare",
    type: ["null", { type: "bytes", logicalType: "decimal", precision: 9, scale: 1 }],
    default: null,
  },
  { name: "delay", type: ["null", "long"], default: null },
  { name: "id", type: "string" },
  { name: "seen", type: { type: "long", logicalType: "timestamp-millis" }, default: 0 },
);
const incompatible = record({ name: "id", type: "string" }, { name: "delay", type: "double" });

describe("a writer's schema evolves under a running decoder", () => {
  const decoder = decoderAt(registry);

  test("the first passes; a compatible one passes live, each record by the schema it names", async () => {
    const old = await producer(first);
    const before = await decode(decoder, [old.write({ id: "a", delay: 5, at: 1000 })]);
    expect(before.values).toEqual([["a"], [5], [null], [1_000_000]]);
    const fresh = await producer(compatible);
    const after = await decode(decoder, [
      fresh.write({
        id: "b",
        gate: null,
        delay: { long: 2n ** 40n },
        fare: { bytes: Buffer.from([123]) },
        at: 1001,
        seen: 0,
      }),
      old.write({ id: "c", delay: -1, at: 2 }),
    ]);
    expect(after.failures).toEqual([]);
    expect(after.values).toEqual([
      ["b", "c"],
      [2 ** 40, -1],
      [1230n, null],
      [1001, 2000],
    ]);
    const pending = decoder.decode([old.write({ id: "d", delay: 0, at: 0 })], topic, 0);
    expect(pending, "a schema that was had is never asked for again").not.toBeInstanceOf(Promise);
  });

  test("an incompatible one fails its own records, with both schemas and the subject; the rest goes on", async () => {
    const good = await producer(first);
    const bad = await producer(incompatible);
    const unknown = framed(2_000_000_000, Buffer.from([2, 97]));
    const decoded = await decode(decoder, [
      good.write({ id: "a", delay: 1, at: 0 }),
      bad.write({ id: "b", delay: 0.5 }),
      recordOf(unknown),
      bad.write({ id: "c", delay: 0.5 }),
      good.write({ id: "d", delay: 1, at: 0 }),
    ]);
    expect(decoded.values[0]).toEqual(["a", "d"]);
    expect(decoded.failures.map(({ record: at, reason }) => [at, reason])).toEqual([
      [1, expect.stringContaining("field `delay` is double in the writer's schema")],
      [2, "the registry knows no schema 2000000000"],
      [3, expect.stringContaining("which the contract's BIGINT cannot read")],
    ]);
    expect(decoded.conflicts).toMatchObject([{ subject, schemaId: bad.id, part: "value" }]);
    const [{ writerSchema, readerSchema } = { writerSchema: "", readerSchema: "" }] =
      decoded.conflicts;
    expect(JSON.parse(writerSchema)).toMatchObject({ fields: [{}, { type: "double" }] });
    expect(JSON.parse(readerSchema)).toMatchObject({
      fields: [{}, { name: "delay", type: ["null", "long"] }, {}, {}],
    });
  });
});

describe("an output contract at the registry", () => {
  const output: Column[] = [...input, { name: "late", type: "BOOLEAN", nullable: false }];

  test("is registered once, grows where the registry's rule allows, and is refused in its words where not", async () => {
    const registered = unwrap(await registerContract(registry, outputSubject, output));
    expect(registered.kind).toBe("registered");
    expect(unwrap(await registerContract(registry, outputSubject, output))).toEqual({
      ...registered,
      kind: "there",
    });
    await demandCompatibility(outputSubject);
    const grown = [...output, { name: "gate", type: "VARCHAR", nullable: true }];
    const next = unwrap(await registerContract(registry, outputSubject, grown));
    expect(next.id).not.toBe(registered.id);
    const changed = output.map((column) =>
      column.name === "delay" ? { ...column, type: "VARCHAR" } : column,
    );
    const refused = await registerContract(registry, outputSubject, changed);
    expect(refused).toMatchObject({
      ok: false,
      problem: {
        code: "contract-incompatible",
        message: expect.stringContaining("LONG at /fields/1"),
      },
    });
  });
});

describe("a registry that goes away", () => {
  test("keeps the batch waiting, fails no record, and is asked again until it is back", async () => {
    const old = await producer(first);
    const cable = await layCable();
    const decoder = decoderAt(openAt(cable.url));
    const records = [old.write({ id: "a", delay: 1, at: 0 })];
    cable.cut();
    const pending = await decoder.decode(records, topic, 0);
    expect(pending).toMatchObject({ kind: "retryAfter", problem: { code: "server-away" } });

    const problems: (string | undefined)[] = [];
    const settled = decodeSettled(
      decoder,
      { records, topic, partition: 0 },
      {
        signal: new AbortController().signal,
        observe(event) {
          if (event.kind !== "backoff") return;
          problems.push(event.problem?.code);
          if (problems.length === 2) cable.mend();
        },
      },
    );
    expect(await settled).toMatchObject({ rows: 1, failures: [] });
    expect(problems.slice(0, 2)).toEqual(["server-away", "server-away"]);
    expect(problems.at(-1)).toBeUndefined();
    cable.cut();
    const known = await decode(decoder, records);
    expect(known.rows, "what was had is read without the registry").toBe(1);
    cable.close();
  });
});

/** The registry's address by a way that can be cut. Its port stays taken meanwhile: nobody else gets it. */
async function layCable() {
  const target = new URL(servers.registry);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(Number(target.port), target.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(target);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port); // it listens on TCP

  function cut(): void {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  }

  return {
    url: url.href.replace(/\/$/, ""),
    cut,
    mend: () => void (isCut = false),
    close() {
      cut();
      server.close();
    },
  };
}

describe("a pipeline of Avro records", () => {
  test("is verified and repaired by who does not run it", async () => {
    const place = freshPlace();
    const from = await freshTopic();
    const spec = await specOf(place, {
      apply: "({ id, delay }) => ({ id, delay })",
      topic: from,
      sinks: [{ topic: freshName("derived") }],
      stream: { ...PLAIN_STREAM, format: "avro" },
      input: input.slice(0, 2),
      output: input.slice(0, 2),
      where: { kind: "servers", kafka: CONNECTION, registry: { url: servers.registry } },
    });
    const writer = await producer(first);
    const values = ["a", "b", "a"].map(
      (one, delay) => writer.write({ id: one, delay, at: 0 }).value,
    );
    await append(
      from,
      values.map((value) => ({ key: null, value, timestampMs: Date.now() })),
    );
    const worker = openSync(place);
    const apart = openSync(place);
    try {
      unwrap(await worker.start(spec));
      await until("all is committed", () => worker.status()[0]?.read === 3);
      const options = { signal: new AbortController().signal, onProgress: () => undefined };
      const report = unwrap(await apart.verify(spec, options));
      expect(report.sinks).toMatchObject([{ isEqual: true, counts: { left: 2, equal: 2 } }]);
      const repair = unwrap(await apart.repair(spec, { ...options, isApplied: false }));
      expect(repair.report.isEqual).toBe(true);
    } finally {
      await apart.close();
      await worker.close();
      place.remove();
    }
  });
});
