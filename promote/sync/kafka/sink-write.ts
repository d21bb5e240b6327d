import { WRITTEN, type Outcome, type SinkBatch } from "../ports.ts";
import { recordWriter, type RecordShape } from "./sink-records.ts";
import { writeRecords, type NotWritten, type Writing } from "./write-records.ts";
import type { BatchWriter } from "./writer.ts";

export type WriteTarget = {
  topic: string;
  partitions: number;
  writer: BatchWriter;
  batchBytes: number;
  nowMs: () => number;
};

const RETRY_MS = 200;

/** Writes every operation of a batch; one whose record the topic finds too large is rejected, alone. */
export async function writeOperations(
  batch: SinkBatch,
  shape: RecordShape,
  { topic, partitions, writer, batchBytes, nowMs }: WriteTarget,
): Promise<Outcome[]> {
  const records = recordWriter(batch, shape);
  const outcomes: Outcome[] = Array.from({ length: batch.count }, () => WRITTEN);
  const timestampMs = nowMs();
  const writing: Writing = {
    topic,
    writer,
    batchBytes,
    partition: (i) => records.partition(i, partitions),
    encoded: (i) => records.record(i, timestampMs),
    refused(operations, why) {
      for (const i of operations) outcomes[i] = outcomeOf(why, topic);
      return "pass over";
    },
  };
  await writeRecords(writing, batch.row.keys());
  return outcomes;
}

function outcomeOf(written: NotWritten, topic: string): Outcome {
  switch (written.kind) {
    case "tooLarge":
      return {
        kind: "reject",
        reason: `the row is larger than topic ${topic} takes (max.message.bytes)`,
      };
    case "wrongTime":
    case "transient":
      return { kind: "retryAfter", afterMs: RETRY_MS, problem: written.problem };
    case "halt":
      return { kind: "halt", problem: written.problem };
  }
}
