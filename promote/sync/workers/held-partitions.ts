import type { DatabaseSync } from "node:sqlite";
import { isAmongTopics, type TopicChoice } from "#snapshots/topic-choice.ts";
import { listEpochs, type PipelineId } from "../order/epochs.ts";
import type { PipelineEvent } from "../events.ts";
import type { PartitionRange } from "../ports.ts";
import { readOffset } from "../order/stretch-offsets.ts";
import type { WorkerReport } from "./workers.ts";

type Partition = WorkerReport["partitions"][number];
type Place = { topic: string; partition: number };

/** Which partitions a worker reads, and how far it has come in each. */
export type HeldPartitions = {
  list(): Partition[];
  /** Whether the ends of the topic are known, and so how far behind it is. */
  isMeasured(): boolean;
  /** None, until they are assigned. */
  forget(): void;
  /** All those of the pipeline, as far as it has come: where nobody reads, each of its workers tells of each. */
  recall(topics: TopicChoice): void;
  note(event: PipelineEvent): void;
  measure(ranges: readonly PartitionRange[]): void;
};

export function openHeldPartitions(state: DatabaseSync, id: PipelineId): HeldPartitions {
  const held = new Map<string, Partition>();
  let isMeasured = false;

  function reached(at: Place & { epoch: number; offset?: number }): void {
    const { topic, partition, epoch } = at;
    const known = held.get(keyOf(at));
    const offset = at.offset ?? known?.offset ?? 0;
    held.set(keyOf(at), {
      topic,
      partition,
      epoch: Math.max(epoch, known?.epoch ?? 0),
      offset,
      end: Math.max(offset, known?.end ?? 0),
    });
  }

  return {
    list: () => [...held.values()],
    isMeasured: () => isMeasured,
    forget() {
      held.clear();
      isMeasured = false;
    },
    recall(topics) {
      const ends = new Map([...held].map(([key, { end }]) => [key, end]));
      this.forget();
      const isRead = isAmongTopics(topics);
      const epochs = listEpochs(state, id).filter(({ topic }) => isRead(topic));
      const newest = new Map(epochs.map(({ topic, incarnation }) => [topic, incarnation]));
      for (const epoch of epochs.filter((one) => one.incarnation === newest.get(one.topic))) {
        const offset = readOffset(state, id, epoch) ?? epoch.firstOffset;
        const { topic, partition } = epoch;
        const end = Math.max(offset, ends.get(keyOf(epoch)) ?? 0);
        held.set(keyOf(epoch), { topic, partition, epoch: epoch.epoch, offset, end });
      }
    },
    note(event) {
      switch (event.kind) {
        case "assigned":
          isMeasured = false;
          return reached({ ...event.epoch, offset: event.offset });
        case "revoked":
          for (const place of event.partitions) held.delete(keyOf(place));
          return;
        case "epoch":
          return reached(event.epoch);
        case "committed": {
          const { stretch, epoch, next } = event.piece;
          return reached({ ...stretch, epoch: epoch.epoch, offset: next });
        }
        default:
          return;
      }
    },
    measure(ranges) {
      for (const { end, ...place } of ranges) {
        const known = held.get(keyOf(place));
        if (known !== undefined) held.set(keyOf(place), { ...known, end });
      }
      const isEmpty = ranges.every(({ first, end }) => end === first);
      if (ranges.length > 0 && (isEmpty || held.size > 0)) isMeasured = true;
    },
  };
}

function keyOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`;
}
