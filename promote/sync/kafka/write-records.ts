import { mostBytesOf, openBatch, type BatchBuilder, type BatchRecord } from "./batch-builder.ts";
import type { BatchWriter, Written } from "./writer.ts";

/** A batch must stay below the topic's `max.message.bytes` (1 MiB by default). */
export const BATCH_BYTES = 900_000;

export type NotWritten = Exclude<Written, { kind: "written" }>;

/** Records by number. */
export type Writing = {
  topic: string;
  writer: BatchWriter;
  partition(record: number): number;
  /** The record `partition` was last asked for; valid until the next. */
  encoded(record: number): BatchRecord;
  /** What a batch does not grow beyond, before compression; a larger record goes alone. */
  batchBytes: number;
  /** `tooLarge` and `wrongTime` are said of one record alone. `again`: there is something else to write in its place. */
  refused(records: readonly number[], why: NotWritten): "pass over" | "again" | "stop";
};

type Filled = { partition: number; batch: BatchBuilder; records: readonly number[] };

const ROOM_BYTES = 1 << 16;

/**
 * Writes records in batches, those of one partition in their order. A batch with something in it that the topic does not take goes again in halves, down to single records.
 * Answers whether all were gone through.
 */
export async function writeRecords(writing: Writing, records: Iterable<number>): Promise<boolean> {
  const { topic, writer } = writing;
  const queues = fillBatches(writing, records);
  for (let round = 0; ; round++) {
    const filled = queues.flatMap((queue) => queue[round] ?? []);
    if (filled.length === 0) return true;
    const written = await writer.write(
      filled.map(({ partition, batch }) => ({ topic, partition, batch })),
    );
    for (const [n, { records: some }] of filled.entries())
      if (!(await settle(writing, some, written[n]))) return false;
  }
}

async function settle(
  writing: Writing,
  records: readonly number[],
  written: Written | undefined,
): Promise<boolean> {
  if (written === undefined || written.kind === "written") return true;
  if (isOfOne(written) && records.length > 1) {
    const middle = records.length >> 1;
    const isThrough = await writeRecords(writing, records.slice(0, middle));
    return isThrough && writeRecords(writing, records.slice(middle));
  }
  const next = writing.refused(records, written);
  return next === "again" ? writeRecords(writing, records) : next === "pass over";
}

/** Whether the others of a batch may pass without the one that it is about. */
function isOfOne({ kind }: NotWritten): boolean {
  return kind === "tooLarge" || kind === "wrongTime";
}

/** By partition. */
export function fillBatches(
  writing: Pick<Writing, "partition" | "encoded" | "batchBytes">,
  records: Iterable<number>,
): Filled[][] {
  const byPartition = new Map<number, (Filled & { records: number[] })[]>();
  for (const i of records) {
    const partition = writing.partition(i);
    const record = writing.encoded(i);
    let queue = byPartition.get(partition);
    if (queue === undefined) byPartition.set(partition, (queue = []));
    let filled = queue.at(-1);
    const size = (filled?.batch.sizeBytes() ?? 0) + mostBytesOf(record);
    if (filled === undefined || size > writing.batchBytes) {
      filled = { partition, batch: openBatch(ROOM_BYTES), records: [] };
      queue.push(filled);
    }
    filled.batch.add(record);
    filled.records.push(i);
  }
  return [...byPartition.values()];
}
