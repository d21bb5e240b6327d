import { join } from "node:path";
import { fail, ok, ProblemError, unwrap, type Result } from "#snapshots/problem.ts";
import type { TopicReader } from "../ports.ts";
import { readIncarnation } from "./log-files.ts";
import { openFileLogReader, type FileLogReader } from "./log-reader.ts";

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
    async offsetAt(topic, _partition, timestampMs) {
      const reader = openFileLogReader(join(topics, topic), 0);
      try {
        return unwrap(await offsetAt(reader, timestampMs));
      } finally {
        await reader.close();
      }
    },
    read,
    close: async () => {},
  };
}

/** The first record of that time or later; the log's end where there is none. */
export async function offsetAt(
  reader: FileLogReader,
  timestampMs: number,
): Promise<Result<number>> {
  const { first, end } = await reader.range();
  reader.seek(first);
  while (reader.position() < end) {
    const { records, problem } = await reader.read(BATCH_RECORDS, BATCH_BYTES);
    const found = records.find((record) => record.timestampMs >= timestampMs);
    if (found !== undefined) return ok(found.offset);
    if (problem !== undefined) return fail(problem);
    if (records.length === 0) break;
  }
  return ok(end);
}
