import type { KafkaClient } from "./client.ts";
import type { TopicPartition } from "./group.ts";
import type { TopicMetadata } from "./metadata.ts";

/** ListOffsets's names for the ends of a log; any other number is a time in ms. */
export const EARLIEST = -2;
export const LATEST = -1;
const READ_COMMITTED = 1;

/** Offsets by `topic/partition`: an end of the log, or the first record at or after a time (−1: none). "Latest" stops at open transactions. */
export async function listOffsets(
  client: KafkaClient,
  topics: ReadonlyMap<string, TopicMetadata>,
  partitions: readonly TopicPartition[],
  timestamp: number,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const byLeader = Map.groupBy(partitions, (place) => leaderOf(topics, place));
  for (const [leader, places] of byLeader) {
    if (leader < 0) continue;
    const node = await client.node(leader);
    const { responses } = await node.listOffsets({
      isolationLevel: READ_COMMITTED,
      topics: [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, some]) => ({
        topic,
        partitions: some.map(({ partition }) => ({ partition, timestamp })),
      })),
    });
    for (const { topic, partitions: answers } of responses)
      for (const { partition, offset } of answers)
        found.set(placeKey({ topic, partition }), Number(offset));
  }
  return found;
}

/** −1: none for now. */
export function leaderOf(
  topics: ReadonlyMap<string, TopicMetadata>,
  { topic, partition }: TopicPartition,
): number {
  const known = topics.get(topic)?.partitions.find((found) => found.partition === partition);
  return known?.leader ?? -1;
}

export function placeKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
