import { setTimeout as delay } from "node:timers/promises";
import { ok, ProblemError, type Problem, type Result } from "#snapshots/problem.ts";
import type { KafkaConnection, Surroundings } from "../connections.ts";
import type { Patience, SourceRecord, TopicReader } from "../ports.ts";
import { openKafkaClient, type KafkaClient } from "./client.ts";
import { CODES, failureOf, KafkaError } from "./errors.ts";
import { fetchRecords, type Fetched } from "./fetch.ts";
import { EARLIEST, LATEST, leaderOf, listOffsets, placeKey } from "./list-offsets.ts";
import { fetchMetadata, type TopicMetadata } from "./metadata.ts";
import { decodeBatches, endOfBatches } from "./records.ts";

const FETCH_BYTES = 4 << 20;
const WAIT_MS = 200;
const BACKOFF_MS = 300;
const LEADER_NOT_AVAILABLE = 5;

/** Topics read apart from any group. */
export function openKafkaReader(
  connection: KafkaConnection,
  surroundings: Surroundings,
  patience: Patience = {},
): Result<TopicReader> {
  const opened = openKafkaClient(connection, surroundings);
  return opened.ok ? ok(readerOver(opened.value, patience)) : opened;
}

type Place = { topic: string; partition: number };

export function readerOver(client: KafkaClient, patience: Patience = {}): TopicReader {
  const topics = new Map<string, TopicMetadata>();
  let isClosed = false;

  /** Transient trouble is waited out, for as long as there is patience. */
  async function patiently<T>(
    doing: string,
    act: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { promise: end, reject } = Promise.withResolvers<never>();
    end.catch(() => undefined);
    let problem = silent(doing);
    const stop = (): void => reject(new ProblemError(stopped(doing)));
    const giveUp = (): void => reject(new ProblemError({ ...problem, hint: TRY_AGAIN }));
    const timer = patience.ms === undefined ? undefined : setTimeout(giveUp, patience.ms);
    const signals = [signal, patience.signal].filter((one) => one !== undefined);
    for (const one of signals) {
      if (one.aborted) stop();
      one.addEventListener("abort", stop, { once: true });
    }
    try {
      for (;;) {
        try {
          return await Promise.race([end, act()]);
        } catch (cause) {
          if (cause instanceof ProblemError) throw cause;
          const failure = failureOf(cause, doing);
          if (failure.kind === "halt" || isClosed) throw new ProblemError(failure.problem);
          problem = failure.problem;
          topics.clear();
          await Promise.race([end, delay(BACKOFF_MS)]);
        }
      }
    } finally {
      clearTimeout(timer);
      for (const one of signals) one.removeEventListener("abort", stop);
    }
  }

  async function find(topic: string): Promise<TopicMetadata | undefined> {
    const found = await fetchMetadata(client, [topic]);
    if (found.forbidden.length > 0) throw new KafkaError(29, `topic ${topic}`);
    const known = found.topics.get(topic);
    if (known !== undefined) topics.set(topic, known);
    return known;
  }

  async function known(topic: string): Promise<TopicMetadata> {
    const metadata = topics.get(topic) ?? (await find(topic));
    if (metadata === undefined) throw new ProblemError(absent(topic));
    return metadata;
  }

  /** Of all places: one that has no leader just now is waited for. */
  async function offsetsAt(places: readonly Place[], timestampMs: number) {
    for (const { topic } of places) await known(topic);
    const found = await listOffsets(client, topics, places, timestampMs);
    const missing = places.find((place) => !found.has(placeKey(place)));
    if (missing !== undefined) throw new KafkaError(LEADER_NOT_AVAILABLE, placeKey(missing));
    return found;
  }

  async function fetchOnce(place: Place, topicId: string, offset: number): Promise<Fetched> {
    const current = await known(place.topic);
    if (current.id !== topicId) throw new ProblemError(remade(place.topic));
    const node = await client.node(leaderOf(topics, place));
    const [fetched] = await fetchRecords(client, node, {
      maxWaitMs: WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES,
      maxBytesPerPartition: FETCH_BYTES,
      partitions: [{ topicId, partition: place.partition, offset }],
    });
    if (fetched === undefined) throw new Error("the broker gave no answer");
    if (fetched.error !== 0 && fetched.error !== CODES.OFFSET_OUT_OF_RANGE)
      throw new KafkaError(fetched.error, placeKey(place));
    return fetched;
  }

  async function* read(
    place: Place,
    from: number,
    to: number,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly SourceRecord[]> {
    const doing = `reading ${placeKey(place)}`;
    const { id } = await patiently(doing, () => known(place.topic), signal);
    let at = from;
    while (at < to) {
      const offset = at;
      const fetched = await patiently(doing, () => fetchOnce(place, id, offset), signal);
      if (fetched.error === CODES.OFFSET_OUT_OF_RANGE) {
        const firsts = await patiently(doing, () => offsetsAt([place], EARLIEST), signal);
        const first = firsts.get(placeKey(place)) ?? 0;
        if (first <= at) return;
        at = first;
        continue;
      }
      const next = endOfBatches(fetched.batches, at);
      if (next === at && at >= fetched.stable) return;
      const decoded = decodeBatches(fetched.batches, at, fetched.aborted);
      if (!decoded.ok) throw new ProblemError(decoded.problem);
      at = next;
      const records =
        next <= to ? decoded.value : decoded.value.filter((record) => record.offset < to);
      if (records.length > 0) yield records;
    }
  }

  return {
    topicsLike: (pattern) =>
      patiently("asking which topics there are", async () => {
        const found = await fetchMetadata(client, undefined);
        return [...found.topics.keys()].filter((name) => pattern.test(name)).toSorted();
      }),
    incarnation: (topic, signal) =>
      patiently(`looking for topic ${topic}`, async () => (await find(topic))?.id, signal),
    ranges: (topic) =>
      patiently(`asking how far topic ${topic} reaches`, async () => {
        const metadata = await find(topic);
        const places = (metadata?.partitions ?? []).map(({ partition }) => ({ topic, partition }));
        const firsts = await offsetsAt(places, EARLIEST);
        const ends = await offsetsAt(places, LATEST);
        return places.map((place) => ({
          ...place,
          first: firsts.get(placeKey(place)) ?? 0,
          end: ends.get(placeKey(place)) ?? 0,
        }));
      }),
    offsetAt: (topic, partition, timestampMs) =>
      patiently(`looking up a time in topic ${topic}`, async () => {
        const place = { topic, partition };
        const found = (await offsetsAt([place], timestampMs)).get(placeKey(place)) ?? -1;
        return found >= 0 ? found : ((await offsetsAt([place], LATEST)).get(placeKey(place)) ?? 0);
      }),
    read: (topic, partition, from, to, signal) => read({ topic, partition }, from, to, signal),
    async close() {
      isClosed = true;
      await client.close();
    },
  };
}

const TRY_AGAIN = "Nothing was changed. See that the brokers run, then try again.";

function silent(doing: string): Problem {
  return { code: "kafka-unavailable", message: `Kafka: ${doing} failed: no broker answers.` };
}

function stopped(doing: string): Problem {
  return { code: "stopped", message: `Kafka: ${doing} was stopped.` };
}

function absent(topic: string): Problem {
  return {
    code: "kafka-topic-absent",
    message: `Topic ${topic} does not exist.`,
    hint: "Make it, or correct the name.",
  };
}

function remade(topic: string): Problem {
  return {
    code: "kafka-topic-remade",
    message: `Topic ${topic} was deleted and made again while it was read.`,
    hint: "Begin again: its offsets mean other records now.",
  };
}
