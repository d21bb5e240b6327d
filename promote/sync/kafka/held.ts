import type { Problem } from "#snapshots/problem.ts";
import type { Delivery, PollRequest, SourceRecord } from "../ports.ts";
import type { Fetched } from "./fetch.ts";
import { decodeBatches, endOfBatches } from "./records.ts";

/** A partition this worker reads, and what was fetched of it and not yet polled. */
export type Held = {
  topic: string;
  partition: number;
  topicId: string;
  leader: number;
  /** Where the next fetch begins; undefined until the caller has seen the assignment. */
  position: number | undefined;
  isPaused: boolean;
  /** Given up with the next poll: nothing more is fetched or delivered. */
  isLeaving: boolean;
  /** Its topic was not there, or only another under its name, when the topics were last looked at: nothing is fetched. */
  isAbsent: boolean;
  first: number;
  end: number;
  rangeAt: number;
  queue: Chunk[];
  /** Offsets behind the last delivery that hold no record. */
  gap: { from: number; to: number };
};

/** What one fetch brought, decoded when it is first polled. */
type Chunk = {
  /** As it came; once decoded, of its records, which compression may have made a hundredth. */
  bytes: number;
  from: number;
  next: number;
  source: Pick<Fetched, "batches" | "aborted"> | undefined;
  records: readonly SourceRecord[];
  at: number;
};

/** How many fetches of one partition may wait to be polled: one is handled while the next comes. */
const AHEAD = 2;

export function isFetchable(held: Held): boolean {
  return (
    held.position !== undefined && !held.isPaused && !held.isLeaving && held.queue.length < AHEAD
  );
}

export function bufferedBytes(all: Iterable<Held>): number {
  let bytes = 0;
  for (const held of all) for (const chunk of held.queue) bytes += chunk.bytes;
  return bytes;
}

export function seekTo(held: Held, offset: number): void {
  held.position = offset;
  held.queue = [];
  held.gap = { from: -1, to: -1 };
}

export function addFetched(held: Held, fetched: Fetched): void {
  const from = held.position ?? 0;
  const next = endOfBatches(fetched.batches, from);
  if (next === from) return;
  const { batches, aborted } = fetched;
  const source = { batches, aborted };
  held.queue.push({ bytes: batches.length, from, next, source, records: [], at: 0 });
  held.position = next;
}

/** The next records of a partition, within the request's limits; undefined where there are none. */
export function takeDelivery(held: Held, request: PollRequest): Delivery | Problem | undefined {
  if (held.isPaused || held.isLeaving) return undefined;
  for (let chunk = held.queue[0]; chunk !== undefined; chunk = held.queue[0]) {
    const problem = decodeChunk(chunk);
    if (problem !== undefined) return problem;
    const to = endOfSlice(chunk, request);
    const isLast = to === chunk.records.length;
    if (isLast) held.queue.shift();
    if (to === chunk.at) {
      held.gap = { from: held.gap.to === chunk.from ? held.gap.from : chunk.from, to: chunk.next };
      continue;
    }
    const records = chunk.at === 0 && isLast ? chunk.records : chunk.records.slice(chunk.at, to);
    const next = isLast ? chunk.next : (chunk.records[to]?.offset ?? chunk.next);
    chunk.at = to;
    return { topic: held.topic, partition: held.partition, records, next };
  }
  return undefined;
}

function decodeChunk(chunk: Chunk): Problem | undefined {
  if (chunk.source === undefined) return undefined;
  const decoded = decodeBatches(chunk.source.batches, chunk.from, chunk.source.aborted);
  if (!decoded.ok) return decoded.problem;
  chunk.records = decoded.value;
  chunk.bytes = chunk.records.reduce((sum, record) => sum + bytesOf(record), 0);
  chunk.source = undefined;
  return undefined;
}

/** At least one record, however large. */
function endOfSlice({ records, at, bytes }: Chunk, { maxRecords, maxBytes }: PollRequest): number {
  const to = Math.min(records.length, at + Math.max(1, maxRecords));
  if (bytes <= maxBytes) return to;
  let size = 0;
  for (let i = at; i < to; i++) {
    size += bytesOf(records[i]);
    if (size > maxBytes && i > at) return i;
  }
  return to;
}

function bytesOf(record: SourceRecord | undefined): number {
  return (record?.key?.length ?? 0) + (record?.value?.length ?? 0);
}
