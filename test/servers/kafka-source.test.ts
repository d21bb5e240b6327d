import { afterAll, describe } from "vitest";
import { sourceConformance } from "#promote/sync/source-conformance.ts";
import {
  append,
  freshName,
  freshTopic,
  openSource,
  producer,
  refuse,
  topics,
} from "./kafka-fixture.ts";

afterAll(async () => {
  await producer.close();
  await topics.close();
});

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
