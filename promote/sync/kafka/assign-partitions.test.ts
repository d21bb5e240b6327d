import * as fc from "fast-check";
import { expect, test } from "vitest";
import { assignPartitions } from "./assign-partitions.ts";
import { partitionOf } from "./partitioner.ts";

test("every partition of a topic somebody reads goes to one reader of it, evenly, whatever the order of the members", () => {
  const topics = ["a", "b", "c"];
  const members = fc.uniqueArray(
    fc.record({
      memberId: fc.string({ minLength: 1, maxLength: 4 }),
      topics: fc.subarray(topics),
    }),
    { selector: ({ memberId }) => memberId, maxLength: 5 },
  );
  const counts = fc.record(
    Object.fromEntries(topics.map((topic) => [topic, fc.integer({ min: 0, max: 9 })])),
  );
  fc.assert(
    fc.property(members, counts, (subscriptions, partitions) => {
      const shares = assignPartitions(subscriptions, new Map(Object.entries(partitions)));
      const dealt = [...shares].flatMap(([memberId, share]) =>
        Object.entries(share).flatMap(([topic, numbers]) =>
          numbers.map((partition) => ({ memberId, topic, partition })),
        ),
      );
      for (const topic of topics) {
        const readers = subscriptions.filter((member) => member.topics.includes(topic));
        const of = dealt.filter((one) => one.topic === topic);
        expect(of.map(({ partition }) => partition).toSorted((a, b) => a - b)).toEqual(
          readers.length === 0 ? [] : [...Array(partitions[topic] ?? 0).keys()],
        );
        expect(of.every(({ memberId }) => readers.some((one) => one.memberId === memberId))).toBe(
          true,
        );
        const each = readers.map((one) => of.filter((d) => d.memberId === one.memberId).length);
        if (each.length > 0) expect(Math.max(...each) - Math.min(...each)).toBeLessThan(2);
      }
      const turned = assignPartitions(
        subscriptions.toReversed(),
        new Map(Object.entries(partitions).toReversed()),
      );
      expect(Object.fromEntries(turned)).toEqual(Object.fromEntries(shares));
    }),
  );
});

/** From org.apache.kafka.common.utils.UtilsTest (murmur2), made positive, modulo a thousand. */
test.each([
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
])("a key goes where Java's producer sends it: %s", (key, hash) => {
  expect(partitionOf(Buffer.from(key), 1000)).toBe((hash & 0x7fffffff) % 1000);
});
