import { afterAll, describe } from "vitest";
import { openKafkaSink } from "#promote/sync/kafka/sink.ts";
import { sinkConformance } from "#promote/sync/sink-conformance.ts";
import { CONNECTION, freshName, producer, refuse, SURROUNDINGS, topics } from "./kafka-fixture.ts";

afterAll(async () => {
  await producer.close();
  await topics.close();
});

describe("a Kafka topic as a Sink", () => {
  sinkConformance(
    async () => {
      const topic = freshName("sink");
      return {
        open: () =>
          openKafkaSink({
            name: "kafka",
            connection: CONNECTION,
            surroundings: SURROUNDINGS,
            topic,
            partitions: 3,
          }),
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
