import { setTimeout as delay } from "node:timers/promises";
import type { Problem } from "#snapshots/problem.ts";
import { openBell } from "./bell.ts";
import { CODES, KafkaError, failureOf } from "./errors.ts";
import { fetchRecords, type Fetched } from "./fetch.ts";
import { addFetched, bufferedBytes, isFetchable, type Held } from "./held.ts";
import { halt, isClosing, report, trouble, type Worker } from "./worker.ts";

export type FetchLimits = {
  /** Of one answer. */
  maxBytes: number;
  maxBytesPerPartition: number;
  /** How long the broker may hold a fetch that finds less than `minBytes`, while records come. */
  maxWaitMs: number;
  minBytes: number;
};

/** How long a fetch may wait while other partitions of the broker will soon have room again. */
const SHORT_WAIT_MS = 20;
/** How long one may wait for the first record, which it brings at once: what comes behind it gathers. */
const IDLE_WAIT_MS = 250;
const BACKOFF_MS = 200;

/** Fetches from every broker that leads a partition held here, also from one that comes to lead it later, as long as the source is open. */
export async function fetchFromLeaders(
  worker: Worker,
  limits: FetchLimits,
  refresh: () => void,
): Promise<void> {
  const room = openBell();
  worker.room.push(room);
  const fetching = new Map<number, Promise<void>>();
  while (!isClosing(worker) && worker.halted === undefined) {
    for (const { leader } of worker.held.values())
      if (!fetching.has(leader)) fetching.set(leader, fetchFrom(worker, leader, limits, refresh));
    await room.wait(limits.maxWaitMs, worker.closing.signal);
  }
  await Promise.all(fetching.values());
}

/** Fetches of what one broker leads, one at a time, ahead of the polls. */
async function fetchFrom(
  worker: Worker,
  leader: number,
  limits: FetchLimits,
  refresh: () => void,
): Promise<void> {
  const room = openBell();
  worker.room.push(room);
  const task = `fetch from broker ${leader}`;
  let isIdle = false;
  while (!isClosing(worker) && worker.halted === undefined) {
    const led = [...worker.held.values()].filter(
      (held) => held.leader === leader && !held.isAbsent,
    );
    const wanted = led.filter(isFetchable);
    // Whatever was wrong with a broker that leads nothing of ours any more is no trouble of ours.
    if (led.length === 0) worker.troubles.delete(task);
    if (wanted.length === 0 || bufferedBytes(worker.held.values()) >= 2 * limits.maxBytes) {
      await room.wait(limits.maxWaitMs, worker.closing.signal);
      continue;
    }
    const isPartial = led.some((held) => !wanted.includes(held) && !held.isPaused);
    const maxWaitMs = isPartial ? SHORT_WAIT_MS : isIdle ? IDLE_WAIT_MS : limits.maxWaitMs;
    try {
      const asked = wanted.map((held) => ({ held, offset: held.position ?? 0 }));
      const node = await worker.client.node(leader);
      const fetched = await fetchRecords(worker.client, node, {
        ...limits,
        maxWaitMs,
        minBytes: isIdle ? 1 : limits.minBytes,
        partitions: asked.map(({ held: { topicId, partition }, offset }) => ({
          topicId,
          partition,
          offset,
        })),
      });
      isIdle = fetched.every(({ batches }) => batches.length === 0);
      const refused = accept(worker, asked, fetched);
      if (refused === undefined) worker.troubles.delete(task);
      else {
        trouble(worker, task, refused);
        refresh();
        await delay(BACKOFF_MS);
      }
    } catch (cause) {
      report(worker, task, cause, `a fetch from broker ${leader}`);
      refresh();
      if (!isClosing(worker)) await delay(BACKOFF_MS);
    }
  }
}

/** Keeps what was asked for and is still wanted: a seek or a rebalance may have come meanwhile. A problem: a partition is not read here, or not now. */
function accept(
  worker: Worker,
  asked: readonly { held: Held; offset: number }[],
  fetched: readonly Fetched[],
): Problem | undefined {
  let refused: Problem | undefined;
  for (const answer of fetched) {
    const match = asked.find(
      ({ held }) => held.topicId === answer.topicId && held.partition === answer.partition,
    );
    if (match === undefined) continue;
    const { held, offset } = match;
    if (held.position !== offset || held.isLeaving) continue;
    if (answer.error === CODES.OFFSET_OUT_OF_RANGE) {
      halt(worker, outOfRange(held, offset));
    } else if (answer.error !== 0) {
      const error = new KafkaError(answer.error, `a fetch of ${held.topic}/${held.partition}`);
      const failure = failureOf(error, "reading");
      if (failure.kind === "halt") halt(worker, failure.problem);
      refused = failure.problem;
    } else {
      held.first = answer.first;
      held.end = answer.stable;
      held.rangeAt = performance.now();
      const isServed = answer.batches.length > 0;
      if (isServed || offset >= answer.stable) rotate(worker, held);
      if (isServed) {
        addFetched(held, answer);
        worker.news.ring();
      }
    }
  }
  return refused;
}

/**
 * A broker fills its answer in the order asked, topic by topic: what was served, or has nothing, goes to the end of the line. One without records at the
 * head of it would put its topic's others before all of the next topic.
 */
function rotate({ held: all }: Worker, held: Held): void {
  const key = `${held.topic}/${held.partition}`;
  if (all.get(key) !== held) return;
  all.delete(key);
  all.set(key, held);
}

function outOfRange({ topic, partition, first, end }: Held, offset: number): Problem {
  return {
    code: "kafka-offset-out-of-range",
    message: `Topic ${topic}/${partition} has no offset ${offset} to go on from: it held ${first}..${end} when last asked.`,
    hint: "Its retention was shorter than the pipeline was away, or its log lost records. Start the pipeline under another name, or backfill what is missing.",
    at: { offset },
  };
}
