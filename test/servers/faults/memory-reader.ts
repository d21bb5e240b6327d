import type { SourceRecord, TopicReader } from "#promote/sync/ports.ts";
import type { FlightRecord } from "./flights.ts";

/** A topic that is gone, as it was written: what was handled of it. */
export function readerOf(
  topic: string,
  incarnation: string,
  written: readonly FlightRecord[],
  handled: readonly { partition: number; to: number }[],
): TopicReader {
  const recordsOf = (partition: number): SourceRecord[] =>
    written
      .filter((record) => record.partition === partition)
      .map(({ key, value, timestampMs }, offset) => ({
        offset,
        timestampMs,
        key,
        value,
        headers: [],
      }));
  return {
    incarnation: async () => incarnation,
    ranges: async () =>
      handled.map(({ partition, to }) => ({ topic, partition, first: 0, end: to })),
    offsetAt: async () => 0,
    async *read(_topic, partition, from, to) {
      yield recordsOf(partition).slice(from, to);
    },
    close: async () => undefined,
  };
}
