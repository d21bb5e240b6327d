import { randomUUID } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import kafkajs from "kafkajs";
import { compressFrameSync } from "lz4-napi";
import { compressSync } from "snappy";
import { afterAll, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import { openKafkaProducer } from "#promote/sync/kafka/producer.ts";
import { openKafkaReader } from "#promote/sync/kafka/reader.ts";
import {
  append,
  closeFixture,
  CONNECTION,
  freshTopic,
  nextAssigned,
  numbered,
  openSource,
  pollUntil,
  refuse,
  SURROUNDINGS,
  take,
  topics,
  valuesOf,
} from "./kafka-fixture.ts";

const { Kafka, CompressionCodecs, CompressionTypes, logLevel } = kafkajs;
const other = new Kafka({ brokers: [...CONNECTION.brokers], logLevel: logLevel.NOTHING });

afterAll(closeFixture);

describe("compression", () => {
  for (const compression of ["gzip", "snappy", "lz4", "zstd"] as const)
    test(`${compression}, as it is written here`, async () => {
      const topic = await freshTopic();
      const writer = unwrap(
        await openKafkaProducer({
          connection: CONNECTION,
          surroundings: SURROUNDINGS,
          compression,
        }),
      );
      refuse(await writer.send(topic, numbered(0, 500)));
      await writer.close();
      const source = await openSource({ topics: [topic] });
      expect(valuesOf(await take(source, 500))).toEqual(valuesOf(records(500)));
      await source.close();
    });

  const codecs = [
    { name: "gzip", type: CompressionTypes.GZIP, compress: undefined },
    { name: "raw snappy", type: CompressionTypes.Snappy, compress: (b: Buffer) => compressSync(b) },
    { name: "lz4", type: CompressionTypes.LZ4, compress: (b: Buffer) => compressFrameSync(b) },
    { name: "zstd", type: CompressionTypes.ZSTD, compress: (b: Buffer) => zstdCompressSync(b) },
  ];
  test.each(codecs)("$name, as another client writes it", async ({ type, compress }) => {
    if (compress !== undefined && type !== CompressionTypes.None)
      CompressionCodecs[type] = () => ({
        compress: async (encoder: { buffer: Buffer }) => compress(encoder.buffer),
      });
    const topic = await freshTopic();
    const writer = other.producer({ idempotent: true });
    await writer.connect();
    await writer.send({
      topic,
      compression: type,
      messages: records(300).map(({ value }) => ({ value: Buffer.from(value ?? []) })),
    });
    await writer.disconnect();
    const source = await openSource({ topics: [topic] });
    expect(valuesOf(await take(source, 300))).toEqual(valuesOf(records(300)));
    await source.close();
  });
});

describe("transactions", () => {
  test("records called off never come, and reading goes on beyond them and the markers", async () => {
    const topic = await freshTopic();
    const group = `test-group-${randomUUID().slice(0, 8)}`;
    const writer = other.producer({ transactionalId: randomUUID(), maxInFlightRequests: 1 });
    await writer.connect();
    const write = async (values: string[], end: "commit" | "abort"): Promise<void> => {
      const transaction = await writer.transaction();
      await transaction.send({ topic, messages: values.map((value) => ({ value })) });
      await transaction[end]();
    };
    await write(["a", "b"], "commit");
    await write(["never", "ever"], "abort");
    await append(topic, [{ key: null, value: Buffer.from("plain"), timestampMs: 1 }]);
    await write(["c"], "commit");
    await write(["gone"], "abort");
    const source = await openSource({ topics: [topic], group });
    const values: (string | null)[] = [];
    let next = 0;
    await pollUntil(source, (event) => {
      if (event.kind !== "records") return false;
      values.push(...valuesOf(event.delivery.records));
      ({ next } = event.delivery);
      return values.length >= 4;
    });
    expect(values).toEqual(["a", "b", "plain", "c"]);
    // Two records and a marker, twice over but one; one without; one and a marker, twice.
    expect(next).toBe(11);
    expect(await source.ranges()).toEqual([{ topic, partition: 0, first: 0, end: 11 }]);
    await source.commit([{ topic, partition: 0, next }]);
    await source.close();
    const again = await openSource({ topics: [topic], group });
    expect((await nextAssigned(again))[0]?.committed).toBe(11);
    await again.close();
    await writer.disconnect();
  });

  test("what was read has caught up also where the topic ends in records that were called off", async () => {
    const topic = await freshTopic();
    const writer = other.producer({ transactionalId: randomUUID(), maxInFlightRequests: 1 });
    await writer.connect();
    const abort = async (): Promise<void> => {
      const transaction = await writer.transaction();
      await transaction.send({ topic, messages: [{ value: "gone" }, { value: "too" }] });
      await transaction.abort();
    };
    await append(topic, numbered(0, 3));
    const source = await openSource({ topics: [topic] });
    await take(source, 3);
    await abort();
    await abort();
    const ends = async (): Promise<number | undefined> => (await source.ranges())[0]?.end;
    // Two records and a marker, twice: they are there, and nothing of them is to do.
    const reader = unwrap(openKafkaReader(CONNECTION, SURROUNDINGS));
    await pollUntil(source, async () => (await reader.ranges(topic))[0]?.end === 9);
    await pollUntil(source, async () => (await ends()) === 3);
    await append(topic, numbered(3, 4));
    expect(valuesOf(await take(source, 1))).toEqual(["3"]);
    expect(await ends()).toBe(10);
    await reader.close();
    await source.close();
    await writer.disconnect();
  });

  test("an open transaction holds back what is behind it", async () => {
    const topic = await freshTopic();
    const writer = other.producer({ transactionalId: randomUUID(), maxInFlightRequests: 1 });
    await writer.connect();
    const transaction = await writer.transaction();
    await transaction.send({ topic, messages: [{ value: "held" }] });
    await append(topic, [{ key: null, value: Buffer.from("behind"), timestampMs: 1 }]);
    const source = await openSource({ topics: [topic] });
    await nextAssigned(source);
    const event = await source.poll({ maxRecords: 10, maxBytes: 1 << 20, waitMs: 500 });
    expect(event.kind).toBe("idle");
    await transaction.commit();
    expect(valuesOf(await take(source, 2))).toEqual(["held", "behind"]);
    await source.close();
    await writer.disconnect();
  });
});

describe("a topic read apart from any group", () => {
  test("between offsets, by time, and as far as it reaches", async () => {
    const topic = await freshTopic(2);
    await append(topic, numbered(0, 100, 2));
    const reader = unwrap(openKafkaReader(CONNECTION, SURROUNDINGS));
    expect(await reader.incarnation("no-such-topic")).toBeUndefined();
    expect(await reader.incarnation(topic)).toBe(unwrap(await topics.describe(topic))?.id);
    expect(await reader.ranges(topic)).toEqual([
      { topic, partition: 0, first: 0, end: 50 },
      { topic, partition: 1, first: 0, end: 50 },
    ]);
    expect(await reader.offsetAt(topic, 1, 1_000_041)).toBe(20);
    expect(await reader.offsetAt(topic, 1, 2_000_000)).toBe(50);
    const values: (string | null)[] = [];
    for await (const some of reader.read(topic, 1, 10, 13)) values.push(...valuesOf(some));
    expect(values).toEqual(["21", "23", "25"]);
    for await (const some of reader.read(topic, 0, 48, 1000)) values.push(...valuesOf(some));
    expect(values.slice(3)).toEqual(["96", "98"]);
    await reader.close();
  });

  test("until it is stopped, which is no fault of Penstock's", async () => {
    const topic = await freshTopic();
    await append(topic, numbered(0, 3));
    const reader = unwrap(openKafkaReader(CONNECTION, SURROUNDINGS));
    const stop = new AbortController();
    const reading = reader.read(topic, 0, 0, 1000, stop.signal)[Symbol.asyncIterator]();
    expect(await reading.next()).toMatchObject({ value: { length: 3 } });
    stop.abort();
    await expect(reading.next()).rejects.toMatchObject({ problem: { code: "stopped" } });
    await reader.close();
  });
});

function records(count: number) {
  return numbered(0, count).map((record, offset) => ({ offset, headers: [], ...record }));
}
