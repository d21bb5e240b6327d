import { afterAll, describe, expect, test } from "vitest";
import { until } from "#promote/sync/fixture.ts";
import { sourceConformance } from "#promote/sync/conformance/source-conformance.ts";
import type { Source } from "#promote/sync/ports.ts";
import {
  append,
  closeFixture,
  freshName,
  freshTopic,
  KEPT,
  membersOf,
  nextAssigned,
  numbered,
  openSource,
  pollUntil,
  refuse,
  take,
  topics,
  valuesOf,
} from "./kafka-fixture.ts";

afterAll(closeFixture);

describe("Kafka as a Source", () => {
  sourceConformance(async () => {
    const topic = await freshTopic();
    const group = freshName("group");
    return {
      open: () => openSource({ topics: [topic], group }),
      append: (records) => append(topic, records),
      recreate: async () => {
        refuse(await topics.remove(topic));
        refuse(await topics.create({ topic, partitions: 1 }));
      },
      close: async () => refuse(await topics.remove(topic)),
    };
  });
});

describe("where reading starts when nothing is committed", () => {
  const cases = [
    { start: "earliest" as const, first: "0" },
    { start: { timestampMs: 1_000_005 }, first: "5" },
    { start: "latest" as const, first: "10" },
  ];
  test.each(cases)("$start", async ({ start, first }) => {
    const topic = await freshTopic();
    await append(topic, numbered(0, 10));
    const source = await openSource({ topics: [topic], start });
    const [assigned] = await nextAssigned(source);
    source.seek(topic, 0, assigned?.committed ?? assigned?.start ?? -1);
    await append(topic, numbered(10, 11));
    const values = new Set<string | null>();
    await pollUntil(source, (event) => {
      if (event.kind === "records") valuesOf(event.delivery.records).forEach((v) => values.add(v));
      return values.has("10");
    });
    expect([...values][0]).toBe(first);
    await source.close();
  });

  test("offsets of its own, and what is committed counts more", async () => {
    const topic = await freshTopic();
    const group = freshName("group");
    await append(topic, numbered(0, 10));
    const start = { offsets: [{ topic, partition: 0, offset: 7 }] };
    const first = await openSource({ topics: [topic], group, start });
    expect(valuesOf(await take(first, 3))).toEqual(["7", "8", "9"]);
    expect(await first.commit([{ topic, partition: 0, next: 9 }])).toBeUndefined();
    await first.close();
    const second = await openSource({ topics: [topic], group, start });
    expect(valuesOf(await take(second, 1))).toEqual(["9"]);
    await second.close();
  });
});

test("an epoch named with a commit is remembered; what was committed of a topic before it was made again is not", async () => {
  const topic = await freshTopic();
  const group = freshName("group");
  await append(topic, numbered(0, 3));
  const first = await openSource({ topics: [topic], group });
  expect((await nextAssigned(first))[0]?.epoch).toBeUndefined();
  expect(await first.commit([{ topic, partition: 0, next: 3, epoch: 1031 }])).toBeUndefined();
  await first.close();
  const second = await openSource({ topics: [topic], group });
  expect(await nextAssigned(second)).toMatchObject([{ committed: 3, epoch: 1031 }]);
  await second.close();
  refuse(await topics.remove(topic));
  refuse(await topics.create({ topic, partitions: 1 }));
  const third = await openSource({ topics: [topic], group });
  expect(await nextAssigned(third)).toMatchObject([{ committed: null }]);
  await third.close();
});

describe("several topics and partitions", () => {
  test("a pattern reads the topics it fits, also one made later", async () => {
    const stem = freshName("pattern");
    const [one, two, other] = [`${stem}-1`, `${stem}-2`, `other-${stem}`];
    refuse(await topics.create({ topic: one, partitions: 2 }));
    refuse(await topics.create({ topic: other, partitions: 1 }));
    await append(other, numbered(100, 101));
    await append(one, numbered(0, 2, 2));
    const source = await openSource({ topics: new RegExp(`^${stem}-`) });
    expect(new Set(valuesOf(await take(source, 2)))).toEqual(new Set(["0", "1"]));
    refuse(await topics.create({ topic: two, partitions: 1 }));
    await append(two, numbered(2, 3));
    const seen = new Set<string | null>();
    await pollUntil(source, (event) => {
      if (event.kind === "records") valuesOf(event.delivery.records).forEach((v) => seen.add(v));
      return seen.has("2");
    });
    expect(seen.has("100")).toBe(false);
    await source.close();
  });

  test("new partitions are noticed and read", async () => {
    const topic = await freshTopic(1);
    const group = freshName("group");
    const source = await openSource({ topics: [topic], group, metadataMaxAgeMs: 1500 });
    await append(topic, numbered(0, 5));
    await take(source, 5);
    refuse(await topics.addPartitions(topic, 3));
    await append(topic, [{ ...record("new"), partition: 2 }]);
    const partitions = new Set<number>();
    await pollUntil(source, (event) => {
      if (event.kind === "assigned")
        for (const { partition, partitions: total } of event.partitions)
          if (total === 3) partitions.add(partition);
      return event.kind === "records" && valuesOf(event.delivery.records).includes("new");
    });
    expect(partitions).toEqual(new Set([0, 1, 2]));
    await source.close();
  });

  test("a topic with a backlog, of which a partition is empty, leaves another its turn", async () => {
    const [heavy = "", light = ""] = [freshName("topic"), freshName("topic")].toSorted();
    const [others, rounds] = [7, 20];
    refuse(await topics.create({ topic: heavy, partitions: 1 + others, config: KEPT }));
    refuse(await topics.create({ topic: light, partitions: 1, config: KEPT }));
    /** As much as one fetch brings of a partition. */
    const tenOf = (partition: number) => {
      const value = Buffer.alloc(1000);
      return Array.from({ length: 10 }, () => ({ key: null, value, timestampMs: 1e6, partition }));
    };
    for (let round = 0; round < rounds; round++)
      await append(heavy, [1, 2, 3, 4, 5, 6, 7].flatMap(tenOf));
    await append(light, tenOf(0));
    const limits = { maxBytes: 25_000, maxBytesPerPartition: 11_000 };
    const source = await openSource({ topics: [heavy, light], ...limits });
    let before = 0;
    await pollUntil(source, (event) => {
      if (event.kind !== "records") return false;
      const { topic, records } = event.delivery;
      if (topic === heavy) before += records.length;
      return topic === light;
    });
    expect(before).toBeLessThan((rounds * 10 * others) / 2);
    await source.close();
  });

  test.each([
    ["a topic", (topic: string) => [topic]],
    ["the first of a pattern", (topic: string) => new RegExp(`^${topic}$`)],
  ])("%s that is not there yet is waited for", async (_, topicsOf) => {
    const topic = freshName("late");
    const source = await openSource({ topics: topicsOf(topic), start: "latest" });
    const waiting = await pollUntil(source, ({ kind }) => kind === "retryAfter");
    expect(waiting).toMatchObject({ problem: { code: "kafka-topic-absent" } });
    refuse(await topics.create({ topic, partitions: 1 }));
    // Before it is noticed.
    await append(topic, numbered(0, 1));
    expect(valuesOf(await take(source, 1))).toEqual(["0"]);
    await source.close();
  });
});

describe("a group of workers", () => {
  test("two share the partitions; when one closes the other goes on where it committed; nothing is lost", async () => {
    const topic = await freshTopic(4);
    const group = freshName("group");
    const total = 4000;
    const handled = new Map<string, number>();
    const committed = new Map<number, number>();
    const backwards: string[] = [];

    const handle = async (source: Source, stop: () => boolean): Promise<void> => {
      while (!stop()) {
        const event = await source.poll({ maxRecords: 50, maxBytes: 1 << 20, waitMs: 50 });
        if (event.kind === "halt") throw new Error(event.problem.message);
        if (event.kind === "assigned")
          for (const { partition, committed: mark } of event.partitions)
            if (mark !== null && mark < (committed.get(partition) ?? 0))
              backwards.push(`${partition}: ${mark} < ${committed.get(partition)}`);
        if (event.kind !== "records") continue;
        const { records, partition, next } = event.delivery;
        for (const value of valuesOf(records))
          handled.set(value ?? "", (handled.get(value ?? "") ?? 0) + 1);
        const problem = await source.commit([{ topic, partition, next }]);
        if (problem === undefined) committed.set(partition, next);
      }
    };
    const first = await openSource({ topics: [topic], group });
    let isFirstOver = false;
    const firstDone = handle(first, () => isFirstOver);
    await append(topic, numbered(0, total / 4, 4));
    const second = await openSource({ topics: [topic], group });
    const secondDone = handle(second, () => handled.size >= total);
    await append(topic, numbered(total / 4, total / 2, 4));
    await until("half of all is handled", () => handled.size >= total / 2);
    isFirstOver = true;
    await firstDone;
    await first.close();
    await append(topic, numbered(total / 2, total, 4));
    await secondDone;
    expect(handled.size).toBe(total);
    expect(backwards).toEqual([]);
    // All was committed before a partition moved, so nothing came twice.
    expect([...handled.values()].every((times) => times === 1)).toBe(true);
    await second.close();
  });

  test("partitions move only when the next poll says that what was in flight is finished; a later commit is refused without harm", async () => {
    const topic = await freshTopic(2);
    const group = freshName("group");
    await append(topic, numbered(0, 10, 2));
    const first = await openSource({ topics: [topic], group });
    await take(first, 10);
    const second = await openSource({ topics: [topic], group });
    await pollUntil(first, ({ kind }) => kind === "revoked");
    const before = await secondsWithout(second, "assigned", 800);
    expect(before).toBe(true);
    expect(await first.commit([{ topic, partition: 0, next: 4 }])).toBeUndefined();
    expect(await first.commit([{ topic, partition: 1, next: 4 }])).toBeUndefined();
    const [mine, others] = await Promise.all([nextAssigned(first), nextAssigned(second)]);
    expect([...mine, ...others].map(({ committed }) => committed)).toEqual([4, 4]);
    const gone = others[0]?.partition ?? -1;
    const kept = mine[0]?.partition ?? -1;
    const refused = await first.commit([
      { topic, partition: gone, next: 3 },
      { topic, partition: kept, next: 5 },
    ]);
    expect(refused?.code).toBe("kafka-not-assigned");
    await first.close();
    await second.close();
    const third = await openSource({ topics: [topic], group });
    const found = await nextAssigned(third);
    expect(new Map(found.map((one) => [one.partition, one.committed]))).toEqual(
      new Map([
        [gone, 4],
        [kept, 5],
      ]),
    );
    await third.close();
  });

  test("a session timeout that the broker does not allow needs a person, and is named", async () => {
    const source = await openSource({ topics: [await freshTopic()], sessionTimeoutMs: 500 });
    await expect(pollUntil(source, ({ kind }) => kind === "assigned")).rejects.toThrow(
      /^kafka-session-timeout: .*session timeout is not within the range/,
    );
    await source.close();
  });

  test("a slow pipeline stays in the group", async () => {
    const topic = await freshTopic(1);
    await append(topic, numbered(0, 2));
    const group = freshName("group");
    const source = await openSource({ topics: [topic], group, sessionTimeoutMs: 6000 });
    await take(source, 2);
    const members = await membersOf(group);
    expect(members).toHaveLength(1);
    const overMs = Date.now() + 8000;
    await until("without a heartbeat its session would be over", async () => {
      expect(await membersOf(group)).toEqual(members);
      return Date.now() > overMs;
    });
    expect(await source.commit([{ topic, partition: 0, next: 2 }])).toBeUndefined();
    await append(topic, numbered(2, 3));
    const event = await pollUntil(source, ({ kind }) => kind !== "idle");
    expect(event.kind).toBe("records");
    await source.close();
  });
});

describe("a topic made again while it is read", () => {
  test("gives the old partitions up and the new ones with another incarnation and nothing committed", async () => {
    const topic = await freshTopic(2);
    const group = freshName("group");
    await append(topic, numbered(0, 20, 2));
    const source = await openSource({ topics: [topic], group });
    const [before] = await nextAssigned(source);
    await take(source, 20);
    await source.commit([0, 1].map((partition) => ({ topic, partition, next: 10 })));
    refuse(await topics.remove(topic));
    await pollUntil(source, ({ kind }) => kind === "retryAfter");
    refuse(await topics.create({ topic, partitions: 2 }));
    await append(topic, numbered(50, 54, 2));
    await pollUntil(source, ({ kind }) => kind === "revoked");
    const after = await nextAssigned(source);
    expect(after.map(({ committed, first }) => [committed, first])).toEqual([
      [null, 0],
      [null, 0],
    ]);
    expect(after[0]?.incarnation).not.toBe(before?.incarnation);
    expect(new Set(valuesOf(await take(source, 4)))).toEqual(new Set(["50", "51", "52", "53"]));
    await source.close();
  });
});

describe("what a log does not hold", () => {
  test("an offset it does not have stops the source: it never jumps", async () => {
    const topic = await freshTopic(1);
    await append(topic, numbered(0, 3));
    const source = await openSource({ topics: [topic] });
    await nextAssigned(source);
    source.seek(topic, 0, 99);
    await expect(pollUntil(source, ({ kind }) => kind === "records")).rejects.toThrow(
      /kafka-offset-out-of-range.*no offset 99.*0\.\.3/,
    );
    await source.close();
  });
});

function record(value: string) {
  return { key: Buffer.from("k"), value: Buffer.from(value), timestampMs: 1 };
}

async function secondsWithout(source: Source, kind: string, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const event = await source.poll({ maxRecords: 1, maxBytes: 1, waitMs: 50 });
    if (event.kind === kind) return false;
  }
  return true;
}
