import type { Epoch } from "#promote/sync/order/epochs.ts";

/** Epochs that one event opened, one a partition. */
export type EpochEvent = {
  key: string;
  reason: string;
  release: string;
  openedAt: string;
  topics: string[];
  epochs: Epoch[];
  /** Until when records of the transition are ordered by their time; after partitions were added. */
  untilMs?: number;
};

/** Partitions are opened one after another, as workers come to them. */
const TOGETHER_MS = 60_000;

/** What befalls one topic. Everything else opens epochs in all topics that are read. */
const OF_ONE_TOPIC = ["partitions added", "topic made again"];

/** The timeline, newest first: neighbours of one reason and release are one event. */
export function epochEvents(epochs: readonly Epoch[]): EpochEvent[] {
  const events: EpochEvent[] = [];
  for (const epoch of epochs) {
    const last = events.at(-1);
    const before = last?.epochs.at(-1);
    const isSame =
      last !== undefined &&
      before !== undefined &&
      last.reason === epoch.reason &&
      last.release === epoch.release &&
      (before.topic === epoch.topic || !OF_ONE_TOPIC.includes(epoch.reason)) &&
      before.ordering === epoch.ordering &&
      !last.epochs.some((other) => excludes(other, epoch)) &&
      Math.abs(Date.parse(epoch.openedAt) - Date.parse(before.openedAt)) < TOGETHER_MS;
    if (isSame) {
      last.epochs.push(epoch);
      if (!last.topics.includes(epoch.topic)) last.topics.push(epoch.topic);
      continue;
    }
    events.push({
      key: `${epoch.epoch}/${epoch.topic}/${epoch.incarnation}/${epoch.partition}`,
      reason: epoch.reason,
      release: epoch.release,
      openedAt: epoch.openedAt,
      topics: [epoch.topic],
      epochs: [epoch],
      ...(epoch.ordering === "timestamp" ? { untilMs: epoch.untilMs } : {}),
    });
  }
  return events.toReversed();
}

/** One event opens a partition once, and knows one making of a topic. */
function excludes(one: Epoch, other: Epoch): boolean {
  if (one.topic !== other.topic) return false;
  return one.partition === other.partition || one.incarnation !== other.incarnation;
}

const WHY: Record<string, string> = {
  start: "began",
  release: "took over",
  "partitions added": "partitions were added",
  "topic made again": "the topic was made again",
  repair: "repair",
  "dead letters replayed": "dead letters replayed",
};

export function why(reason: string): string {
  return WHY[reason] ?? reason;
}

/** "1024" or "1024–1026". */
export function numbers({ epochs }: EpochEvent): string {
  const all = epochs.map(({ epoch }) => epoch);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  return low === high ? String(low) : `${low}–${high}`;
}
