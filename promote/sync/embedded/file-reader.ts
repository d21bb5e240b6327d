import { join } from "node:path";
import { ProblemError } from "#snapshots/problem.ts";
import type { TopicReader } from "../ports.ts";
import { readIncarnation } from "./log-files.ts";
import { openFileLogReader } from "./log-reader.ts";

const BATCH_RECORDS = 16_384;
const BATCH_BYTES = 8 << 20;

/** Topics in folders, read apart from any pipeline. */
export function openFileTopicReader(topics: string): TopicReader {
  async function range(topic: string): Promise<{ first: number; end: number }> {
    const reader = openFileLogReader(join(topics, topic), 0);
    try {
      return await reader.range();
    } finally {
      await reader.close();
    }
  }

  async function* read(
    topic: string,
    _partition: number,
    from: number,
    to: number,
    signal?: AbortSignal,
  ): ReturnType<TopicReader["read"]> {
    const reader = openFileLogReader(join(topics, topic), 0);
    try {
      const { first, end } = await reader.range();
      const stop = Math.min(to, end);
      const isWanted = (): boolean => signal?.aborted !== true;
      reader.seek(Math.max(from, first));
      while (reader.position() < stop && isWanted()) {
        const most = Math.min(BATCH_RECORDS, stop - reader.position());
        const { records, problem } = await reader.read(most, BATCH_BYTES);
        if (problem !== undefined) throw new ProblemError(problem);
        if (records.length === 0) return;
        yield records;
      }
    } finally {
      await reader.close();
    }
  }

  return {
    incarnation: async (topic) => readIncarnation(join(topics, topic)),
    ranges: async (topic) =>
      readIncarnation(join(topics, topic)) === undefined
        ? []
        : [{ topic, partition: 0, ...(await range(topic)) }],
    async offsetAt(topic, partition, timestampMs) {
      const { first, end } = await range(topic);
      for await (const records of read(topic, partition, first, end)) {
        const found = records.find((record) => record.timestampMs >= timestampMs);
        if (found !== undefined) return found.offset;
      }
      return end;
    },
    read,
    close: async () => {},
  };
}
