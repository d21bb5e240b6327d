import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { encodeStream } from "#snapshots/arrow-ipc.ts";
import { unwrap } from "#snapshots/problem.ts";
import type { Column } from "#snapshots/table.ts";
import { layOut } from "#promote/sync/values/arrow-layout.ts";
import { typedColumns } from "#promote/sync/values/identity.ts";
import { until } from "#promote/sync/fixture.ts";
import { openKafkaSink, type KafkaSinkOptions } from "#promote/sync/kafka/sink.ts";
import { CLEAR, WRITE, type Sink, type SinkBatch, type SinkContract } from "#promote/sync/ports.ts";
import { sinkConformance } from "#promote/sync/conformance/sink-conformance.ts";
import { versionOf } from "#promote/sync/order/version.ts";
import { servers } from "./addresses.ts";
import {
  closeFixture,
  CONNECTION,
  freshName,
  freshTopic,
  openSource,
  refuse,
  SURROUNDINGS,
  take,
  topics,
} from "./kafka-fixture.ts";

afterAll(closeFixture);

function open(topic: string, options: Partial<KafkaSinkOptions> = {}): Promise<Sink> {
  return openKafkaSink({
    name: "kafka",
    connection: CONNECTION,
    surroundings: SURROUNDINGS,
    topic,
    partitions: 3,
    ...options,
  });
}

describe("a Kafka topic as a Sink", () => {
  sinkConformance(
    async () => {
      const topic = freshName("sink");
      return {
        open: () => open(topic),
        close: async () => refuse(await topics.remove(topic)),
        silentOn: ["stale", "retracted"],
      };
    },
    {
      "plans what prepare will do, and nothing once it is done":
        "a topic has no columns: a wider contract asks nothing of it (below: what a missing topic asks)",
    },
  );
});

const KEY: Column[] = [
  { name: "carrier", type: "VARCHAR", nullable: false },
  { name: "flight", type: "INTEGER", nullable: false },
];
const COLUMNS: Column[] = [{ name: "note", type: "VARCHAR", nullable: true }];
const CONTRACT: SinkContract = { key: KEY, columns: COLUMNS, maxParts: 2 };

describe("the topic", () => {
  test("is planned, then made compacted, once", async () => {
    const topic = freshName("sink");
    const sink = await open(topic);
    expect(unwrap(await sink.plan(CONTRACT))).toEqual([
      expect.stringContaining(`create topic ${topic} with 3 partitions, cleanup.policy=compact`),
    ]);
    expect(await sink.prepare(CONTRACT)).toBeUndefined();
    expect(unwrap(await sink.plan(CONTRACT))).toEqual([]);
    expect(unwrap(await topics.config(topic, "cleanup.policy"))).toBe("compact");
    await sink.close();
  });

  test("that forgets with time is refused", async () => {
    const topic = await freshTopic(1);
    const sink = await open(topic);
    expect(await sink.prepare(CONTRACT)).toMatchObject({ code: "kafka-sink-not-compacted" });
    await sink.close();
  });
});

const { kafkaProxied } = servers;

test.skipIf(kafkaProxied === undefined)(
  "who gives up does not wait for a broker that takes a write and answers no more",
  async () => {
    // The broker tells clients of the listener to come to the proxy's port.
    const [host = "", port] = (kafkaProxied ?? "").split(":");
    let isFrozen = false;
    let asked = 0;
    const sockets: Socket[] = [];
    const proxy = createServer((near) => {
      const far = connect(Number(port), host);
      sockets.push(near, far);
      near.on("error", () => far.destroy());
      far.on("error", () => near.destroy());
      near.on("data", (request) => (isFrozen ? asked++ : far.write(request)));
      far.on("data", (answer) => (isFrozen ? undefined : near.write(answer)));
    });
    proxy.listen(Number(port) + 1, "127.0.0.1");
    await once(proxy, "listening");
    const connection = { brokers: [`127.0.0.1:${Number(port) + 1}`], tls: false };
    const sink = await open(freshName("sink"), { connection });
    expect(await sink.prepare(CONTRACT)).toBeUndefined();
    const batch = batchOf([{ part: 0, note: "n" }]);
    expect(await sink.write(batch)).toMatchObject([{ kind: "written" }]);
    isFrozen = true;
    const stopping = new AbortController();
    const writing = sink.write(batch, stopping.signal);
    await until("it is asked", () => asked > 0);
    stopping.abort();
    expect(await writing).toMatchObject([{ kind: "retryAfter", problem: { code: "stopped" } }]);
    await sink.close();
    for (const socket of sockets) socket.destroy();
    proxy.close();
  },
);

describe("records", () => {
  test("carry identity, row, version and position; a part beyond the first has a key of its own; a clear is a tombstone", async () => {
    const topic = freshName("sink");
    const sink = await open(topic, { partitions: 1, nowMs: () => 1234 });
    expect(await sink.prepare(CONTRACT)).toBeUndefined();
    const outcomes = await sink.write(
      batchOf([
        { part: 0, note: 'a "note"' },
        { part: 1, note: null },
      ]),
    );
    expect(outcomes.map(({ kind }) => kind)).toEqual(["written", "written"]);
    const source = await openSource({ topics: [topic] });
    const records = await take(source, 2);
    expect(
      records.map(({ key, value, timestampMs, headers }) => ({
        key: key && Buffer.from(key).toString(),
        value: value && Buffer.from(value).toString(),
        timestampMs,
        headers: headers.map((header) => `${header.key}=${Buffer.from(header.value).toString()}`),
      })),
    ).toEqual([
      {
        key: '["AA",7]',
        value: '{"note":"a \\"note\\""}',
        timestampMs: 1234,
        headers: [
          `penstock.version=${versionOf(1024, 5, 1)}`,
          "penstock.topic=flights",
          "penstock.partition=2",
          "penstock.offset=5",
        ],
      },
      {
        key: '{"key":["AA",7],"part":1}',
        value: null,
        timestampMs: 1234,
        headers: [
          `penstock.version=${versionOf(1024, 5, 0)}`,
          "penstock.topic=flights",
          "penstock.partition=2",
          "penstock.offset=5",
          "penstock.part=1",
        ],
      },
    ]);
    await source.close();
    await sink.close();
  });

  test("carry on where their record stands in a trace", async () => {
    const topic = freshName("sink");
    const sink = await open(topic, { partitions: 1 });
    expect(await sink.prepare(CONTRACT)).toBeUndefined();
    const parent = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`;
    const trace = [
      { key: "traceparent", value: Buffer.from(parent) },
      { key: "tracestate", value: Buffer.from(`v=${"x".repeat(300)}`) },
    ];
    const notes = [0, 1, 2].map((part) => ({ part, note: "n" }));
    const headers: SinkBatch["headers"] = (i) => (i === 1 ? trace : []);
    await sink.write({ ...batchOf(notes), headers });
    const source = await openSource({ topics: [topic] });
    const records = await take(source, 3);
    expect(
      records.map((record) =>
        record.headers.flatMap(({ key, value }) =>
          key.startsWith("trace") ? [`${key} ${Buffer.from(value).toString()}`] : [],
        ),
      ),
    ).toEqual([[], [`traceparent ${parent}`, `tracestate v=${"x".repeat(300)}`], []]);
    await source.close();
    await sink.close();
  });

  test("too large for the topic is rejected, alone", async () => {
    const topic = freshName("sink");
    refuse(
      await topics.create({
        topic,
        partitions: 1,
        config: { "cleanup.policy": "compact", "max.message.bytes": "20000" },
      }),
    );
    const sink = await open(topic, { batchBytes: 1 << 20 });
    expect(await sink.prepare(CONTRACT)).toBeUndefined();
    const notes = Array.from({ length: 40 }, (_, i) => "x".repeat(i === 17 ? 50_000 : 1000));
    const outcomes = await sink.write(batchOf(notes.map((note, part) => ({ part, note }))));
    expect(outcomes.flatMap(({ kind }, i) => (kind === "written" ? [] : [[i, kind]]))).toEqual([
      [17, "reject"],
    ]);
    expect(await sink.count()).toBe(39);
    await sink.close();
  });

  test("to a topic deleted meanwhile halt", async () => {
    const topic = freshName("sink");
    const sink = await open(topic);
    expect(await sink.prepare(CONTRACT)).toBeUndefined();
    refuse(await topics.remove(topic));
    const [outcome] = await sink.write(batchOf([{ part: 0, note: "x" }]));
    expect(outcome).toMatchObject({ kind: "halt", problem: { code: "kafka-topic-absent" } });
    await sink.close();
  });
});

function batchOf(effects: { part: number; note: string | null }[]): SinkBatch {
  const written = effects.filter(({ note }) => note !== null);
  return {
    contract: CONTRACT,
    places: [{ topic: "flights", partition: 2 }],
    place: new Uint16Array(effects.length),
    count: effects.length,
    kind: Uint8Array.from(effects, ({ note }) => (note === null ? CLEAR : WRITE)),
    version: BigInt64Array.from(effects, ({ note }) => versionOf(1024, 5, note === null ? 0 : 1)),
    offset: Float64Array.from(effects, () => 5),
    part: Int32Array.from(effects, ({ part }) => part),
    keyRow: Int32Array.from(effects, () => 0),
    keys: arrow(KEY, [["AA"], [7]]),
    row: Int32Array.from(effects, (effect) => written.indexOf(effect)),
    rows: arrow(COLUMNS, [written.map(({ note }) => note)]),
  };
}

function arrow(columns: readonly Column[], values: (string | number | null)[][]): Uint8Array {
  const typed = unwrap(typedColumns(columns));
  return encodeStream(
    typed,
    typed.map((column, i) => layOut(column.type, values[i] ?? [], 0, values[i]?.length ?? 0)),
  );
}
