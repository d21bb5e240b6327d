import { WRITTEN, type Outcome, type SinkBatch } from "../ports.ts";
import { openBatch, type BatchBuilder } from "./batch-builder.ts";
import { recordWriter, type RecordShape } from "./sink-records.ts";
import type { BatchWriter, Written } from "./writer.ts";

export type WriteTarget = {
  topic: string;
  partitions: number;
  writer: BatchWriter;
  batchBytes: number;
  nowMs: () => number;
};

const RETRY_MS = 200;
const ROOM_BYTES = 1 << 16;

/** A record batch being filled, and the operations in it. */
type Filling = { partition: number; batch: BatchBuilder; operations: number[] };

/** Writes every operation of a batch; one whose record the topic finds too large is rejected, alone. */
export async function writeOperations(
  batch: SinkBatch,
  shape: RecordShape,
  target: WriteTarget,
): Promise<Outcome[]> {
  const records = recordWriter(batch, shape);
  const outcomes: Outcome[] = Array.from({ length: batch.count }, () => WRITTEN);

  function fill(operations: Iterable<number>): Filling[][] {
    const byPartition = new Map<number, Filling[]>();
    const nowMs = target.nowMs();
    for (const i of operations) {
      const partition = records.partition(i, target.partitions);
      let fillings = byPartition.get(partition);
      if (fillings === undefined) byPartition.set(partition, (fillings = []));
      let filling = fillings.at(-1);
      if (filling === undefined || filling.batch.sizeBytes() >= target.batchBytes) {
        filling = { partition, batch: openBatch(ROOM_BYTES), operations: [] };
        fillings.push(filling);
      }
      records.add(i, nowMs, filling.batch);
      filling.operations.push(i);
    }
    return [...byPartition.values()];
  }

  async function send(queues: Filling[][]): Promise<void> {
    for (let round = 0; ; round++) {
      const fillings = queues.flatMap((queue) => queue[round] ?? []);
      if (fillings.length === 0) return;
      const { topic, writer } = target;
      const written = await writer.write(
        fillings.map(({ partition, batch: filled }) => ({ topic, partition, batch: filled })),
      );
      for (const [n, { operations }] of fillings.entries()) await settle(operations, written[n]);
    }
  }

  async function settle(operations: number[], written: Written | undefined): Promise<void> {
    if (written === undefined || written.kind === "written") return;
    if (written.kind === "tooLarge" && operations.length > 1) {
      const middle = operations.length >> 1;
      await send(fill(operations.slice(0, middle)));
      await send(fill(operations.slice(middle)));
      return;
    }
    for (const i of operations) outcomes[i] = outcomeOf(written, target.topic);
  }

  await send(fill(batch.row.keys()));
  return outcomes;
}

function outcomeOf(written: Exclude<Written, { kind: "written" }>, topic: string): Outcome {
  switch (written.kind) {
    case "tooLarge":
      return {
        kind: "reject",
        reason: `the row is larger than topic ${topic} takes (max.message.bytes)`,
      };
    case "transient":
      return { kind: "retryAfter", afterMs: RETRY_MS, problem: written.problem };
    case "halt":
      return { kind: "halt", problem: written.problem };
  }
}
