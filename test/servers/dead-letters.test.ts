import { afterAll, afterEach, describe, expect, test } from "vitest";
import { unwrap } from "#snapshots/problem.ts";
import type { DeadLetter } from "#promote/sync/dead-letters/dead-letters.ts";
import { openDeadLetterTopic } from "#promote/sync/dead-letters/dead-letter-topic.ts";
import { kafkaSchema } from "#promote/sync/connections.ts";
import { freshPlace, specOf, until, type FixturePlace } from "#promote/sync/fixture.ts";
import { openKafkaReader } from "#promote/sync/kafka/reader.ts";
import type { SourceRecord } from "#promote/sync/ports.ts";
import { openSync, type PipelineSpec, type PipelineStatus, type Sync } from "#promote/sync/sync.ts";
import { servers } from "./addresses.ts";
import { flightsOf, seeded } from "./faults/flights.ts";
import {
  append,
  closeFixture,
  CONNECTION,
  freshName,
  freshTopic,
  refuse,
  SURROUNDINGS,
  topics,
} from "./kafka-fixture.ts";

const reader = unwrap(openKafkaReader(CONNECTION, SURROUNDINGS));
afterAll(async () => {
  await reader.close();
  await closeFixture();
});

describe("the topic of dead letters", () => {
  test("has the record as it was, and Kafka Connect's headers behind its own", async () => {
    const topic = await freshTopic();
    const trace = { key: "traceparent", value: Buffer.from(`00-${"ab".repeat(16)}`) };
    const bytes = { key: "bytes", value: Buffer.from([0, 255, 128]) };
    const reason = 'column `Abflug` is "später 😀", which is not BIGINT';
    const value = Buffer.from([0xff, 0xfe, 0, 0x7b]);
    await bury(topic, [
      letterOf({ offset: 41, key: Buffer.from([1, 0, 255]), value, reason }),
      letterOf({ offset: 42, key: null, value: null, headers: [trace, bytes] }),
    ]);
    const [first, second] = await read(topic);
    expect(first).toMatchObject({
      key: Buffer.from([1, 0, 255]),
      value,
      timestampMs: 1_000_041,
    });
    expect(textOf(first)).toEqual([
      ["__connect.errors.topic", "flights"],
      ["__connect.errors.partition", "3"],
      ["__connect.errors.offset", "41"],
      ["__connect.errors.connector.name", "staging:delays"],
      ["__connect.errors.stage", "decode"],
      ["__connect.errors.exception.class.name", "Penstock"],
      ["__connect.errors.exception.message", reason],
      ["penstock.release", "release-1"],
      ["penstock.failed.at", "2026-01-01T00:00:00.000Z"],
    ]);
    expect(second).toMatchObject({ key: null, value: null, timestampMs: 1_000_042 });
    expect(second?.headers.slice(0, 2)).toEqual([trace, bytes]);
    expect(second?.headers).toHaveLength(11);
  });

  test("takes letters that together are more than a batch, whole and in their order", async () => {
    const topic = await freshTopic();
    const letters = [1, 2, 3, 4].map((n) =>
      letterOf({ offset: n, value: Buffer.alloc(290_000, n) }),
    );
    await bury(topic, letters);
    const records = await read(topic);
    expect(records.map(({ value }) => [value?.length, value?.[0]])).toEqual(
      [1, 2, 3, 4].map((n) => [290_000, n]),
    );
  });

  test("with a lower limit than the default takes those whole that fit it, and all in their order", async () => {
    const topic = await freshTopic(1, { "retention.ms": "-1", "max.message.bytes": "20000" });
    const sizes = Array.from({ length: 30 }, (_, n) => (n % 10 === 7 ? 30_000 : 3000));
    await bury(
      topic,
      sizes.map((size, n) => letterOf({ offset: n, value: Buffer.alloc(size, 1) })),
    );
    const records = await read(topic);
    expect(records.map((record) => header(record, "__connect.errors.offset"))).toEqual(
      sizes.map((_, n) => String(n)),
    );
    expect(records.map(({ value }) => value?.length)).toEqual(
      sizes.map((size) => (size > 20_000 ? 0 : size)),
    );
  });

  test("takes a record of just under 1 MiB, which its headers make too large, without its value, and says how large that is", async () => {
    const topic = await freshTopic();
    const source = await freshTopic();
    const record = { key: Buffer.from("large"), value: Buffer.alloc(1_048_450, 1), timestampMs: 7 };
    // As large as a record may be: another topic took it.
    await append(source, [record]);
    await bury(topic, [letterOf({ offset: 1 }), letterOf({ ...record, offset: 2 })]);
    const [, large] = await read(topic);
    expect(large).toMatchObject({ key: record.key, value: Buffer.alloc(0), timestampMs: 7 });
    expect(header(large, "penstock.value.omitted")).toBe("1048450");
    expect(header(large, "__connect.errors.offset")).toBe("2");
  });

  const largest = [
    {
      what: "headers",
      letter: { headers: [{ key: "h", value: Buffer.alloc(1_048_300) }] },
      size: "1048301",
    },
    { what: "key", letter: { key: Buffer.alloc(1_048_300) }, size: "1048300" },
    { what: "reason", letter: { reason: "ö".repeat(1_000_000) } },
  ];
  test.each(largest)("takes a letter whose large part is its $what", async (c) => {
    const topic = await freshTopic();
    await bury(topic, [letterOf({ offset: 5, ...c.letter })]);
    const [only] = await read(topic);
    expect(header(only, `penstock.${c.what}.omitted`)).toBe(c.size);
    expect(header(only, "__connect.errors.offset")).toBe("5");
  });

  test("gets a letter whose time it does not take under the time it failed, its own in a header", async () => {
    const topic = await freshTopic(1, { "message.timestamp.after.max.ms": "3600000" });
    const ahead = Date.now() + 86_400_000;
    const at = new Date().toISOString();
    await bury(topic, [
      letterOf({ offset: 1, at, timestampMs: Date.now() }),
      letterOf({ offset: 2, at, timestampMs: ahead }),
    ]);
    const [, second] = await read(topic);
    expect(second).toMatchObject({ value: Buffer.from("value"), timestampMs: Date.parse(at) });
    expect(header(second, "penstock.timestamp")).toBe(String(ahead));
  });

  test("is made where it is missing, to keep letters however old their records are; also when it is deleted meanwhile", async () => {
    const topic = freshName("dead");
    const deadLetters = await openDeadLetters(topic);
    refuse(await deadLetters.send([letterOf({ offset: 1 })]));
    expect(unwrap(await topics.config(topic, "retention.ms"))).toBe("-1");
    expect(unwrap(await topics.config(topic, "cleanup.policy"))).toBe("delete");
    expect(await read(topic)).toHaveLength(1);

    refuse(await topics.remove(topic));
    await until("the topic is made again", async () => {
      const problem = await deadLetters.send([letterOf({ offset: 2 })]);
      // The broker's own word until the producer has looked anew.
      if (problem !== undefined) expect(problem.code).toBe("kafka-unavailable");
      return problem === undefined;
    });
    const again = await read(topic);
    expect(again.map((record) => header(record, "__connect.errors.offset"))).toEqual(["2"]);
    await deadLetters.close();
  });
});

describe("a pipeline with a topic of dead letters", () => {
  let place: FixturePlace;
  let sync: Sync;
  afterEach(async () => {
    await sync.close();
    place.remove();
  });

  test("does not halt for large ones, nor for one too large", async () => {
    const { spec, topic, deadLetterTopic } = await open();
    const sound = flights(20);
    const broken = [290_000, 290_000, 290_000, 290_000, 1_048_400].map((size, n) => ({
      key: Buffer.from(`broken ${n}`),
      value: Buffer.alloc(size, "x"),
      timestampMs: 5000 + n,
    }));
    await append(topic, [...sound.slice(0, 10), ...broken, ...sound.slice(10)]);
    unwrap(await sync.start(spec));
    await until("everything is committed", () => committed() === 25);
    expect(status()).toMatchObject({ deadLettered: 5 });

    const letters = await read(deadLetterTopic);
    expect(
      letters.map(({ key, timestampMs }) => [Buffer.from(key ?? []).toString(), timestampMs]),
    ).toEqual(broken.map((_, n) => [`broken ${n}`, 5000 + n]));
    expect(letters.map(({ value }) => value?.length)).toEqual([
      290_000, 290_000, 290_000, 290_000, 0,
    ]);
    expect(header(letters[4], "penstock.value.omitted")).toBe("1048400");
    const kept = sync.deadLetters(spec.environment, spec.name, { offset: 0, limit: 10 });
    expect(kept.letters.map(({ value }) => value?.length)).toContain(1_048_400);
  });

  test("that cannot be made waits, says why, and goes on by itself once it can", async () => {
    const { spec, topic } = await open();
    // Kafka takes `a.b` and `a_b` for the same in its metrics' names, and refuses the second.
    const taken = freshName("dead_taken");
    refuse(await topics.create({ topic: taken, partitions: 1 }));
    const deadLetterTopic = taken.replace("dead_taken", "dead.taken");
    await append(topic, [{ key: Buffer.from("1"), value: Buffer.from("no JSON"), timestampMs: 1 }]);
    await append(topic, flights(5));
    unwrap(await sync.start({ ...spec, deadLetterTopic }));
    await until("it waits", () => committed() === 0 && status().state === "backing-off");
    expect(status().problem).toMatchObject({
      code: "dead-letter-topic-absent",
      message: expect.stringMatching(
        /dead\.taken.* does not exist, and it could not be made\. Kafka: .+/,
      ) as unknown,
    });

    refuse(await topics.remove(taken));
    await until("it goes on", () => committed() === 6);
    expect(status()).toMatchObject({ deadLettered: 1 });
    expect(status().problem).toBeUndefined();
    expect(await read(deadLetterTopic)).toHaveLength(1);
  });

  /** A pipeline of one partition from a topic of its own to a derived one. */
  async function open(): Promise<{ spec: PipelineSpec; topic: string; deadLetterTopic: string }> {
    place = freshPlace();
    sync = openSync(place);
    const topic = await freshTopic();
    const deadLetterTopic = freshName("dead");
    const spec = await specOf(place, {
      where: { kind: "servers", kafka: kafkaSchema.parse({ brokers: [servers.kafka] }) },
      environment: freshName("environment"),
      topic,
      sinks: [{ topic: freshName("derived") }],
      deadLetterTopic,
    });
    return { spec, topic, deadLetterTopic };
  }

  function status(): PipelineStatus {
    const [only] = sync.status();
    if (only === undefined) throw new Error("no pipeline");
    return only;
  }

  function committed(): number {
    const { state, problem, read: records } = status();
    if (state === "halted") throw new Error(`halted: ${problem?.message}`);
    return records;
  }
});

/** Distinct ones, none of them broken. */
function flights(count: number) {
  return flightsOf(seeded(1), { count, partitions: 1, startMs: 1000, broken: 0 }).records;
}

function letterOf(letter: Partial<DeadLetter> & { offset: number }): DeadLetter {
  return {
    topic: "flights",
    incarnation: "i",
    partition: 3,
    stage: "decode",
    reason: "it is broken",
    release: "release-1",
    key: Buffer.from("key"),
    value: Buffer.from("value"),
    headers: [],
    timestampMs: 1_000_000 + letter.offset,
    at: "2026-01-01T00:00:00.000Z",
    ...letter,
  };
}

async function openDeadLetters(topic: string) {
  const options = { topic, pipeline: "staging:delays" };
  return unwrap(
    await openDeadLetterTopic({ ...options, connection: CONNECTION, surroundings: SURROUNDINGS }),
  );
}

async function bury(topic: string, letters: readonly DeadLetter[]): Promise<void> {
  const deadLetters = await openDeadLetters(topic);
  refuse(await deadLetters.send(letters));
  await deadLetters.close();
}

/** All that a topic of one partition holds. */
async function read(topic: string): Promise<SourceRecord[]> {
  const records: SourceRecord[] = [];
  for (const { partition, first, end } of await reader.ranges(topic))
    for await (const some of reader.read(topic, partition, first, end)) records.push(...some);
  return records;
}

function header(record: SourceRecord | undefined, name: string): string | undefined {
  return textOf(record).find(([key]) => key === name)?.[1];
}

function textOf(record: SourceRecord | undefined): [string, string][] {
  return (record?.headers ?? []).map(({ key, value }) => [key, Buffer.from(value).toString()]);
}
