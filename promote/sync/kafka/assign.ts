import type { Assignment } from "../ports.ts";
import type { Member, TopicPartition } from "./group.ts";
import type { Held } from "./held.ts";
import { EARLIEST, LATEST, leaderOf, listOffsets, placeKey } from "./list-offsets.ts";
import type { Start, Worker } from "./worker.ts";

/**
 * A committed offset carries the id of the topic it counts in, so that it is never taken for an offset of one made again, and the epoch it was
 * committed in, so that who has lost the epochs (the state database) does not begin below what the sinks hold.
 */
const NOTE = "penstock topic=";

export function noteOf(topicId: string, epoch: number | undefined): string {
  return `${NOTE}${topicId}${epoch === undefined ? "" : ` epoch=${epoch}`}`;
}

/** A note of another tool (an operator's reset, say) does not say which topic was meant: it is this one. */
function isOfTopic(note: string, topicId: string): boolean {
  return !note.startsWith(NOTE) || note.split(" ")[1] === `topic=${topicId}`;
}

function epochIn(note: string): { epoch?: number } {
  const found = /^penstock topic=\S+ epoch=(\d{1,7})$/.exec(note)?.[1];
  return found === undefined ? {} : { epoch: Number(found) };
}

export type Taken = { assignment: Assignment; held: Held };

/** What the caller is told of partitions the group gave this worker, each of which has a leader. */
export async function takePartitions(
  worker: Worker,
  member: Member,
  places: readonly TopicPartition[],
  start: Start,
  isNew: (topic: string) => boolean,
): Promise<Taken[]> {
  const { client, topics } = worker;
  if (places.length === 0) return [];
  const committed = await member.committed(places);
  const firsts = await listOffsets(client, topics, places, EARLIEST);
  const ends = await listOffsets(client, topics, places, LATEST);
  const times =
    typeof start === "object" && "timestampMs" in start
      ? await listOffsets(client, topics, places, start.timestampMs)
      : undefined;
  return places.map((place) => {
    const { topic, partition } = place;
    const key = placeKey(place);
    const known = topics.get(topic);
    const incarnation = known?.id ?? "";
    const first = firsts.get(key) ?? 0;
    const end = ends.get(key) ?? first;
    const mark = committed.find((c) => c.topic === topic && c.partition === partition);
    const isOurs = mark !== undefined && mark.offset >= 0 && isOfTopic(mark.note, incarnation);
    const isMadeAgain = mark !== undefined && mark.offset >= 0 && !isOurs;
    const isAllLater = isMadeAgain || (start === "latest" && isNew(topic));
    const from = isAllLater
      ? first
      : startOffset(start, place, { first, end, atTime: times?.get(key) ?? -1 });
    const leader = leaderOf(topics, place);
    return {
      assignment: {
        topic,
        partition,
        incarnation,
        first,
        start: from,
        committed: isOurs ? mark.offset : null,
        ...epochIn(mark?.note ?? ""),
        partitions: known?.partitions.length ?? 1,
      },
      held: {
        topic,
        partition,
        topicId: incarnation,
        leader,
        position: undefined,
        isPaused: false,
        isLeaving: false,
        isAbsent: false,
        first,
        end,
        rangeAt: performance.now(),
        queue: [],
        gap: { from: -1, to: -1 },
      },
    };
  });
}

function startOffset(
  start: Start,
  place: TopicPartition,
  { first, end, atTime }: { first: number; end: number; atTime: number },
): number {
  if (start === "earliest") return first;
  if (start === "latest") return end;
  if ("timestampMs" in start) return atTime >= 0 ? atTime : end;
  const key = placeKey(place);
  return start.offsets.find((offset) => placeKey(offset) === key)?.offset ?? first;
}
