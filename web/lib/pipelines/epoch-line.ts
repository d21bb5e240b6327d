import type { Epoch } from "#promote/sync/epochs.ts";

/** Epochs that one event opened, one a partition. */
export type EpochEvent = {
  key: string;
  reason: string;
  release: string;
  openedAt: string;
  topic: string;
  epochs: Epoch[];
  /** Until when records of the transition are ordered by their time; after partitions were added. */
  untilMs?: number;
};

/** Partitions are opened one after another, as workers come to them. */
const TOGETHER_MS = 60_000;

/** The timeline, newest first: neighbours of one reason, release and making of the topic are one event. */
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
      before.topic === epoch.topic &&
      before.incarnation === epoch.incarnation &&
      before.ordering === epoch.ordering &&
      !last.epochs.some(({ partition }) => partition === epoch.partition) &&
      Math.abs(Date.parse(epoch.openedAt) - Date.parse(before.openedAt)) < TOGETHER_MS;
    if (isSame) {
      last.epochs.push(epoch);
      continue;
    }
    events.push({
      key: `${epoch.epoch}/${epoch.topic}/${epoch.incarnation}/${epoch.partition}`,
      reason: epoch.reason,
      release: epoch.release,
      openedAt: epoch.openedAt,
      topic: epoch.topic,
      epochs: [epoch],
      ...(epoch.ordering === "timestamp" ? { untilMs: epoch.untilMs } : {}),
    });
  }
  return events.toReversed();
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
