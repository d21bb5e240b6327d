import type { PartitionRange, Sink, TopicReader } from "../ports.ts";
import type { WorkerReport } from "./workers.ts";

/** Asks servers for numbers in the background: whoever reports the last known ones never waits for an answer. */
export type Measuring = {
  /** Asks `whom`, unless an earlier question to it is still open. What fails is asked again next time. */
  ask<T>(whom: object, question: () => Promise<T>, answered: (value: T) => void): void;
};

export function openMeasuring(): Measuring {
  const open = new WeakSet<object>();
  return {
    ask(whom, question, answered) {
      if (open.has(whom)) return;
      open.add(whom);
      void question()
        .then(answered, () => undefined)
        .finally(() => open.delete(whom));
    },
  };
}

/** How far the topics of these partitions reach, where nobody here reads them. */
export async function rangesOf(
  reader: Pick<TopicReader, "ranges">,
  places: readonly { topic: string }[],
): Promise<PartitionRange[]> {
  const topics = new Set(places.map(({ topic }) => topic));
  const ranges = await Promise.all([...topics].map((topic) => reader.ranges(topic)));
  return ranges.flat();
}

type SinkCount = WorkerReport["sinks"][number];

/** The sinks that have been counted, in their order, each with its last known number. */
export function withCount(
  counted: readonly SinkCount[],
  sinks: readonly Pick<Sink, "name">[],
  one: SinkCount,
): SinkCount[] {
  const byName = new Map(counted.map((sink) => [sink.name, sink]));
  byName.set(one.name, one);
  return sinks.flatMap((sink) => byName.get(sink.name) ?? []);
}
